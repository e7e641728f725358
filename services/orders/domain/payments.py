"""What was asked of the payment provider and what it has done; how far the order is paid follows from that.

What was asked and not answered counts as if it were done, so that nothing is asked for twice.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from shared.contracts.order import PaymentAction, PaymentStatus, PaymentSums
from shared.contracts.order_log import (
    PaymentAuthorized,
    PaymentCaptured,
    PaymentDeclined,
    PaymentEntry,
    PaymentRefunded,
    PaymentVoided,
)

Kind = Literal["authorize"] | PaymentAction
State = Literal["asked", "done", "failed"]
AUTHORIZATION = "authorization"
"""The entry that the customer's own authorization has; there is one."""


@dataclass(frozen=True)
class Step:
    """One thing that was asked of the provider, or that it did by itself; the amount is in minor units."""

    kind: Kind
    amount: int
    state: State


@dataclass(frozen=True)
class Payments:
    """The steps by the request that asked for them, or by what the provider calls them where none did."""

    steps: Mapping[str, Step] = field(default_factory=dict)

    def asked(self, request_id: str, kind: PaymentAction, amount: int) -> "Payments":
        """With a request that is on its way."""
        return self._with(request_id, Step(kind, amount, "asked"))

    def reported(self, entry: PaymentEntry) -> "Payments":
        """With what the provider was reported to have done; a report that comes twice changes nothing."""
        match entry:
            case PaymentAuthorized(amount=amount):
                return self._with(AUTHORIZATION, Step("authorize", amount, "done"))
            case PaymentCaptured(amount=amount):
                return self._with(entry.request_id or entry.transaction_id, Step("capture", amount, "done"))
            case PaymentRefunded(amount=amount):
                return self._with(entry.request_id or entry.transaction_id, Step("refund", amount, "done"))
            case PaymentVoided():
                return self._with(entry.request_id or entry.transaction_id, Step("void", 0, "done"))
            case PaymentDeclined(action=action):
                key = entry.request_id or AUTHORIZATION
                before = self.steps.get(key, Step(action, 0, "failed"))
                return self if before.state == "done" else self._with(key, Step(before.kind, before.amount, "failed"))
        return self

    def confirmed(self, request_id: str, amount: int) -> "Payments":
        """With money that a person has seen arrive: it needed no authorization, and is there."""
        return self._with(request_id, Step("capture", amount, "done"))

    def missing(self, total: int) -> int:
        """What of this total has not been taken, and is not asked for."""
        return total - self.taken()

    def capturable(self) -> int:
        """What may still be asked for: authorized, not let go of, neither captured nor asked for."""
        if self._any("void", "asked", "done"):
            return 0
        return self._sum("authorize", "done") - self._sum("capture", "asked", "done")

    def refundable(self) -> int:
        """What was captured and is neither refunded nor asked to be."""
        return self._sum("capture", "done") - self._sum("refund", "asked", "done")

    def taken(self) -> int:
        """What was captured, or is asked to be."""
        return self._sum("capture", "asked", "done")

    def kept(self) -> int:
        """What was captured, or is asked to be, and is neither refunded nor asked to be."""
        return self.taken() - self._sum("refund", "asked", "done")

    def sums(self) -> PaymentSums:
        """What the provider has done."""
        return PaymentSums(
            authorized=self._sum("authorize", "done"),
            captured=self._sum("capture", "done"),
            refunded=self._sum("refund", "done"),
        )

    def status(self, total: int) -> PaymentStatus:
        """How far an order that comes to this total is paid; what was authorized is what is expected, where it was."""
        sums = self.sums()
        if sums.refunded:
            return "refunded" if sums.refunded >= sums.captured else "partly-refunded"
        if sums.captured:
            return "captured" if sums.captured >= (sums.authorized or total) else "partly-captured"
        if self._any("void", "done"):
            return "voided"
        if sums.authorized:
            return "authorized"
        return "declined" if self._any("authorize", "failed") else "none"

    def _with(self, key: str, step: Step) -> "Payments":
        return Payments({**self.steps, key: step})

    def _sum(self, kind: Kind, *states: State) -> int:
        return sum(step.amount for step in self.steps.values() if step.kind == kind and step.state in states)

    def _any(self, kind: Kind, *states: State) -> bool:
        return any(step.kind == kind and step.state in states for step in self.steps.values())

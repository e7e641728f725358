"""A payment and what may be done with it: never more captured than authorised, never more refunded than captured."""

from typing import Literal

from pydantic import BaseModel, ConfigDict

from deploy.local.sandbox.answers import Refused

Kind = Literal["authorization", "capture", "refund", "void"]
Status = Literal["succeeded", "pending", "failed"]
Outcome = Literal[
    "authorized", "declined", "expired", "capture_declined", "capture_pending", "refund_pending", "refund_failed"
]
"""What a test asks a payment for; `…_pending` settles well later, `refund_failed` is pending and fails later."""
PREFIXES: dict[Kind, str] = {"authorization": "auth", "capture": "cap", "refund": "ref", "void": "void"}


class Transaction(BaseModel):
    """One thing that was done with a payment; amounts are in minor units."""

    model_config = ConfigDict(frozen=True)

    id: str
    kind: Kind
    status: Status
    payment: str
    amount: int
    currency: str
    idempotency_key: str
    created: str


class Payment(BaseModel):
    """What was authorised, and everything that was done with it since; a step makes a new one."""

    model_config = ConfigDict(frozen=True)

    id: str
    reference: str
    currency: str
    authorized: int
    outcome: Outcome
    capture_limit: int | None
    created: str
    transactions: tuple[Transaction, ...] = ()

    @property
    def captured(self) -> int:
        return self._sum("capture", "succeeded")

    @property
    def refunded(self) -> int:
        return self._sum("refund", "succeeded")

    @property
    def capturable(self) -> int:
        """What no capture has, or will have when it settles."""
        return self.authorized - self._sum("capture", "succeeded", "pending")

    @property
    def refundable(self) -> int:
        """What was captured and no refund has, or will have when it settles."""
        return self.captured - self._sum("refund", "succeeded", "pending")

    @property
    def voided(self) -> bool:
        return any(one.kind == "void" for one in self.transactions)

    @property
    def status(self) -> str:
        if self.outcome in {"declined", "expired"}:
            return self.outcome
        if self.voided:
            return "voided"
        if self.refunded:
            return "refunded" if self.refunded == self.captured else "partially_refunded"
        if self.captured:
            return "captured" if self.captured == self.authorized else "partially_captured"
        return "authorized"

    def having(self, transaction: Transaction) -> "Payment":
        """The payment when this was done, or has settled."""
        others = tuple(one for one in self.transactions if one.id != transaction.id)
        return self.model_copy(update={"transactions": (*others, transaction)})

    def pending(self, name: str) -> Transaction | None:
        """The transaction of this id, if it has yet to settle."""
        return next((one for one in self.transactions if one.id == name and one.status == "pending"), None)

    def refuse(self, kind: Kind, amount: int) -> None:
        """Raises Refused for what may not be done."""
        match kind:
            case "capture":
                self._refuse_capture(amount)
            case "refund":
                self._refuse_refund(amount)
            case "void":
                self._refuse_void()

    def shown(self, *, transactions: bool = True) -> dict[str, object]:
        """The payment as the API shows it."""
        body = {
            "id": self.id,
            "object": "payment",
            "status": self.status,
            "reference": self.reference,
            "currency": self.currency,
            "authorized": self.authorized,
            "captured": self.captured,
            "refunded": self.refunded,
            "capture_limit": self.capture_limit,
            "created": self.created,
        }
        return body | ({"transactions": [one.model_dump() for one in self.transactions]} if transactions else {})

    def _sum(self, kind: Kind, *statuses: Status) -> int:
        return sum(one.amount for one in self.transactions if one.kind == kind and one.status in statuses)

    def _refuse_capture(self, amount: int) -> None:
        self._refuse_where_nothing_is_authorised()
        if self.voided:
            raise Refused(409, "payment_voided", "The authorization was voided.")
        if amount > self.capturable:
            message = "The captures would exceed what was authorized."
            raise Refused(409, "capture_exceeds_authorized", message, capturable=self.capturable)
        if self.outcome == "capture_declined":
            raise Refused(402, "insufficient_funds", "The issuer declined the capture.")
        if self.capture_limit is not None and amount > self.capture_limit:
            message = "The issuer declined so large a capture."
            raise Refused(402, "capture_limit_exceeded", message, capture_limit=self.capture_limit)

    def _refuse_refund(self, amount: int) -> None:
        if self.captured == 0:
            raise Refused(409, "nothing_to_refund", "Nothing was captured.")
        if amount > self.refundable:
            message = "The refunds would exceed what was captured."
            raise Refused(409, "refund_exceeds_captured", message, refundable=self.refundable)

    def _refuse_void(self) -> None:
        self._refuse_where_nothing_is_authorised()
        if self.voided:
            raise Refused(409, "already_voided", "The authorization was voided before.")
        if self.capturable != self.authorized:
            raise Refused(409, "already_captured", "A payment with captures is refunded, not voided.")

    def _refuse_where_nothing_is_authorised(self) -> None:
        if self.outcome == "declined":
            raise Refused(402, "card_declined", "The issuer declined the payment.")
        if self.outcome == "expired":
            raise Refused(402, "authorization_expired", "The authorization has expired.")

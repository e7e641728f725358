"""What a payment provider is to us, whichever it is; an adapter says each in its vendor's words."""

from dataclasses import dataclass
from typing import Literal, Protocol

from services.integrations.calling import Checked
from shared.contracts.order import PaymentAction
from shared.messaging.effects import Done, Failed, Permit


@dataclass(frozen=True)
class Standing:
    """How a payment that was begun at checkout stands; the amount is in minor units."""

    status: Literal["authorized", "declined"]
    amount: int = 0
    reason: str = ""
    more: str = ""
    """What the provider calls its state, where that says more than our word for it."""
    detail: str = ""
    currency: str = ""


@dataclass(frozen=True)
class Move:
    """Money that is to move. `key` makes it happen once, at a provider that knows keys."""

    action: PaymentAction
    reference: str
    """What the provider calls the payment."""
    amount: int
    key: str


@dataclass(frozen=True)
class Told:
    """What a provider tells of itself: `key` names the call that made it happen, where one of ours did."""

    event: str
    """What the provider calls it."""
    reference: str
    what: Literal["authorized", "capture", "refund", "void"] | None = None
    """None for what changes nothing here."""
    amount: int | None = None
    currency: str = ""
    transaction_id: str = ""
    key: str = ""
    failed: bool = False
    """Whether it did not happen after all."""
    at: str = ""
    """When it happened, as RFC 3339 has it."""
    detail: str = ""
    merchant_reference: str = ""
    """What the shop called the payment when it was begun."""


class PaymentProvider(Protocol):
    """One account of a shop at a payment provider."""

    remembers: float
    """For how many seconds a key gets its first answer again; 0 where keys are not known."""

    async def standing(self, reference: str) -> Standing:
        """How a payment stands; a payment that is not known there is declined. Raises NotAnAnswer."""
        ...

    async def move(self, move: Move, permit: Permit) -> Done | Failed:
        """Moves money: Done with `transaction_id` and `amount`, or a clear no.

        Raises NotSent where it certainly was not done; whatever else it raises means that nobody knows.
        """
        ...

    async def find(self, move: Move) -> Done | Failed | None:
        """What became of a move; None where the provider knows of none. Raises where it cannot be asked."""
        ...

    def told(self, body: bytes) -> Told | None:
        """What a webhook tells, its signature being good; None for what is about no payment."""
        ...

    async def check(self) -> Checked:
        """How a harmless question is answered, asked with the connection's key. Raises nothing."""
        ...

    async def close(self) -> None:
        """Closes the connections."""
        ...

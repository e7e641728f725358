"""What payment says to itself alone, in its own lanes; no topic carries it."""

from typing import Annotated

from pydantic import AwareDatetime, Field, StringConstraints

from shared.contracts.message import Message
from shared.contracts.order_log import ProviderLine, ProviderText
from shared.contracts.topics import ORDERS_EVENTS
from shared.contracts.values import Currency, Identifier, Line, OrderId, Price, Value


class Said(Value):
    """One thing that a provider said of a payment, as much of it as is kept."""

    provider: Identifier
    event: ProviderLine
    """What the provider calls that kind of thing."""
    reference: Identifier
    """What the provider calls the payment."""
    said_at: AwareDatetime
    heard_at: AwareDatetime
    message_id: Line = ""
    what: Identifier | None = None
    """What happened, as `Told` has it; None where it changes nothing here."""
    failed: bool = False
    transaction_id: Annotated[str, StringConstraints(max_length=128, pattern=r"^[\x21-\x7e]{0,128}$")] = ""
    amount: Price | None = None
    currency: Currency | None = None
    detail: ProviderText = ""


class ProviderSaid(Message, topic=ORDERS_EVENTS, type="payment.provider-said.v1"):
    """A payment provider has said something, and its signature was good."""

    order_id: OrderId
    said: Said
    acts: bool
    """Whether the order's payment is another by it: not where a call of ours made it happen, or where it failed."""

    @property
    def subject(self) -> str:
        return str(self.order_id)


class PaymentFound(Message, topic=ORDERS_EVENTS, type="payment.found.v1"):
    """An order has a payment of which its provider had told before the order was here."""

    order_id: OrderId
    provider: Identifier
    reference: Identifier
    first_heard_at: AwareDatetime
    minutes: Annotated[int, Field(ge=0)]
    """For how long it had waited for its order."""
    messages: Annotated[int, Field(ge=0)]
    by_hand: bool

    @property
    def subject(self) -> str:
        return str(self.order_id)


class ProviderTold(Message, topic=ORDERS_EVENTS, type="payment.provider-told.v1"):
    """What `ProviderSaid` was before what is said was kept; some may still wait in a lane."""

    order_id: OrderId
    what: Identifier
    amount: Price
    transaction_id: Line

    @property
    def subject(self) -> str:
        return str(self.order_id)

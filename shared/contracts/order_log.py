"""The order log: what every service did to an order, without personal data beyond a masked recipient."""

from typing import Annotated, Literal

from pydantic import AfterValidator, AwareDatetime, Field, StringConstraints

from shared.contracts.files import DocumentKind, FileRef
from shared.contracts.message import Message
from shared.contracts.order import PaymentAction, ShipmentState, Units
from shared.contracts.topics import ORDERS_LOG
from shared.contracts.values import (
    Currency,
    Detail,
    Identifier,
    Language,
    Line,
    MaskedEmail,
    MinorUnits,
    Name,
    OrderId,
    Price,
    Reason,
    with_masked_emails,
    with_masked_numbers,
)

Outcome = Literal["done", "failed", "unknown", "waiting"]
Text = Annotated[Detail, AfterValidator(with_masked_emails)]
"""Words for people, at most 500 characters; e-mail addresses in them are masked whatever a mail server quotes."""
ProviderText = Annotated[Detail, AfterValidator(with_masked_emails), AfterValidator(with_masked_numbers)]
"""As `Text`; numbers as long as a card's are masked too."""
ProviderLine = Annotated[Name, AfterValidator(with_masked_emails), AfterValidator(with_masked_numbers)]
"""As `Name`, masked likewise."""
EffectKey = Annotated[str, StringConstraints(max_length=300, pattern=r"^[\x21-\x3f\x41-\x7e]{1,300}$")]
"""Names one effect; never an address: an effect that is once per recipient has a digest of it in its key."""


class LogEntry(Message, topic=ORDERS_LOG):
    """One entry. Who wrote it, when, for whom and why stand in the envelope: source, time, actor, causationid."""

    order_id: OrderId
    outcome: Outcome
    summary: Identifier
    """The key of a sentence that pages translate."""
    parameters: Annotated[dict[Identifier, Text | MinorUnits], Field(max_length=20)] = {}  # noqa: RUF012 - pydantic copies it
    """What the sentence needs."""

    @property
    def subject(self) -> str:
        return str(self.order_id)


class OrderNoted(LogEntry, type="order.noted.v1"):
    """An event of orders, noted on the log; the kit derives it, so that no fact is declared twice."""

    written_by = ("orders",)
    event_type: Identifier
    event_id: Identifier


class MessageSent(LogEntry, type="message.sent.v1"):
    """A message left for its recipient: the receiving mail server has accepted it."""

    written_by = ("notifications",)
    template: Identifier
    recipient: MaskedEmail
    language: Language
    message_id: Line


class MessageFailed(LogEntry, type="message.failed.v1"):
    """A message was refused for good; the reason is the mail server's own or ours."""

    written_by = ("notifications",)
    template: Identifier
    recipient: MaskedEmail
    language: Language
    reason: Reason
    detail: Text = ""


class DocumentPrinted(LogEntry, type="document.printed.v1"):
    """A document was made and is kept; its address at documents is `/v1/documents/<document_id>`."""

    written_by = ("documents",)
    document: DocumentKind
    language: Language
    document_id: Identifier
    """The id of the event that asked for it."""
    file: FileRef


class DocumentFailed(LogEntry, type="document.failed.v1"):
    """A document cannot be made, and asking again will not help."""

    written_by = ("documents",)
    document: DocumentKind
    language: Language
    reason: Reason
    detail: Text = ""


class PaymentEntry(LogEntry):
    """What the payment provider has done with the order's payment."""

    written_by = ("integrations",)
    request_id: Identifier | None = None
    """What had asked for it; absent where the provider tells of itself."""


class PaymentAuthorized(PaymentEntry, type="payment.authorized.v1"):
    """The customer's payment is good for this amount."""

    amount: Price


class PaymentCaptured(PaymentEntry, type="payment.captured.v1"):
    """Money was taken from the customer."""

    amount: Price
    transaction_id: Identifier
    """What the provider calls it."""


class PaymentRefunded(PaymentEntry, type="payment.refunded.v1"):
    """Money was given back to the customer."""

    amount: Price
    transaction_id: Identifier


class PaymentVoided(PaymentEntry, type="payment.voided.v1"):
    """What was authorized and not captured was let go of."""

    transaction_id: Identifier


class PaymentDeclined(PaymentEntry, type="payment.declined.v1"):
    """A clear no of the payment provider."""

    action: Literal["authorize"] | PaymentAction
    reason: Reason
    detail: Text = ""


class PaymentUnmatched(PaymentEntry, type="payment.unmatched.v1"):
    """The payment was at the provider before its order was here, or a person said which order it belongs to (R133).

    What the provider had said of it until then follows, each as `payment.provider-message`.
    """

    provider: Identifier
    reference: Identifier
    """What the provider calls the payment. It is the order's from now on, where the order named none."""
    first_heard_at: AwareDatetime
    messages: Annotated[int, Field(ge=0, le=10**6)]
    """How often the provider had told of it."""
    by_hand: bool = False
    """Whether a person said so: the envelope's actor."""


class PaymentProviderMessage(LogEntry, type="payment.provider-message.v1"):
    """What the payment provider said of the order's payment, whether or not it changed anything (R117, R132)."""

    written_by = ("integrations",)
    provider: Identifier
    event: ProviderLine
    """In the provider's own words: `capture.succeeded`."""
    reference: Identifier
    """What the provider calls the payment."""
    said_at: AwareDatetime
    """When it happened, as the provider says; when it was heard, where it does not say."""
    heard_at: AwareDatetime
    message_id: Line = ""
    """What the provider calls this message; empty for an answer."""
    transaction_id: Line = ""
    amount: Price | None = None
    currency: Currency | None = None
    detail: ProviderText = ""


class PaymentConfirmed(LogEntry, type="payment.confirmed.v1"):
    """A person has seen that the money arrived (R118, R132)."""

    written_by = ("orders",)
    amount: Price
    reason: Text = ""


class CheckoutStepTaken(LogEntry, type="checkout.step.v1"):
    """The customer did this in the shop, on the way to the order or later (R125)."""

    written_by = ("orders",)
    step: Identifier
    taken_at: AwareDatetime
    detail: Text = ""


class ShipmentEntry(LogEntry):
    """What the carrier has done with a shipment of the order."""

    written_by = ("integrations",)
    request_id: Identifier | None = None
    """What had asked for it; absent where the carrier tells of itself."""


class ShipmentBooked(ShipmentEntry, type="shipment.booked.v1"):
    """The carrier expects the shipment."""

    shipment_id: Identifier
    tracking_number: Line
    tracking_url: Line
    label_url: Line = ""
    """Where its label is, at the carrier."""


class ShipmentCancelled(ShipmentEntry, type="shipment.cancelled.v1"):
    """The carrier no longer expects the shipment."""

    shipment_id: Identifier


class ShipmentTracked(ShipmentEntry, type="shipment.tracked.v1"):
    """The carrier has seen the shipment."""

    shipment_id: Identifier
    state: ShipmentState
    seen_at: AwareDatetime


class ShipmentFailed(ShipmentEntry, type="shipment.failed.v1"):
    """A clear no of the carrier."""

    action: Literal["book", "cancel"]
    reason: Reason
    detail: Text = ""
    units: Units = []  # noqa: RUF012 - pydantic copies it
    """What was to be in it, where it was to be booked."""
    shipment_id: Identifier | None = None
    """Which one, where it was to be cancelled."""


class ErpOrderExported(LogEntry, type="erp.order-exported.v1"):
    """The shop's ERP system has the order."""

    written_by = ("integrations",)
    request_id: Identifier
    number: Identifier
    """What the ERP system calls it."""


class ErpFailed(LogEntry, type="erp.failed.v1"):
    """A clear no of the shop's ERP system."""

    written_by = ("integrations",)
    request_id: Identifier
    reason: Reason
    detail: Text = ""


class EffectUnknown(LogEntry, type="effect.unknown.v1"):
    """The outside world was called and nobody can say whether it did it; nothing is repeated by itself."""

    written_by = ("notifications", "integrations")
    effect: Identifier
    """Which call: `mail`, `capture`."""
    key: EffectKey
    request_id: Identifier | None = None
    """What had asked for it, where the request has a name."""
    detail: Text = ""


class CommandRejected(LogEntry, type="command.rejected.v1"):
    """A command was refused; the reason is stable, the detail is for people."""

    written_by = ("orders",)
    command_type: Identifier
    command_id: Identifier
    reason: Reason
    detail: Text = ""
    errors: Annotated[list[Text], Field(max_length=20)] = []  # noqa: RUF012 - pydantic copies it


class ReactionWaiting(LogEntry, type="reaction.waiting.v1"):
    """A reaction to a message has failed three times and is tried again later; what comes after it waits."""

    group: Identifier
    message_type: Identifier
    message_id: Identifier
    message_source: Identifier | None = None
    """Within which the message's id is unique."""
    attempts: Annotated[int, Field(ge=1, le=10**6)]
    next_try: AwareDatetime
    detail: Text = ""


class ReactionDead(LogEntry, type="reaction.dead.v1"):
    """A reaction to a message is given up: it can never work, or has failed for a day, or ends its process each time.

    It keeps its place until a person retries or skips it.
    """

    group: Identifier
    message_type: Identifier
    message_id: Identifier
    message_source: Identifier | None = None
    """Within which the message's id is unique."""
    blocks: bool
    """Whether what comes after it waits for that decision."""
    detail: Text = ""


class EffectSettled(LogEntry, type="effect.settled.v1"):
    """A call whose outcome nobody knew is settled: it happened, or it did not and may be made again."""

    effect: Identifier
    key: EffectKey
    happened: bool
    settled_by: Literal["person", "provider", "look-up"]
    reason: Text = ""


class RepairMade(LogEntry, type="repair.made.v1"):
    """A person has put something right: who it was stands in the envelope's actor."""

    action: Literal["retry", "skip", "accept-gap", "re-ingest", "release"]
    about: Line
    """What it was done to: a group and a message, a stream, a record."""
    reason: Text = ""
    entry_id: Identifier | None = None
    """Which entry of the order's log told of it, where somebody asked on the order."""
    group: Identifier | None = None
    """Whose message it was, where one was tried again or skipped."""
    message_id: Identifier | None = None


class RepairRefused(LogEntry, type="repair.refused.v1"):
    """What somebody asked to be put right on the order could not be: mostly because it is in order already."""

    entry_id: Identifier
    action: Literal["retry", "skip", "settle"]
    reason: Reason
    gone: bool
    """Whether there is nothing left to put right; else it may be asked for again."""
    detail: Text = ""


class PromiseOverdue(LogEntry, type="promise.overdue.v1"):
    """What an event of the order promises has no outcome in the time that it should take (R201)."""

    written_by = ("orders",)
    promise: Identifier
    """What is expected: a message, a document, `capture`, `transfer`."""
    by: Identifier
    """Which service is to do it."""
    event_id: Identifier
    due_at: AwareDatetime


class StreamForked(LogEntry, type="stream.forked.v1"):
    """A source whose database was set back counts again from a number that it had used before.

    What it had said under that number, and after it, is known here and may be missing there.
    """

    stream_source: Identifier
    """Whose records these are: `/orders`."""
    stream_topic: Identifier
    incarnation: Annotated[int, Field(ge=0, lt=10**10)]
    """The life that it is in now."""
    n: Annotated[int, Field(ge=1, lt=10**12)]
    """The first number of that life that was seen."""
    known: Annotated[int, Field(ge=1, lt=10**12)]
    """The last number of the life before that was taken in."""

"""The order log: what every service did to an order, without personal data beyond a masked recipient."""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from shared.contracts.message import Message
from shared.contracts.topics import ORDERS_LOG
from shared.contracts.values import Identifier, Language, Line, OrderId, Reason

Outcome = Literal["done", "failed", "unknown", "waiting"]
Detail = Annotated[str, StringConstraints(max_length=500)]


class LogEntry(Message, topic=ORDERS_LOG):
    """One entry. Who wrote it, when, for whom and why stand in the envelope: source, time, actor, causationid."""

    order_id: OrderId
    outcome: Outcome
    summary: Identifier
    """The key of a sentence that pages translate."""
    parameters: dict[Identifier, str | int] = {}
    """What the sentence needs."""

    @property
    def subject(self) -> str:
        return str(self.order_id)


class OrderNoted(LogEntry, type="order.noted.v1"):
    """An event of orders, noted on the log; the kit derives it, so that no fact is declared twice."""

    event_type: Identifier
    event_id: Identifier


class MessageSent(LogEntry, type="message.sent.v1"):
    """A message left for its recipient: the receiving mail server has accepted it."""

    template: Identifier
    recipient: Line
    """Masked: `a***@example.org`."""
    language: Language
    message_id: Line


class MessageFailed(LogEntry, type="message.failed.v1"):
    """A message was refused for good; the reason is the mail server's own or ours."""

    template: Identifier
    recipient: Line
    language: Language
    reason: Reason
    detail: Detail = ""


class EffectUnknown(LogEntry, type="effect.unknown.v1"):
    """The outside world was called and nobody can say whether it did it; nothing is repeated by itself."""

    effect: Identifier
    """Which call: `mail`."""
    key: Annotated[str, StringConstraints(max_length=300)]
    detail: Detail = ""


class CommandRejected(LogEntry, type="command.rejected.v1"):
    """A command was refused; the reason is stable, the detail is for people."""

    command_type: Identifier
    command_id: Identifier
    reason: Reason
    detail: Detail = ""
    errors: Annotated[list[Detail], Field(max_length=20)] = []

"""A message and its envelope: a contract is one class here, and the class is the key everywhere."""

import json
import os
import re
import time
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Annotated, Any, ClassVar, Literal, Self, TypeVar
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, PrivateAttr, StringConstraints, ValidationError

from shared.contracts.never_sent import NEVER_SENT, OTHER_NAMES, has_one
from shared.contracts.topics import Topic
from shared.contracts.values import Identifier, ShopId, Value, on_one_line, personal_fields_of

CONTENT_TYPE = "application/cloudevents+json; charset=UTF-8"
SEQUENCE = re.compile(r"([0-9]{10})\.([0-9]{12})")


class NotUnderstood(Exception):
    """The record is not a message of ours."""

    refused_as = "unknown-command"
    """The reason in the answer to a command."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class UnknownType(NotUnderstood):
    """No contract of this type is known here."""


class InvalidData(NotUnderstood):
    """The envelope is understood, its data does not fit the contract."""

    refused_as = "invalid-command"

    def __init__(self, errors: list[str]) -> None:
        super().__init__("; ".join(errors))
        self.errors = errors


class HasPersonalNumber(InvalidData):
    """It has a field for a personal identity number, which comes by HTTP only."""

    refused_as = "personal-number-by-topic"

    def __init__(self) -> None:
        super().__init__([f"{NEVER_SENT}: must not be sent here, it comes by HTTP only"])


@dataclass(frozen=True, order=True, slots=True)
class Sequence:
    """The place of a record among those of its source, topic and subject; incarnations count before numbers."""

    incarnation: int
    n: int

    def __str__(self) -> str:
        return f"{self.incarnation:010d}.{self.n:012d}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """From `<ten digits>.<twelve digits>`. Raises NotUnderstood for anything else, or a number below 1."""
        match = SEQUENCE.fullmatch(text)
        if match is None or int(match[2]) == 0:
            raise NotUnderstood("sequence is not ten digits, a dot and twelve digits counting from 1")
        return cls(int(match[1]), int(match[2]))


@dataclass(frozen=True, slots=True)
class Meta:
    """What the envelope says of a message: who, when, about what, and why."""

    id: str
    source: str
    subject: str
    shop: str
    actor: str
    time: datetime
    sequence: Sequence | None = None
    causationid: str | None = None
    correlationid: str | None = None
    traceparent: str | None = None
    shadow: bool = False
    """Whether it is the other record of a fact that is published in two versions, to be passed over."""

    def numbered(self, sequence: Sequence) -> "Meta":
        """The same, with its place in its stream."""
        return replace(self, sequence=sequence)


class Message(BaseModel):
    """The base of every contract. `type` names it for ever; `topic` is where it is published."""

    model_config = ConfigDict(
        frozen=True, extra="ignore", strict=True, allow_inf_nan=False, use_attribute_docstrings=True
    )
    type: ClassVar[str]
    topic: ClassVar[Topic]
    written_by: ClassVar[tuple[str, ...]] = ()
    """Which of the topic's writers say this; all of them where it is empty."""
    ships_off: ClassVar[bool] = False
    """A new type is read before it is written: it is published only where the setting `emits` names it."""
    _meta: Meta | None = PrivateAttr(default=None)

    def __init_subclass__(cls, type: str | None = None, topic: Topic | None = None, **rest: Any) -> None:  # noqa: A002
        super().__init_subclass__(**rest)
        if topic is not None:
            cls.topic = topic
        if type is not None:
            if type in CONTRACTS:
                raise TypeError(f"{type} is declared twice: {CONTRACTS[type].__qualname__} and {cls.__qualname__}")
            cls.type = type
            CONTRACTS[type] = cls

    @property
    def subject(self) -> str:
        """What the message is about, which is its Kafka key too."""
        raise NotImplementedError

    @property
    def shop_in_data(self) -> str | None:
        """The shop that its data names, where they name one; the envelope must say the same."""
        return None

    def as_older(self) -> "Message | None":
        """The same fact in the type that this one replaces, while both are published; None where there is none."""
        return None

    @property
    def meta(self) -> Meta:
        """What its envelope says. Raises LookupError for a message that was neither received nor stamped."""
        meta = self._meta
        if meta is None:
            raise LookupError(f"this {self.type} was neither received nor stamped")
        return meta

    def stamped(self, meta: Meta) -> Self:
        """The same message, saying of itself what `meta` says."""
        copy = self.model_copy()
        copy._meta = meta  # noqa: SLF001 - a copy of its own class
        return copy


M = TypeVar("M", bound=Message)
CONTRACTS: dict[str, type[Message]] = {}
"""Every contract that was imported, by its type."""


class Head(Value):
    """The attributes of a CloudEvents 1.0 envelope in structured JSON mode, with the extensions that we use."""

    specversion: Literal["1.0"]
    id: Identifier
    """Unique within its source."""
    source: Identifier
    """Who says it: `/orders`, `/notifications`, a shop front's own path."""
    type: Identifier
    subject: Identifier
    """What it is about, and the record's key: an order's id, or `<shop>/<owner>` on shops.facts."""
    shop: ShopId
    time: AwareDatetime | None = None
    """When it was said."""
    actor: Identifier = "unknown"
    """Who caused it: an id, never a name or an address."""
    datacontenttype: Literal["application/json"] = "application/json"
    sequence: Annotated[str, StringConstraints(max_length=64, pattern=r"^[\x20-\x7e]*$")] | None = None
    """`<incarnation>.<n>`: n counts 1, 2, 3 … per source, subject and topic; rises as text, too."""
    partitionkey: Identifier | None = None
    """The same as `subject`."""
    causationid: Identifier | None = None
    """The id of the message that made this one happen."""
    correlationid: Identifier | None = None
    """The id of the message that the story began with."""
    traceparent: Annotated[str, StringConstraints(max_length=128, pattern=r"^[\x20-\x7e]*$")] | None = None
    """W3C trace context."""
    shadow: Literal["true"] | None = None
    """Marks the older of two versions of one fact that stand side by side; who knows the newer passes it over."""

    def number(self) -> Sequence | None:
        """Its place in its stream; None where it has none. Raises NotUnderstood for what is not written as ours are."""
        return None if self.sequence is None else Sequence.parse(self.sequence)

    def meta(self) -> Meta:
        """What a message is given of it; a sequence that is not written as ours are means nothing to us."""
        try:
            number = self.number()
        except NotUnderstood:
            number = None
        return Meta(
            id=self.id,
            source=self.source,
            subject=self.subject,
            shop=self.shop,
            actor=self.actor,
            time=self.time or datetime.now(UTC),
            sequence=number,
            causationid=self.causationid,
            correlationid=self.correlationid,
            traceparent=self.traceparent,
            shadow=self.shadow is not None,
        )


class Envelope(Head):
    """A whole envelope, its data as they came."""

    data: Annotated[dict[str, Any], Field(strict=False)]


def reasons(error: ValidationError) -> list[str]:
    """One sentence for each of the first twenty things that are wrong."""
    return [
        on_one_line(f"{'.'.join(str(part) for part in problem['loc']) or 'record'}: {problem['msg']}")
        for problem in error.errors(include_url=False, include_input=False, include_context=False)[:20]
    ]


def read_envelope(record: bytes) -> Envelope:
    """Parses a record's value. Raises NotUnderstood, with the reason, for everything that is not one event of ours."""
    try:
        return Envelope.model_validate_json(record)
    except ValidationError as error:
        raise NotUnderstood("; ".join(reasons(error))[:1000]) from None


def read_message(envelope: Envelope) -> Message:
    """The message in an envelope. Raises UnknownType, or InvalidData with one sentence for each field."""
    contract = CONTRACTS.get(envelope.type)
    if contract is None:
        raise UnknownType(f"no contract of type {envelope.type} is known here")
    try:
        # Through JSON, because strict validation takes a UUID or a Decimal from JSON text only.
        text = json.dumps(envelope.data, allow_nan=False)
        if f'"{NEVER_SENT}"' in text and has_one(envelope.data):
            raise HasPersonalNumber
        message = contract.model_validate_json(text)
    except ValidationError as error:
        raise InvalidData(reasons(error)) from None
    except ValueError:
        raise InvalidData(["a number is not finite"]) from None
    return received(message, envelope)


def received(message: M, head: Head) -> M:
    """The message that came with this head. Raises InvalidData where the two do not fit together."""
    if message.subject != head.subject:
        raise InvalidData([f"subject: the data is about {message.subject}, the envelope about {head.subject}"])
    if message.shop_in_data not in {None, head.shop}:
        raise InvalidData(["shop: the data and the envelope name different shops"])
    message._meta = head.meta()  # noqa: SLF001 - nobody else has it yet
    return message


def write_record(message: Message, meta: Meta) -> str:
    """The message as the text of one record: a CloudEvents document with the message as its `data`."""
    attributes = {
        "specversion": "1.0",
        "id": meta.id,
        "source": meta.source,
        "type": message.type,
        "subject": meta.subject,
        "time": meta.time.isoformat(timespec="microseconds").replace("+00:00", "Z"),
        "datacontenttype": "application/json",
        "sequence": str(meta.sequence) if meta.sequence else None,
        "partitionkey": meta.subject,
        "causationid": meta.causationid,
        "correlationid": meta.correlationid,
        "shop": meta.shop,
        "actor": meta.actor,
        "traceparent": meta.traceparent,
        "shadow": "true" if meta.shadow else None,
    }
    head = json.dumps({name: value for name, value in attributes.items() if value is not None})
    return f'{head[:-1]}, "data": {message.model_dump_json()}}}'


def record_headers(message: Message, meta: Meta) -> dict[str, str]:
    """The attributes that console tools filter by, as Kafka headers; readers of ours never need them."""
    headers = {
        "content-type": CONTENT_TYPE,
        "ce_id": meta.id,
        "ce_type": message.type,
        "ce_source": meta.source,
        "ce_subject": meta.subject,
    }
    if meta.sequence:
        headers["ce_sequence"] = str(meta.sequence)
    if meta.traceparent:
        headers["traceparent"] = meta.traceparent
    return headers


def now() -> datetime:
    """The present moment, in UTC."""
    return datetime.now(UTC)


def new_id() -> str:
    """A UUIDv7 (RFC 9562): 48 bits of milliseconds, then random bits; rises with time."""
    value = (time.time_ns() // 1_000_000) << 80 | int.from_bytes(os.urandom(10))
    value = value & ~(0xF << 76) | 0x7 << 76
    value = value & ~(0x3 << 62) | 0x2 << 62
    return str(UUID(int=value))


def personal_field_names() -> frozenset[str]:
    """The names of all fields that any known contract declares personal, and of those that none may have."""
    declared = (name for contract in CONTRACTS.values() for name in personal_fields_of(contract))
    return frozenset((*declared, NEVER_SENT, *OTHER_NAMES))


def caused_by(cause: Meta, source: str, subject: str, traceparent: str | None = None) -> Meta:
    """What a message of `source` about `subject` says of itself when `cause` made it; the number is still to come."""
    return Meta(
        id=new_id(),
        source=source,
        subject=subject,
        shop=cause.shop,
        actor=cause.actor,
        time=now(),
        causationid=cause.id,
        correlationid=cause.correlationid or cause.id,
        traceparent=traceparent or cause.traceparent,
    )

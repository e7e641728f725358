"""From a Kafka record to something understood, or a reason why not; nothing here fails on what a record contains."""

import json
from base64 import b64decode, b64encode
from collections.abc import Sequence
from dataclasses import dataclass, replace
from uuid import UUID

from aiokafka import ConsumerRecord

from shared.contracts.message import Head, NotUnderstood
from shared.contracts.message import Sequence as Number
from shared.contracts.never_sent import without_number
from shared.contracts.reading import read_head
from shared.contracts.topics import MAX_RECORD_BYTES, Topic
from shared.messaging.tolerant_records import UnreadBatch, fault


@dataclass(frozen=True, slots=True)
class Arrived:
    """A record as it came, with the name its topic is declared under."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes | None]]

    @classmethod
    def of(cls, record: ConsumerRecord, topic: str) -> "Arrived":
        return cls(topic, record.partition, record.offset, record.key, record.value, record.headers)

    def to_keep(self, topic: Topic) -> "Arrived":
        """The record as it may be stored: what strangers write may have a personal identity number in it.

        Numbered topics are written by our services alone, whose contracts have no field for one.
        """
        if topic.sequenced or self.value is None or isinstance(self.value, UnreadBatch):
            return self
        value = without_number(self.value)
        return self if value is self.value else replace(self, value=value)

    def headers_as_bytes(self) -> bytes:
        """The headers as JSON, their values in base64, so that no byte of them is lost.

        A byte of a name that is not UTF-8 is an escaped surrogate in it; `name_as_written` gives it back.
        """
        pairs = [[name, None if value is None else b64encode(value).decode()] for name, value in self.headers]
        return json.dumps(pairs).encode()


def headers_from_bytes(headers: bytes) -> list[tuple[str, bytes | None]]:
    """What `headers_as_bytes` kept."""
    return [(name, None if value is None else b64decode(value)) for name, value in json.loads(headers)]


@dataclass(frozen=True, slots=True)
class Understood:
    """A record whose envelope is in order."""

    arrived: Arrived
    envelope: Head
    number: Number | None

    @property
    def stream(self) -> tuple[str, str]:
        """Source and subject: within one topic, what is numbered together."""
        return self.envelope.source, self.envelope.subject


@dataclass(frozen=True, slots=True)
class Quarantined:
    """A record that is kept as bytes because of this reason."""

    arrived: Arrived
    reason: str


def understand(arrived: Arrived, topic: Topic) -> Understood | Quarantined:
    """Parses a record and checks what every record of the topic must have."""
    try:
        return _understood(arrived, topic)
    except NotUnderstood as error:
        return Quarantined(arrived, error.reason)


def _is_order_id(subject: str) -> bool:
    try:
        return str(UUID(subject)) == subject
    except ValueError:
        return False


def _understood(arrived: Arrived, topic: Topic) -> Understood:
    broken = fault(arrived.value, arrived.headers)
    if broken is not None:
        raise NotUnderstood(broken)
    if arrived.value is None:
        raise NotUnderstood("the record has no value")
    if len(arrived.value) > MAX_RECORD_BYTES:
        raise NotUnderstood(f"the record has {len(arrived.value)} bytes; {MAX_RECORD_BYTES} are the most")
    envelope = read_head(arrived.value)
    if arrived.key != envelope.subject.encode():
        raise NotUnderstood("the record's key is not its subject")
    if topic.key == "order id" and not _is_order_id(envelope.subject):
        raise NotUnderstood("the subject is not an order id: a UUID in lower case")
    if not topic.sequenced:
        return Understood(arrived, envelope, None)
    number = envelope.number()
    if number is None:
        raise NotUnderstood("sequence is missing")
    return Understood(arrived, envelope, number)

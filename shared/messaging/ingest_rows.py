"""How a record becomes a row of each table that ingest writes, and when PostgreSQL will have none of it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import asyncpg

from shared.contracts.topics import Topic
from shared.messaging.cursors import Fate
from shared.messaging.intake import Arrived, Quarantined, Understood, headers_from_bytes

DATA_CLASSES = ("22", "23", "54")
"""SQLSTATE classes: data exception, integrity constraint violation, program limit exceeded."""


def concerns_data(error: Exception) -> bool:
    """Whether this error says that what was written is at fault, and not the server or the connection."""
    if isinstance(error, asyncpg.PostgresError):
        return str(error.sqlstate or "")[:2] in DATA_CLASSES
    return isinstance(error, asyncpg.DataError | UnicodeEncodeError)


@dataclass(frozen=True)
class RowOf:
    """How a record becomes a row of so many columns."""

    width: int
    make: Callable[[Any], tuple[object, ...]]

    def __call__(self, record: Understood) -> tuple[object, ...]:
        return self.make(record)


def lanes_of(wanted: Sequence[tuple[str, str]], records: Sequence[Understood]) -> list[tuple[str, str, str]]:
    """Group, subject and shop of every lane that these records wait in."""
    groups_of: dict[str, list[str]] = {}
    for type_, group in wanted:
        groups_of.setdefault(type_, []).append(group)
    lanes = {
        (group, record.envelope.subject): record.envelope.shop
        for record in records
        for group in groups_of[record.envelope.type]
    }
    return [(*lane, shop) for lane, shop in lanes.items()]


def transposed(rows: Sequence[tuple[object, ...]], width: int) -> list[list[object]]:
    """The rows as so many columns."""
    return [[row[column] for row in rows] for column in range(width)]


def columns_of(records: Sequence[Understood], row: RowOf) -> list[list[object]]:
    """The records as the columns of their rows."""
    return transposed([row(record) for record in records], row.width)


MESSAGE = RowOf(
    7,
    lambda record: (
        record.envelope.source,
        record.envelope.subject,
        record.envelope.sequence,
        record.envelope.id,
        record.envelope.type,
        record.envelope.shop,
        record.arrived.value,
    ),
)
HELD = RowOf(
    11,
    lambda record: (
        record.envelope.source,
        record.envelope.subject,
        record.number.incarnation,
        record.number.n,
        record.envelope.id,
        record.envelope.type,
        record.envelope.shop,
        record.arrived.value,
        record.arrived.partition,
        record.arrived.offset,
        record.arrived.headers_as_bytes(),
    ),
)
NUMBERED = RowOf(
    4,
    lambda record: (
        record.envelope.source,
        record.envelope.subject,
        record.number.incarnation,
        record.number.n,
    ),
)


def fact_row(record: Understood) -> tuple[object, ...]:
    """Shop, owner, type, incarnation, number and text of a fact."""
    shop, _, owner = record.envelope.subject.partition("/")
    if record.number is None:
        raise LookupError("a fact is numbered")
    body = bytes(record.arrived.value or b"").decode()
    return shop, owner, record.envelope.type, record.number.incarnation, record.number.n, body


def arrived_again(row: asyncpg.Record, topic: Topic) -> Arrived:
    """A record that was held, as it came."""
    headers = headers_from_bytes(row["headers"])
    return Arrived(topic.name, row["partition"], row["offset"], row["subject"].encode(), row["record"], headers)


def quarantine_row(record: Quarantined) -> tuple[object, ...]:
    """Where it came from, its bytes, and the reason as text that PostgreSQL can store."""
    arrived, reason = record.arrived, record.reason.replace("\x00", " ").encode("utf-8", "replace").decode()
    return arrived.partition, arrived.offset, arrived.key, arrived.value, arrived.headers_as_bytes(), reason


def reason_for(fate: Fate) -> str:
    """Why a record that was understood is not taken in."""
    if fate is Fate.CONFLICT:
        return "its number was used by another record of the same stream"
    if fate is Fate.GIVEN_UP:
        return "its number was given up: an operator accepted the gap before it came"
    return "old life: it was written before its source's database was set back"

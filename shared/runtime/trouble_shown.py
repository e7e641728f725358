"""What needs a person, as people may see it: a line of each, and one of them in full, personal data masked in both."""

import json
from base64 import b64decode
from datetime import datetime
from typing import Any, TypeVar

from pydantic import BaseModel

from shared.messaging.database import Executor
from shared.messaging.tolerant_records import name_as_written
from shared.messaging.trouble import (
    Dead,
    HeldStream,
    Item,
    ParkedKey,
    QuarantinedRecord,
    UnknownEffect,
    WaitingLane,
)
from shared.runtime.masking import masked_bytes, masked_record, masked_text

I = TypeVar("I", bound=Item)  # noqa: E741 - an item

MOST_HELD = 100
MESSAGE = "select record from message where position = $1"
FIRST_IN_LANE = """
select m.type, m.id, m.record, count(*) over () as messages from inbox i join message m on m.position = i.position
where i."group" = $1 and i.subject = $2 and i.state = 'ready' order by i.position limit 1
"""
CAUSE = """
select e.position, e.started_at, e.deadline, e.looks, m.record from effect e
left join message m on m.position = e.position where e.key = $1
"""
RECORD = 'select key, value, headers from quarantine where topic = $1 and partition = $2 and "offset" = $3'
HELD = """
select incarnation, n, id, type, at from held where topic = $1 and source = $2 and subject = $3
order by incarnation, n limit $4
"""
FIRST = "select payload, type from outbox where topic = $1 and aggregateid = $2 order by position limit 1"


class DeadInFull(Dead):
    """A dead message with all that stands in it."""

    message: Any = None


class WaitingInFull(WaitingLane):
    """A lane that is tried again, with the message that fails."""

    messages: int
    """How many wait in it, that one among them."""
    type: str | None
    message_id: str | None
    message: Any = None


class UnknownInFull(UnknownEffect):
    """An unknown effect with what made us call."""

    deadline: datetime
    """Until when the call may have been under way."""
    looks: int
    """How often the other side was asked in vain."""
    cause: Any = None
    """The message that it was called for; it is handled again when the effect is settled."""


class QuarantinedInFull(QuarantinedRecord):
    """A quarantined record with what can be shown of it."""

    key: str | None
    headers: list[tuple[str, str | None]]
    value: Any = None


class HeldRecord(BaseModel):
    """One record that waits."""

    incarnation: int
    n: int
    id: str
    type: str
    at: datetime


class HeldInFull(HeldStream):
    """A stream with the first hundred records that wait."""

    records: list[HeldRecord]


class ParkedInFull(ParkedKey):
    """A parked key with the record that the broker refuses."""

    type: str | None
    bytes: int
    record: Any = None


def shown(item: I) -> I:
    """The item with its error masked."""
    return item.model_copy(update={"error": masked_text(error)}) if (error := getattr(item, "error", "")) else item


async def dead_in_full(connection: Executor, item: Dead) -> DeadInFull:
    """The message, masked."""
    record = await connection.fetchval(MESSAGE, item.position)
    return DeadInFull(**dict(shown(item)), message=masked_record(record))


async def waiting_in_full(connection: Executor, item: WaitingLane) -> WaitingInFull:
    """The first message of the lane, masked."""
    row = await connection.fetchrow(FIRST_IN_LANE, item.group, item.order)
    return WaitingInFull(
        **dict(shown(item)),
        messages=row["messages"] if row else 0,
        type=row["type"] if row else None,
        message_id=row["id"] if row else None,
        message=masked_record(row["record"]) if row else None,
    )


async def unknown_in_full(connection: Executor, item: UnknownEffect) -> UnknownInFull:
    """The effect and its cause, masked. Raises LookupError where it is gone meanwhile."""
    row = await connection.fetchrow(CAUSE, item.key)
    if row is None:
        raise LookupError(item.key)
    cause = masked_record(row["record"])
    return UnknownInFull(**dict(shown(item)), deadline=row["deadline"], looks=row["looks"], cause=cause)


async def quarantined_in_full(connection: Executor, item: QuarantinedRecord) -> QuarantinedInFull:
    """The record, masked; of what is no document, its length. Raises LookupError where it is gone meanwhile."""
    row = await connection.fetchrow(RECORD, item.topic, item.partition, item.offset)
    if row is None:
        raise LookupError(item.id)
    headers = [(name, None if value is None else b64decode(value)) for name, value in json.loads(row["headers"])]
    return QuarantinedInFull(
        **dict(shown(item)),
        key=masked_bytes(row["key"]),
        headers=[(header_name(name), masked_bytes(value)) for name, value in headers],
        value=masked_record(row["value"]),
    )


async def held_in_full(connection: Executor, item: HeldStream) -> HeldInFull:
    """The records that wait, by number and type; what is in them is nobody's business yet."""
    rows = await connection.fetch(HELD, item.topic, item.source, item.order, MOST_HELD)
    return HeldInFull(**dict(item), records=[HeldRecord.model_validate(dict(row)) for row in rows])


async def parked_in_full(connection: Executor, item: ParkedKey) -> ParkedInFull:
    """The first record of the key, masked."""
    row = await connection.fetchrow(FIRST, item.topic, item.key)
    payload = row["payload"].encode() if row else None
    kind = row["type"] if row else None
    return ParkedInFull(**dict(shown(item)), type=kind, bytes=len(payload or b""), record=masked_record(payload))


def header_name(name: str) -> str:
    r"""A header's name; bytes of it that are no text as `\xff`."""
    return name_as_written(name).decode("utf-8", "backslashreplace")

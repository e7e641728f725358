"""What is due later becomes a message in its group's lane, and so gets its lane's order, retries and dead letters.

A timer is written in the transaction that wants it, and moved in one transaction when it is due: it rings once.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import asyncpg

from shared.contracts.message import Message, Meta, caused_by, write_record
from shared.messaging import metrics
from shared.messaging.crash_points import crash_point
from shared.messaging.database import Connection, transaction
from shared.messaging.entrance import Entering, enter
from shared.messaging.part import Periodic
from shared.messaging.wakeup import Bell

EVERY_SECONDS = 1.0
MOST = 200

SET = """
insert into timer (key, "group", subject, shop, due_at, topic, source, id, type, record)
select * from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::timestamptz[], $6::text[], $7::text[],
  $8::text[], $9::text[], $10::bytea[]) order by 1
on conflict (key) do update set due_at = excluded.due_at, id = excluded.id, type = excluded.type,
  record = excluded.record
"""
TAKE = """
delete from timer where key in (
  select key from timer where due_at <= clock_timestamp() order by due_at limit $1 for update skip locked)
returning *
"""
TOPIC = "timer"
"""Where a message says that it came from, which was on no topic."""


@dataclass(frozen=True)
class Later:
    """A message for this group at a later moment; setting the same key again moves it."""

    key: str
    message: Message
    due_at: datetime


Said = Sequence[tuple[Meta, Sequence[Message | Later]]]
"""Causes, each with what it made a handler give back."""


def parted(outcome: Sequence[Message | Later]) -> tuple[list[Message], list[Later]]:
    """What a handler gives back: messages for the outbox, and those for later."""
    messages = [each for each in outcome if isinstance(each, Message)]
    return messages, [each for each in outcome if isinstance(each, Later)]


async def set_timers(connection: Connection, source: str, group: str, said: Said) -> None:
    """Sets what is for later among what causes made a group say, in the caller's transaction; the causes are told."""
    latest = {each.key: (cause, each) for cause, outcome in said for each in parted(outcome)[1]}
    if latest:
        rows = [_row(source, group, cause, each) for _, (cause, each) in sorted(latest.items())]
        await connection.execute(SET, *(list(column) for column in zip(*rows, strict=True)))


def _row(source: str, group: str, cause: Meta, later: Later) -> tuple[object, ...]:
    message, meta = later.message, caused_by(cause, source, later.message.subject)
    record = write_record(message, meta).encode()
    return (
        later.key,
        group,
        meta.subject,
        meta.shop,
        later.due_at,
        TOPIC,
        source,
        meta.id,
        message.type,
        record,
    )


class Timers(Periodic):
    """A component: moves due timers into their lanes; any number of processes may do it at once."""

    def __init__(self, pool: asyncpg.Pool, bell: Bell, *, every: float = EVERY_SECONDS) -> None:
        super().__init__("timers", every)
        self._pool, self._bell = pool, bell

    async def turn(self) -> bool:
        """Moves what is due."""
        return await self.move() == MOST

    async def move(self) -> int:
        """Moves what is due, so many at the most; returns how many were."""
        async with transaction(self._pool) as connection:
            rows = await connection.fetch(TAKE, MOST)
            crash_point("timers.taken")
            due = sorted(rows, key=lambda row: (row["due_at"], row["key"]))
            await enter(
                connection,
                [
                    Entering(
                        row["group"],
                        row["shop"],
                        row["topic"],
                        row["source"],
                        row["subject"],
                        row["id"],
                        row["type"],
                        row["record"],
                    )
                    for row in due
                ],
            )
            crash_point("timers.moved")
        if rows:
            metrics.timers.inc(len(rows))
            self._bell.ring()
        return len(rows)

"""Promises that have no outcome in their time: counted, and told once on their order's log; an outcome ends it."""

import asyncpg
from prometheus_client import Gauge

from shared.contracts.message import Meta, new_id, now
from shared.contracts.order_log import LogEntry, PromiseOverdue
from shared.messaging.outbox import Outbox
from shared.messaging.part import Periodic
from shared.runtime.database import Pool, transaction

EVERY = 5.0
AT_ONCE = 100

# A row that somebody holds is just being told of.
TAKE = """
update promise p set overdue = true from (
  select order_id, cause, what from promise
  where state in ('expected', 'waiting') and not overdue and due_at < clock_timestamp()
  order by due_at limit $1 for update skip locked
) late where (p.order_id, p.cause, p.what) = (late.order_id, late.cause, late.what)
returning p.order_id, p.shop, p.what, p.by, p.event_id, p.due_at
"""
COUNT = """
select count(*) filter (where state = 'unknown') as unknown, count(*) filter (where state <> 'unknown') as overdue
from promise where state = 'unknown' or (state in ('expected', 'waiting') and overdue)
"""

in_trouble = Gauge("orders_promises", "Promises that are overdue, or whose outcome nobody knows.", ["state"])


class Overdue(Periodic):
    """A component: marks what has become overdue, tells of it, and keeps the gauge true to a few seconds."""

    def __init__(self, pool: Pool, outbox: Outbox, *, every: float = EVERY, at_once: int = AT_ONCE) -> None:
        super().__init__("overdue", every)
        self._pool, self._outbox, self._at_once = pool, outbox, at_once

    async def turn(self) -> bool:
        """Takes some; whether there may be more."""
        async with transaction(self._pool) as connection:
            rows = await connection.fetch(TAKE, self._at_once)
            if rows:
                await self._outbox.append(connection, [(self._cause(row), [entry_of(row)]) for row in rows])
            counts = await connection.fetchrow(COUNT)
        if rows:
            self._outbox.committed()
        if counts is not None:
            for state, count in counts.items():
                in_trouble.labels(state).set(count)
        return len(rows) == self._at_once

    def _cause(self, row: asyncpg.Record) -> Meta:
        return Meta(
            id=row["event_id"],
            source=self._outbox.source,
            subject=str(row["order_id"]),
            shop=row["shop"],
            actor="orders",
            time=now(),
            correlationid=new_id(),
        )


def entry_of(row: asyncpg.Record) -> LogEntry:
    """What the order's log says of it."""
    return PromiseOverdue(
        order_id=row["order_id"],
        outcome="waiting",
        summary="promise.overdue",
        parameters={"promise": row["what"], "by": row["by"]},
        promise=row["what"],
        by=row["by"],
        event_id=row["event_id"],
        due_at=row["due_at"],
    )

"""Looks after what nobody else does: lanes that sleep over a message, rows that have had their time."""

import time

import asyncpg
import structlog

from shared.contracts.topics import DAY_MS, ORDERS_COMMANDS
from shared.messaging import metrics
from shared.messaging.database import transaction
from shared.messaging.part import Periodic
from shared.messaging.wakeup import Bell

EVERY_SECONDS = 5.0
BATCH = 5_000
BEGINNING = ("", "", 0)

WAKE = """
with looked_at as materialized (
  select "group", subject, position from inbox
  where state = 'ready' and ("group", subject, position) > ($1, $2, $3) order by 1, 2, 3 limit $4),
found as (
  select distinct "group", subject from looked_at
  where position <= (select max(position) from message where at < now() - interval '3 s')),
asleep as (
  select l."group", l.subject from found f join lane l using ("group", subject) where l.state = 'idle'
  order by 1, 2 for update of l skip locked),
woken as (
  update lane l set state = 'ready', wake = l.wake + 1, due = clock_timestamp() from asleep a
  where l."group" = a."group" and l.subject = a.subject returning 1)
select (select count(*) from woken) as woken, (select count(*) from looked_at) as looked_at, last.*
from (select "group", subject, position from looked_at order by 1 desc, 2 desc, 3 desc limit 1) last
"""
"""Some of the inbox at a time, from where the last turn ended: what is not asleep costs little, however much waits."""
FIND_MESSAGES = """
select m.position from message m where not exists (select from inbox i where i.position = m.position)
  and not exists (select from effect e where e.position = m.position and e.state in ('planned', 'started', 'unknown'))
order by m.position limit $1
"""
SIDE_BY_SIDE = "set local enable_mergejoin = on; set local enable_nestloop = off; set local enable_hashjoin = off"
"""The keys of the tables are walked through together: those that stay, for a dead message, cost next to nothing."""
FORGET_MESSAGES = """
delete from message m where m.position = any($1::bigint[])
  and not exists (select from inbox i where i.position = m.position)
  and not exists (select from effect e where e.position = m.position and e.state in ('planned', 'started', 'unknown'))
"""
FORGET_LANES = """
delete from lane where ("group", subject) in (
  select "group", subject from lane where state = 'idle' and touched < now() - interval '7 days'
  order by 1, 2 limit $1 for update skip locked)
"""
FORGET_SEEN = """
delete from seen where ctid in (select ctid from seen where at < now() - make_interval(days => $2) limit $1)
"""
FORGET_PASSED = "delete from passed where at < now() - interval '14 days'"
SEEN_DAYS = 2 * ORDERS_COMMANDS.retention_ms // DAY_MS
RARELY_SECONDS = 600.0

log = structlog.get_logger(__name__)


class Sweeper(Periodic):
    """A component: every five seconds; what it has to wake, a correct kit would have woken."""

    def __init__(self, pool: asyncpg.Pool, bell: Bell, *, every: float = EVERY_SECONDS) -> None:
        super().__init__("sweeper", every)
        self._pool, self._bell = pool, bell
        self._rarely_at = 0.0
        self._after = BEGINNING

    async def turn(self) -> bool:
        """Sweeps."""
        await self.sweep()
        return False

    async def sweep(self) -> None:
        """Wakes what sleeps over a message, and forgets what has had its time."""
        woken = await self._wake()
        if woken:
            metrics.swept.inc(woken)
            log.error("idle lanes with ready messages were found", lanes=woken)
            self._bell.ring()
        while await self._forget_messages() == BATCH:
            self._tick = time.monotonic()
        if time.monotonic() >= self._rarely_at:
            self._rarely_at = time.monotonic() + RARELY_SECONDS
            await self._forget(FORGET_LANES, BATCH)
            await self._forget(FORGET_SEEN, BATCH, SEEN_DAYS)
            await self._pool.execute(FORGET_PASSED)

    async def _forget(self, some: str, *arguments: int) -> None:
        while _count(await self._pool.execute(some, *arguments)) == BATCH:
            self._tick = time.monotonic()

    async def _wake(self) -> int:
        row = await self._pool.fetchrow(WAKE, *self._after, BATCH)
        self._after = BEGINNING
        if row is None:
            return 0
        if row["looked_at"] == BATCH:
            self._after = (row["group"], row["subject"], row["position"])
        return int(row["woken"])

    async def _forget_messages(self) -> int:
        async with transaction(self._pool) as connection:
            await connection.execute(SIDE_BY_SIDE)
            found = [row["position"] for row in await connection.fetch(FIND_MESSAGES, BATCH)]
        if found:
            await self._pool.execute(FORGET_MESSAGES, found)
        return len(found)


def _count(status: str) -> int:
    return int(status.rsplit(" ", 1)[1])

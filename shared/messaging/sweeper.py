"""Looks after what nobody else does: lanes that sleep over a message, rows that have had their time."""

import asyncio
import time

import asyncpg
import structlog

from shared.contracts.topics import DAY_MS, ORDERS_COMMANDS
from shared.messaging import metrics
from shared.messaging.database import DATABASE_ERRORS
from shared.messaging.part import Part
from shared.messaging.wakeup import Bell, pause

EVERY_SECONDS = 5.0
BATCH = 5_000

WAKE = """
with found as materialized (
  select l."group", l.subject from lane l where l.state = 'idle' and exists (
    select from inbox i where i."group" = l."group" and i.subject = l.subject and i.state = 'ready'
      and i.position <= (select max(position) from message where at < now() - interval '3 s'))),
asleep as (
  select l."group", l.subject from found f join lane l using ("group", subject) where l.state = 'idle'
  order by 1, 2 limit 1000 for update of l skip locked)
update lane l set state = 'ready', wake = l.wake + 1, due = clock_timestamp() from asleep a
where l."group" = a."group" and l.subject = a.subject
"""
FORGET_MESSAGES = """
delete from message where position in (
  select m.position from message m where not exists (select from inbox i where i.position = m.position)
    and not exists (
      select from effect e where e.position = m.position and e.state in ('planned', 'started', 'unknown'))
  order by m.position limit $1)
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


class Sweeper(Part):
    """A component: every five seconds; what it has to wake, a correct kit would have woken."""

    def __init__(self, pool: asyncpg.Pool, bell: Bell, *, every: float = EVERY_SECONDS) -> None:
        super().__init__("sweeper", problem=None)
        self._pool, self._bell, self._every = pool, bell, every
        self._rarely_at = 0.0

    async def run(self, stopping: asyncio.Event) -> None:
        """Sweeps until `stopping`; a lost database is only logged, the next turn tries again."""
        while not stopping.is_set():
            self._tick = time.monotonic()
            try:
                await self.sweep()
            except DATABASE_ERRORS as error:
                log.warning("sweeper interrupted", error=str(error))
            await pause(self._every, stopping)

    async def sweep(self) -> None:
        """One turn."""
        woken = _count(await self._pool.execute(WAKE))
        if woken:
            metrics.swept.inc(woken)
            log.error("idle lanes with ready messages were found", lanes=woken)
            self._bell.ring()
        while _count(await self._pool.execute(FORGET_MESSAGES, BATCH)) == BATCH:
            self._tick = time.monotonic()
        if time.monotonic() >= self._rarely_at:
            self._rarely_at = time.monotonic() + RARELY_SECONDS
            await self._pool.execute(FORGET_LANES, BATCH)
            await self._pool.execute(FORGET_SEEN, BATCH, SEEN_DAYS)
            await self._pool.execute(FORGET_PASSED)


def _count(status: str) -> int:
    return int(status.rsplit(" ", 1)[1])

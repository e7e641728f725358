"""Reads every few seconds what operators watch; the numbers are the whole service's, not one process's."""

import asyncio
import time

import asyncpg
import structlog
from prometheus_client import Gauge

from shared.messaging import metrics
from shared.messaging.database import DATABASE_ERRORS
from shared.messaging.part import Part
from shared.messaging.wakeup import pause

EVERY_SECONDS = 5.0

COUNTS = """
select (select count(*) from outbox) as outbox,
  coalesce(extract(epoch from clock_timestamp() - (select min(created_at) from outbox)), 0)::float8 as outbox_age,
  (select count(*) from quarantine) as quarantine, (select count(*) from parked) as parked,
  (select count(*) from held) as held, (select count(*) from passed) as passed,
  coalesce(extract(epoch from clock_timestamp() - (select min(at) from held)), 0)::float8 as held_age
"""
LANES = """select "group", state, count(*) from lane group by 1, 2"""
INBOX = """select "group", state, count(*) from inbox group by 1, 2"""
EFFECTS = "select state, count(*) from effect where state in ('planned', 'started', 'unknown') group by 1"

log = structlog.get_logger(__name__)


class Gauges(Part):
    """A component: keeps the gauges of `metrics` true to a few seconds, and the age of the outbox for the API."""

    def __init__(self, pool: asyncpg.Pool, *, every: float = EVERY_SECONDS) -> None:
        super().__init__("gauges", problem=None)
        self.outbox_age = 0.0
        """Seconds that the oldest row of the outbox has waited, as last read."""
        self._pool, self._every = pool, every

    async def run(self, stopping: asyncio.Event) -> None:
        """Reads until `stopping`."""
        while not stopping.is_set():
            self._tick = time.monotonic()
            try:
                await self.read()
            except DATABASE_ERRORS as error:
                log.warning("gauges not read", error=str(error))
            await pause(self._every, stopping)

    async def read(self) -> None:
        """One turn."""
        row = await self._pool.fetchrow(COUNTS)
        if row is not None:
            self.outbox_age = row["outbox_age"]
            metrics.outbox_rows.set(row["outbox"])
            metrics.outbox_age_seconds.set(row["outbox_age"])
            metrics.quarantined.set(row["quarantine"])
            metrics.parked_keys.set(row["parked"])
            metrics.held_rows.set(row["held"])
            metrics.held_age_seconds.set(row["held_age"])
            metrics.passed_rows.set(row["passed"])
        await self._set(metrics.lanes, LANES)
        await self._set(metrics.inbox_rows, INBOX)
        await self._set(metrics.effects_open, EFFECTS)

    async def _set(self, gauge: Gauge, query: str) -> None:
        rows = await self._pool.fetch(query)
        gauge.clear()
        for *labels, count in (tuple(row) for row in rows):
            gauge.labels(*labels).set(count)

"""Reads every few seconds what operators watch; the numbers are the whole service's, not one process's."""

import asyncpg
import structlog
from prometheus_client import Gauge

from shared.messaging import metrics
from shared.messaging.part import Periodic

EVERY_SECONDS = 5.0
OLD_SNAPSHOT_SECONDS = 60.0

COUNTS = """
select (select count(*) from outbox) as outbox,
  coalesce(extract(epoch from clock_timestamp() - (select min(created_at) from outbox)), 0)::float8 as outbox_age,
  (select count(*) from quarantine) as quarantine, (select count(*) from parked) as parked,
  (select count(*) from held) as held, (select count(*) from passed) as passed,
  coalesce(extract(epoch from clock_timestamp() - (select min(at) from held)), 0)::float8 as held_age,
  coalesce((select max(extract(epoch from clock_timestamp() - xact_start)) from pg_stat_activity
    where backend_xmin is not null and datname = current_database()), 0)::float8 as snapshot_age
"""
LANES = """
select "group", state, count(*) from lane where due is not null group by 1, 2
union all
select "group", 'blocked', count(*) from lane where state = 'blocked' group by 1
"""
"""Idle ones are not counted: there is one for every order of the last week."""
INBOX = """
select "group", 'ready', count(*) from inbox where state = 'ready' group by 1
union all
select "group", 'dead', count(*) from inbox where state = 'dead' group by 1
"""
"""By their own keys each: what is dead stays for long, with its error."""
EFFECTS = "select state, count(*) from effect where state in ('planned', 'started', 'unknown') group by 1"

log = structlog.get_logger(__name__)


class Gauges(Periodic):
    """A component: keeps the gauges of `metrics` true to a few seconds, and the age of the outbox for the API."""

    def __init__(self, pool: asyncpg.Pool, *, every: float = EVERY_SECONDS) -> None:
        super().__init__("gauges", every)
        self.outbox_age = 0.0
        """Seconds that the oldest row of the outbox has waited, as last read."""
        self._pool = pool
        self._old_snapshot = False

    async def turn(self) -> bool:
        """Reads."""
        await self.read()
        return False

    async def read(self) -> None:
        """Reads what the gauges show."""
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
            self._see_snapshots(row["snapshot_age"])
        await self._set(metrics.lanes, LANES)
        await self._set(metrics.inbox_rows, INBOX)
        await self._set(metrics.effects_open, EFFECTS)

    def _see_snapshots(self, age: float) -> None:
        """While somebody looks at an old state of the database, no dead row of a newer one can be cleaned away."""
        metrics.snapshot_age_seconds.set(age)
        if (age > OLD_SNAPSHOT_SECONDS) != self._old_snapshot:
            self._old_snapshot = not self._old_snapshot
            log.warning(
                "an old snapshot keeps dead rows" if self._old_snapshot else "the old snapshot is gone", age=age
            )

    async def _set(self, gauge: Gauge, query: str) -> None:
        rows = await self._pool.fetch(query)
        gauge.clear()
        for *labels, count in (tuple(row) for row in rows):
            gauge.labels(*labels).set(count)

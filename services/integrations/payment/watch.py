"""How many payments wait for an order, as operators watch it; those that only just came are on their way."""

from prometheus_client import Gauge

from shared.messaging.part import Periodic
from shared.runtime.database import Pool, connected

EVERY = 5.0
COUNT = """
select count(*) filter (where late) as late, count(*) filter (where not late) as new
from (select first_heard_at < clock_timestamp() - make_interval(secs => $1) as late
      from unmatched_payment where state = 'open') each
"""

waiting = Gauge("integrations_unmatched_payments", "Payments that no order here has, open, by how long.", ["waiting"])


class Watch(Periodic):
    """A component: keeps the gauge true to a few seconds."""

    def __init__(self, pool: Pool, *, late_after: float, every: float = EVERY) -> None:
        super().__init__("unmatched payments", every)
        self._pool, self._late_after = pool, late_after

    async def turn(self) -> bool:
        """Counts."""
        async with connected(self._pool) as connection:
            counts = await connection.fetchrow(COUNT, self._late_after)
        if counts is not None:
            for word, count in counts.items():
                waiting.labels(word).set(count)
        return False

"""Which due lanes a worker takes: the oldest; of every shop some, where there are many; a suspect alone.

A lane whose lease ran out twice in a row may have ended its process: it is worked while the process holds no other,
so that it can take nobody with it, and after the third time its message is given up.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from shared.messaging import lanes
from shared.messaging.crash_points import crash_point
from shared.messaging.database import Executor
from shared.messaging.lanes import DUE, Lane

CRASHES_DEAD = 3
CRASHED = "it ended its process three times in a row"
FULL_EVERY = 1.0
"""Seconds between two claims that look at everything that is due, also at what has been for long."""
PER_SHOP = 5

RECENT = DUE.format(further="and due > now() - interval '2 s'")
"""Passes over the dead index entries of what was due before."""
FAIR = """
with recursive shops as (
  (select shop from lane where "group" = $4 and shop > $5 and due is not null order by shop limit 1)
  union all
  select (
    select l.shop from lane l where l."group" = $4 and l.shop > s.shop and l.due is not null order by l.shop limit 1)
  from shops s where s.shop is not null)
select l."group", l.subject, l.state from shops s cross join lateral (
  select "group", subject, state from lane
  where "group" = $4 and shop = s.shop and due <= now() and crashes + (state = 'leased')::int < 2
  order by due limit $6 for update skip locked) l
where s.shop is not null limit $3
"""
SUSPECTS = """
select exists (
  select from lane where "group" = $1 and due <= now() and crashes > 0 and crashes + (state = 'leased')::int >= 2)
"""
SUSPECT = """
select "group", subject, state from lane
where "group" = $4 and due <= now() and crashes > 0 and crashes + (state = 'leased')::int >= 2
order by due limit $3 for update skip locked
"""


class Hands:
    """How many lanes this process holds, over all its workers."""

    def __init__(self) -> None:
        self.reserved = False
        """Whether somebody works alone, or waits to: nothing more may be taken."""
        self._held = 0
        self._empty = asyncio.Event()
        self._empty.set()

    def take(self, count: int) -> None:
        """So many lanes were claimed."""
        self._held += count
        if self._held:
            self._empty.clear()

    def give(self, count: int) -> None:
        """So many lanes were finished or given back."""
        self._held -= count
        if not self._held:
            self._empty.set()

    @asynccontextmanager
    async def alone(self, turn: Callable[[], None]) -> AsyncIterator[None]:
        """The block begins when nothing is held, and nothing else is taken before its end; `reserved` must be False.

        `turn` is called every second meanwhile.
        """
        self.reserved = True
        try:
            while not self._empty.is_set():
                turn()
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._empty.wait(), 1.0)
            yield
        finally:
            self.reserved = False


class Claims:
    """Claims one group's lanes, for one worker."""

    def __init__(self, group: str, hands: Hands, lease_seconds: float = lanes.LEASE_SECONDS) -> None:
        self.group, self._hands, self._lease = group, hands, lease_seconds
        self._full_at = self._suspects_at = 0.0
        self._crowded = False
        self._after_shop = ""

    async def next(self, connection: Executor, limit: int) -> list[Lane]:
        """Up to so many due lanes, read; where more were due than could be taken, the shops take turns."""
        if limit <= 0 or self._hands.reserved:
            return []
        self._hands.take(limit)  # before the claim, so that nobody is alone meanwhile
        kept = 0
        try:
            claimed = await (self._fair(connection, limit) if self._crowded else self._oldest(connection, limit))
            if claimed:
                crash_point("lanes.claimed")
                await lanes.read(connection, claimed)
                crash_point("lanes.read")
            kept = len(claimed)
        finally:
            self._hands.give(limit - kept)
        return claimed

    async def _oldest(self, connection: Executor, limit: int) -> list[Lane]:
        full = time.monotonic() >= self._full_at
        candidates = DUE.format(further="") if full else RECENT
        claimed = await lanes.claim(connection, self.group, limit, self._lease, candidates=candidates)
        if full:
            self._full_at = time.monotonic() + FULL_EVERY
            self._crowded = len(claimed) == limit
        elif len(claimed) == limit:
            self._full_at = 0.0
        return claimed

    async def _fair(self, connection: Executor, limit: int) -> list[Lane]:
        """Of every shop some, and the oldest beside them: where the crowd is one shop's, it has all the rest."""
        after = self._after_shop
        claimed = await lanes.claim(connection, self.group, limit, self._lease, after, PER_SHOP, candidates=FAIR)
        self._after_shop = max(lane.shop for lane in claimed) if len(claimed) == limit else ""
        if len(claimed) < limit:
            claimed += await lanes.claim(connection, self.group, limit - len(claimed), self._lease)
        self._crowded = len(claimed) == limit
        return claimed

    @asynccontextmanager
    async def suspect(self, connection: Executor, turn: Callable[[], None]) -> AsyncIterator[Lane | None]:
        """A lane that may end its process, read, while the process holds no other; looked for once a second.

        `turn` is called every second while the others are waited for.
        """
        if not await self._suspects(connection):
            yield None
            return
        async with self._hands.alone(turn):
            claimed = await lanes.claim(connection, self.group, 1, self._lease, candidates=SUSPECT)
            if claimed:
                await lanes.read(connection, claimed)
            yield claimed[0] if claimed else None

    async def _suspects(self, connection: Executor) -> bool:
        if self._hands.reserved or time.monotonic() < self._suspects_at:
            return False
        self._suspects_at = time.monotonic() + FULL_EVERY
        return bool(await connection.fetchval(SUSPECTS, self.group)) and not self._hands.reserved

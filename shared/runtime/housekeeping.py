"""What a process forgets when its time is over, so that no table grows for ever."""

import asyncio
import time

import structlog

from shared.messaging.wakeup import pause
from shared.runtime.database import CANNOT_CONNECT, DatabaseAway, Pool, connected
from shared.runtime.idempotency import forget_old

EVERY = 600.0
"""Seconds."""
TURN = 5.0

log = structlog.stdlib.get_logger(__name__)


class Housekeeping:
    """A component: forgets answers kept for idempotency keys when they are a week old."""

    def __init__(self, pool: Pool, *, every: float = EVERY) -> None:
        self.name = "housekeeping"
        self._pool, self._every = pool, every
        self._tick = time.monotonic()

    def last_tick(self) -> float:
        """Give the `time.monotonic()` of the last turn."""
        return self._tick

    def problem(self) -> str | None:
        """Nothing here keeps a process from working."""
        return None

    async def run(self, stopping: asyncio.Event) -> None:
        """Forget at once and then every ten minutes, until `stopping`."""
        due = 0.0
        while not stopping.is_set():
            self._tick = time.monotonic()
            if self._tick >= due:
                due = self._tick + self._every
                await self._forget()
            await pause(TURN, stopping)

    async def _forget(self) -> None:
        try:
            async with connected(self._pool) as connection:
                await forget_old(connection)
        except (*CANNOT_CONNECT, DatabaseAway) as error:
            log.warning("nothing forgotten this time", error=str(error))

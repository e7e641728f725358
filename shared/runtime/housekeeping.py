"""What a process forgets when its time is over, so that no table grows for ever."""

import asyncio
import time

import structlog

from shared.messaging.database import DATABASE_ERRORS
from shared.messaging.part import Part
from shared.messaging.wakeup import pause
from shared.runtime.database import DatabaseAway, Pool, connected
from shared.runtime.idempotency import forget_old

EVERY = 600.0
"""Seconds."""
TURN = 5.0

log = structlog.stdlib.get_logger(__name__)


class Housekeeping(Part):
    """A component: forgets answers kept for idempotency keys when they are a week old."""

    def __init__(self, pool: Pool, *, every: float = EVERY) -> None:
        super().__init__("housekeeping", problem=None)
        self._pool, self._every = pool, every

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
        except (*DATABASE_ERRORS, DatabaseAway) as error:
            log.warning("nothing forgotten this time", error=str(error))

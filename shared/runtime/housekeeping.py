"""What a process forgets when its time is over, so that no table grows for ever."""

import asyncio
import time
from collections.abc import Sequence

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
    """A component: forgets answers kept for idempotency keys when they are a week old.

    `also` are statements that forget what the service itself keeps for a time.
    """

    def __init__(self, pool: Pool, *, every: float = EVERY, also: Sequence[str] = ()) -> None:
        super().__init__("housekeeping", problem=None)
        self._pool, self._every, self._also = pool, every, also

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
                for statement in self._also:
                    await connection.execute(statement)
        except (*DATABASE_ERRORS, DatabaseAway) as error:
            log.warning("nothing forgotten this time", error=str(error))

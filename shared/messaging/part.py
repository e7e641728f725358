"""What all parts of a process have in common: a name, a pulse, and an honest word on whether they are ready."""

import asyncio
import time

import structlog

from shared.messaging.database import DATABASE_ERRORS, OutcomeUnknown
from shared.messaging.wakeup import pause

log = structlog.get_logger(__name__)

MIN_BACK_OFF, MAX_BACK_OFF = 0.1, 5.0
"""Seconds between two tries to reach a server."""


class Part:
    """The base of a component: it sets `_tick` at each turn of its loop, and `_problem` while it cannot work."""

    def __init__(self, name: str, problem: str | None = "it has not started") -> None:
        self.name = name
        self._tick = time.monotonic()
        self._problem = problem
        self._back_off = MIN_BACK_OFF

    def last_tick(self) -> float:
        """The `time.monotonic()` of the last turn."""
        return self._tick

    def problem(self) -> str | None:
        """None when ready, else one sentence why not."""
        return self._problem

    async def _wait_for_server(self, stopping: asyncio.Event, problem: str) -> None:
        """Says what is wrong and waits, longer each time, until `_reached`."""
        self._problem = problem[:300]
        self._tick = time.monotonic()
        await pause(self._back_off, stopping)
        self._back_off = min(self._back_off * 2, MAX_BACK_OFF)

    def _reached(self) -> None:
        self._problem = None
        self._back_off = MIN_BACK_OFF


class Periodic(Part):
    """A part that takes a turn now and then; one that a database keeps from it is logged, and the next tries again."""

    def __init__(self, name: str, every: float) -> None:
        """`every`: seconds between two turns."""
        super().__init__(name, problem=None)
        self._every = every

    async def run(self, stopping: asyncio.Event) -> None:
        """Takes turns until `stopping`, one right after the other while there is more to do."""
        while not stopping.is_set():
            self._tick = time.monotonic()
            more = False
            try:
                more = await self.turn()
            except (*DATABASE_ERRORS, OutcomeUnknown) as error:
                log.warning("interrupted", part=self.name, error=str(error))
            if not more:
                await pause(self._every, stopping)

    async def turn(self) -> bool:
        """One turn; whether the next shall follow at once."""
        raise NotImplementedError

"""Nobody works on a database that was set back, until its new incarnation says that what it remembers is old."""

import asyncio
import time
from typing import Protocol

import asyncpg
import structlog
from aiokafka.errors import KafkaError

from shared.messaging.database import DATABASE_ERRORS
from shared.messaging.part import Part
from shared.messaging.relay_consent import LOOK_AGAIN_SECONDS, Consent
from shared.messaging.wakeup import pause

TURN_SECONDS = 5.0

log = structlog.get_logger(__name__)


class AskConsent(Part):
    """A component: asks until the process has consent, and tells where it is refused; Kafka may be away meanwhile."""

    def __init__(self, consent: Consent, pool: asyncpg.Pool) -> None:
        super().__init__("consent", problem=None)
        self._consent, self._pool = consent, pool

    def problem(self) -> str | None:
        return self._consent.refused or None

    async def run(self, stopping: asyncio.Event) -> None:
        """Asks until it is given, then only shows that it lives."""
        while not stopping.is_set():
            self._tick = time.monotonic()
            if not self._consent.given.is_set():
                await self._ask()
            await pause(TURN_SECONDS if self._consent.given.is_set() else self._back_off, stopping)

    async def _ask(self) -> None:
        try:
            async with self._pool.acquire() as connection:
                await self._consent.ask(connection)
        except (*DATABASE_ERRORS, KafkaError) as error:
            log.warning("the topics cannot be compared with the database yet", error=str(error))
            self._back_off = min(self._back_off * 2, LOOK_AGAIN_SECONDS)
        else:
            self._back_off = LOOK_AGAIN_SECONDS


class Works(Protocol):
    """A component, as far as it is kept waiting."""

    name: str

    async def run(self, stopping: asyncio.Event) -> None: ...

    def last_tick(self) -> float: ...

    def problem(self) -> str | None: ...


class AfterConsent:
    """A component that begins when the process has consent."""

    def __init__(self, component: Works, consent: Consent) -> None:
        self.name = component.name
        self._component, self._consent = component, consent
        self._tick = time.monotonic()

    def last_tick(self) -> float:
        """The component's own once it has begun."""
        return max(self._tick, self._component.last_tick())

    def problem(self) -> str | None:
        """The component's own once it has begun."""
        if self._consent.given.is_set():
            return self._component.problem()
        return self._consent.refused or "the topics have not been compared with the database yet"

    async def run(self, stopping: asyncio.Event) -> None:
        """Waits, then runs the component."""
        given = asyncio.create_task(self._consent.given.wait())
        stopped = asyncio.create_task(stopping.wait())
        try:
            while not (given.done() or stopped.done()):
                self._tick = time.monotonic()
                await asyncio.wait([given, stopped], timeout=TURN_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        finally:
            given.cancel()
            stopped.cancel()
        if not stopping.is_set():
            await self._component.run(stopping)

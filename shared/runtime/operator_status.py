"""How a service stands, as operators see it by HTTP: its database's numbers, what is unread, and the process asked."""

import asyncio
import time
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field

from aiokafka.errors import KafkaError
from fastapi import FastAPI

from shared.messaging.behind import Place, places, taken
from shared.messaging.database import Connection
from shared.messaging.pressure import Pressure
from shared.messaging.relay_consent import Consent
from shared.messaging.standing import Asked, Held, Lanes, Life, Outbox, Part, Standing, read_standing
from shared.runtime.database import Pool, connected
from shared.runtime.health import Health
from shared.runtime.operator_sections import AT

KEEP_SECONDS = 2.0
ANSWER_WITHIN = 3.0
"""Seconds that Kafka may take; without its answer the other numbers stand."""


class Reading(Part):
    """How far a topic is read, by the offsets that count: those in the service's own database."""

    topic: str
    group: str
    """What Kafka's tools call whoever reads it."""
    unread: int
    lost: int
    """Records that were deleted before they were read; see `ops accept-truncated`."""


class Process(Part):
    """The process that answers: what `/readyz` says there, and whether it may work at all."""

    ready: bool
    reasons: dict[str, str]
    """Why it is not ready, by part."""
    consent: bool
    """Whether the database was found to know all that the service has said; until then nothing is done."""
    refused: str
    """Why not, where the database was set back; else empty."""
    held_back: str
    """Why nothing more is read until workers have caught up; else empty."""


class Status(Standing):
    """How a service stands."""

    service: str
    version: str
    process: Process
    topics: list[Reading] | None
    """None where Kafka gives no answer."""


@dataclass
class Lag:
    """How much is unread, asked of Kafka every two seconds at most, whoever asks."""

    service: str
    kafka: str
    prefix: str = ""
    _read: list[Reading] | None = None
    _until: float = 0.0
    _asking: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def read(self, next_ones: Mapping[tuple[str, int], int]) -> list[Reading] | None:
        """What is behind these offsets, by topic; None where Kafka gives no answer in time."""
        async with self._asking:
            if time.monotonic() > self._until:
                self._read = await self._ask(next_ones)
                self._until = time.monotonic() + KEEP_SECONDS
        return self._read

    async def _ask(self, next_ones: Mapping[tuple[str, int], int]) -> list[Reading] | None:
        wanted = [(self.service, *key, following) for key, following in next_ones.items()]
        try:
            async with asyncio.timeout(ANSWER_WITHIN):
                return self._by_topic(await places(self.kafka, self.prefix, wanted)) if wanted else []
        except (KafkaError, OSError, TimeoutError):
            return None

    def _by_topic(self, found: list[Place]) -> list[Reading]:
        by_topic: defaultdict[str, list[Place]] = defaultdict(list)
        for place in found:
            by_topic[place.topic].append(place)
        return [
            Reading(
                topic=topic,
                group=f"{self.service}.{topic}",
                unread=sum(place.unread for place in mine),
                lost=sum(place.lost for place in mine),
            )
            for topic, mine in sorted(by_topic.items())
        ]


@dataclass
class Stands:
    """What of a process and its Kafka says how the service stands."""

    lag: Lag
    consent: Consent | None = None
    pressure: Pressure | None = None

    async def process(self, health: Health | None) -> Process:
        """The process itself."""
        verdict = await health.ready() if health is not None else None
        reasons = {name: why for name, why in verdict.checks.items() if why} if verdict else {}
        return Process(
            ready=not reasons,
            reasons=reasons,
            consent=self.consent is None or (self.consent.given.is_set() and not self.consent.refused),
            refused=self.consent.refused if self.consent else "",
            held_back=(self.pressure.reason or "") if self.pressure else "",
        )


async def status_of(app: FastAPI) -> Status:
    """How the service stands now. Raises what the database raises."""
    stands: Stands = app.state.stands
    process, (standing, topics) = await asyncio.gather(
        stands.process(getattr(app.state, "health", None)), numbers_and_lag(app.state.pool, stands.lag)
    )
    return Status(**dict(standing), service=stands.lag.service, version=app.version, process=process, topics=topics)


async def numbers_and_lag(pool: Pool, lag: Lag) -> tuple[Standing, list[Reading] | None]:
    """What the database says, and what Kafka has that it does not."""
    async with connected(pool) as connection:
        standing, next_ones = await numbers(connection)
    return standing, await lag.read(next_ones)


async def numbers(connection: Connection) -> tuple[Standing, dict[tuple[str, int], int]]:
    """What the database says, all of the same moment."""
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        return await read_standing(connection), await taken(connection)


EXAMPLE = Status(
    service="notifications",
    version="1",
    process=Process(
        ready=False,
        reasons={"relay": "Kafka cannot be reached"},
        consent=True,
        refused="",
        held_back="",
    ),
    topics=[Reading(topic="orders.events", group="notifications.orders.events", unread=12, lost=0)],
    life=Life(incarnation=1795525200, since=AT, previous=1790000000, restored=True),
    outbox=Outbox(rows=3, oldest_seconds=75.2, relay=True),
    groups=[Lanes(group="notifications", ready=2, waiting=1, blocked=1, messages=5, dead=1)],
    dead=1,
    waiting=1,
    unknown=0,
    calls=1,
    quarantined=0,
    parked=0,
    held=Held(records=0, oldest_seconds=0.0),
    passed=0,
    asked=Asked(count=0, oldest_seconds=0.0),
    snapshot_seconds=0.2,
)

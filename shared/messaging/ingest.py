"""Ingest is never blocked by what a record contains, and never goes past a gap in silence."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import asyncpg
import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.errors import ConsumerStoppedError, KafkaError
from faststream import AckPolicy
from faststream.kafka import KafkaBroker
from faststream.kafka.message import KafkaMessage

from shared.contracts.topics import Topic
from shared.messaging import metrics
from shared.messaging.crash_points import crash_point
from shared.messaging.database import DATABASE_ERRORS
from shared.messaging.failures import Failure, attempt
from shared.messaging.groups import Group
from shared.messaging.ingest_store import IngestStore
from shared.messaging.intake import Arrived
from shared.messaging.offsets import Offsets
from shared.messaging.outbox import Outbox
from shared.messaging.part import MAX_BACK_OFF, MIN_BACK_OFF, Part
from shared.messaging.pressure import Pressure
from shared.messaging.tolerant_records import read_tolerantly
from shared.messaging.wakeup import Bell, pause

MAX_RECORDS = 500
COMMIT_SECONDS = 0.2
WATCH_SECONDS = 2.0
UNREADABLE_SECONDS = 20.0
"""For so long a failure to read is told; FastStream tries again after five seconds, or fifteen."""
IDLE_MS = 250
"""For so long a subscriber waits when there is nothing; what arrives meanwhile ends the wait at once.

Ten milliseconds, asked for again and again, took half of what the idle stack takes in all.
"""
SESSION_SECONDS = 30.0
"""For so long a static member may be away before its partitions move; started again, it has them at once."""

log = structlog.get_logger(__name__)
FASTSTREAM_LOG = logging.getLogger("faststream.ingest")
FASTSTREAM_LOG.setLevel(logging.ERROR)


class StrayCancellation(Exception):
    """Something that was waited for was cancelled, and not we."""


async def _raw(message: Sequence[ConsumerRecord]) -> KafkaMessage:
    # FastStream's own parser decodes headers as text, which null and binary ones are not.
    return KafkaMessage(body=b"", raw_message=tuple(message), headers={}, batch_headers=[], consumer=None)  # type: ignore[arg-type]


async def _records(message: Any) -> Any:
    return message.raw_message


class Ingest(Part):
    """A component: one batch subscriber for one topic of a service, writing to the inbox of its groups."""

    def __init__(
        self,
        pool: asyncpg.Pool,
        kafka: str,
        topic: Topic,
        groups: Sequence[Group],
        bell: Bell,
        *,
        service: str,
        instance: int = 0,
        prefix: str = "",
        session_seconds: float = SESSION_SECONDS,
        outbox: Outbox | None = None,
        pressure: Pressure | None = None,
    ) -> None:
        self._session_ms = int(session_seconds * 1000)
        super().__init__(f"ingest:{topic.name}")
        self._kafka, self._topic, self._bell, self._prefix = kafka, topic, bell, prefix
        self._member = f"{service}-{instance}"
        self._kafka_group = f"{prefix}{service}.{topic.name}"
        self._store = IngestStore(pool, topic, groups, outbox)
        self._offsets = Offsets(pool, topic)
        self._pressure = pressure or Pressure(pool)
        self._held_back = False
        self._stopping = asyncio.Event()
        self._unreadable, self._told_until = "", 0.0

    def problem(self) -> str | None:
        if self._problem is not None:
            return self._problem
        if self._offsets.truncated:
            lost = ", ".join(
                f"{partition.partition} (next {self._offsets.next.get(partition)}, log begins at {start})"
                for partition, start in self._offsets.truncated.items()
            )
            return f"log truncated: records of {self._topic.name} were deleted unread, partitions {lost}"
        if time.monotonic() < self._told_until:
            return f"records of {self._topic.name} cannot be read: {self._unreadable}"
        return None if self._offsets.assigned else "no partitions have been assigned yet"

    async def run(self, stopping: asyncio.Event) -> None:
        """Takes records in until `stopping`; a lost broker is waited for."""
        self._stopping = self._offsets.stopping = stopping
        while not stopping.is_set():
            self._tick = time.monotonic()
            broker = self._broker()
            try:
                if await self._started(broker, stopping):
                    await self._watch(stopping)
            except (KafkaError, OSError, TimeoutError) as error:
                log.warning("ingest waits for Kafka", topic=self._topic.name, error=str(error))
                await self._wait_for_server(stopping, f"Kafka cannot be reached: {error}")
            finally:
                await broker.stop()

    async def _started(self, broker: KafkaBroker, stopping: asyncio.Event) -> bool:
        """Whether it was, or it is time to stop: the client waits for a missing topic for most of a minute."""
        starting, told = asyncio.create_task(broker.start()), asyncio.create_task(stopping.wait())
        try:
            while not (starting.done() or told.done()):
                self._tick = time.monotonic()
                await asyncio.wait([starting, told], timeout=WATCH_SECONDS, return_when=asyncio.FIRST_COMPLETED)
            if starting.done():
                await starting
            return starting.done()
        finally:
            told.cancel()
            await asyncio.wait([starting], timeout=1.0)  # in the middle of a connect it would leave a socket behind
            starting.cancel()
            await asyncio.wait([starting])

    def _broker(self) -> KafkaBroker:
        read_tolerantly()
        # A consumer-only broker: a producer of it would be left behind by each start that fails.
        broker = KafkaBroker(
            self._kafka.split(","),
            client_id=self._member,
            consumer_only=True,
            allow_auto_create_topics=False,
            apply_types=False,
            graceful_timeout=10,
            logger=FASTSTREAM_LOG,
        )
        subscriber = broker.subscriber(
            self._prefix + self._topic.name,
            batch=True,
            max_records=MAX_RECORDS,
            batch_timeout_ms=IDLE_MS,
            group_id=self._kafka_group,
            group_instance_id=self._member,
            session_timeout_ms=self._session_ms,
            heartbeat_interval_ms=3_000,
            max_poll_interval_ms=600_000,
            auto_offset_reset="earliest",
            ack_policy=AckPolicy.MANUAL,
            no_reply=True,
            listener=self._offsets,
            parser=_raw,
            decoder=_records,
        )
        subscriber(self._take)
        read = subscriber.get_msg
        subscriber.get_msg = lambda consumer: self._read(lambda: read(consumer))  # type: ignore[method-assign]
        self._offsets.consumer_of = lambda: subscriber.consumer
        return broker

    async def _read(self, read: Callable[[], Awaitable[tuple[ConsumerRecord, ...]]]) -> tuple[ConsumerRecord, ...]:
        """Says what cannot be read, and leaves it to FastStream to try again, which knows errors of Kafka's only.

        What the client had taken from other partitions when it came upon it is lost with the exception, and is sought.
        """
        outcome = await attempt(read)
        if not isinstance(outcome, Failure):
            return outcome
        if isinstance(outcome.error, ConsumerStoppedError):
            raise outcome.error
        self._unreadable, self._told_until = str(outcome)[:300], time.monotonic() + UNREADABLE_SECONDS
        log.error("records cannot be read", topic=self._topic.name, error=str(outcome))
        await self._offsets.read_again()
        raise outcome.error if isinstance(outcome.error, KafkaError) else KafkaError(str(outcome))

    async def _watch(self, stopping: asyncio.Event) -> None:
        self._reached()
        watch_at = 0.0
        while not stopping.is_set():
            self._tick = time.monotonic()
            try:
                await self._offsets.commit()
                if time.monotonic() >= watch_at:
                    watch_at = time.monotonic() + WATCH_SECONDS
                    await self._look_after()
            except (*DATABASE_ERRORS, KafkaError) as error:
                log.warning("offsets not committed", topic=self._topic.name, error=str(error))
            await pause(COMMIT_SECONDS, stopping)

    async def _look_after(self) -> None:
        await self._offsets.resume_accepted()
        await self._offsets.see_to_unread()
        if self._topic.sequenced and await self._store.take_baselines():
            self._bell.ring()
        consumer = self._offsets.consumer_of()
        if consumer is None:
            return
        await self._hold_back(consumer)
        for partition in consumer.assignment():
            end, taken = consumer.highwater(partition), self._offsets.next.get(partition)
            if end is not None and taken is not None:
                metrics.ingest_lag.labels(self._topic.name, str(partition.partition)).set(max(0, end - taken))

    async def _hold_back(self, consumer: AIOKafkaConsumer) -> None:
        """Reads nothing more while too much waits for the workers; partitions assigned meanwhile are held back too."""
        reason = await self._pressure.measured()
        readable = [each for each in consumer.assignment() if each not in self._offsets.truncated]
        if reason:
            consumer.pause(*readable)
        elif self._held_back:
            consumer.resume(*readable)
        if bool(reason) != self._held_back:
            log.warning("ingest is held back" if reason else "ingest goes on", topic=self._topic.name, reason=reason)
        self._held_back = bool(reason)
        metrics.ingest_held_back.labels(self._topic.name).set(int(self._held_back))

    async def _take(self, records: tuple[ConsumerRecord, ...]) -> None:
        """Returns only when the batch is in the database, or left to be read again, for as long as the process lives.

        FastStream would go on with the next batch after an exception, and read no more after a stray cancellation.
        """
        back_off = MIN_BACK_OFF
        while isinstance(outcome := await attempt(lambda: self._taken(records)), Failure):
            log.warning("a batch is not taken in yet", topic=self._topic.name, error=str(outcome))
            await pause(back_off, self._stopping)
            if self._stopping.is_set():
                return
            back_off = min(back_off * 2, MAX_BACK_OFF)
        self._bell.ring()

    async def _taken(self, records: tuple[ConsumerRecord, ...]) -> None:
        try:
            wanted = await self._in_their_place(records)
            if wanted:
                crash_point("ingest.received")
                await self._store.take([Arrived.of(record, self._topic.name) for record in wanted])
                crash_point("ingest.committed")
        except asyncio.CancelledError as error:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise
            raise StrayCancellation from error
        for record in wanted:
            partition = TopicPartition(record.topic, record.partition)
            if partition in self._offsets.next:
                self._offsets.next[partition] = record.offset + 1

    async def _in_their_place(self, records: Sequence[ConsumerRecord]) -> list[ConsumerRecord]:
        firsts: dict[TopicPartition, int] = {}
        for record in records:
            firsts.setdefault(TopicPartition(record.topic, record.partition), record.offset)
        placed = {partition for partition, first in firsts.items() if await self._offsets.is_next(partition, first)}
        return [record for record in records if TopicPartition(record.topic, record.partition) in placed]

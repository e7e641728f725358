"""Which record to read next: the database's word counts, and a silent jump past unread records is impossible."""

import asyncio
import time
from collections.abc import Callable, Collection

import asyncpg
import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import KafkaError

from shared.contracts.topics import Topic
from shared.messaging import ingest_sql as sql
from shared.messaging.failures import Failure, attempt
from shared.messaging.wakeup import pause

log = structlog.get_logger(__name__)

RETRY_SECONDS = 1.0
UNREAD_SECONDS = 30.0
"""Between two looks for partitions that nobody in the group was ever given."""


class Offsets(ConsumerRebalanceListener):  # type: ignore[misc]
    """Seeks on assignment, and knows what was taken in of each partition that this process holds."""

    def __init__(self, pool: asyncpg.Pool, topic: Topic) -> None:
        self.topic = topic
        self.consumer_of: Callable[[], AIOKafkaConsumer | None] = lambda: None
        self.assigned = False
        self.stopping = asyncio.Event()
        self.next: dict[TopicPartition, int] = {}
        self.truncated: dict[TopicPartition, int] = {}
        """Partitions whose log begins after what we read last, with the offset that it begins at."""
        self._pool = pool
        self._committed: dict[TopicPartition, int] = {}
        self._gaps: dict[TopicPartition, tuple[int, int]] = {}
        self._unread: set[int] = set()
        self._unread_at = 0.0

    async def on_partitions_revoked(self, revoked: Collection[TopicPartition]) -> None:
        """Forgets them: only partitions still assigned are committed."""
        for partition in revoked:
            self.next.pop(partition, None)
            self.truncated.pop(partition, None)
            self._committed.pop(partition, None)
            self._gaps.pop(partition, None)

    async def on_partitions_assigned(self, assigned: Collection[TopicPartition]) -> None:
        """Finds where to read on, in the database first; asks again whatever fails.

        After an exception aiokafka would read on at the group's offset, and its stop waits for this to end.
        """
        while self.consumer_of() is not None and not self.stopping.is_set():
            outcome = await attempt(lambda: self._find_places(list(assigned)))
            if not isinstance(outcome, Failure):
                self.assigned = True
                log.info("partitions assigned", topic=self.topic.name, partitions=sorted(p.partition for p in assigned))
                return
            log.warning("offsets cannot be read yet", topic=self.topic.name, error=str(outcome))
            await pause(RETRY_SECONDS, self.stopping)

    async def _find_places(self, assigned: list[TopicPartition]) -> None:
        consumer = self._consumer()
        if not assigned:
            return
        starts = await consumer.beginning_offsets(assigned)
        rows = await self._pool.fetch(sql.CONSUMED, self.topic.name, [partition.partition for partition in assigned])
        known = {row["partition"]: row["next"] for row in rows}
        for partition in assigned:
            start = starts[partition]
            if partition.partition not in known:
                await self._pool.execute(sql.BEGIN_PARTITION, self.topic.name, partition.partition, start)
                self.read_from(partition, start)
                continue
            committed = await consumer.committed(partition)
            place = known[partition.partition]
            if committed is not None:
                # An operator's reset backwards is obeyed; forwards nothing unread is skipped.
                place = min(place, committed)
            if place < start <= known[partition.partition]:
                place = start  # set back beyond the log's beginning: all of it that is left
            self.read_from(partition, place)
            if place < start:
                self.stop_at_truncation(partition, start)

    def read_from(self, partition: TopicPartition, offset: int) -> None:
        """Goes on with this record."""
        self._consumer().seek(partition, offset)
        self.next[partition] = offset

    async def read_again(self) -> None:
        """Goes back to what was not taken in, in each partition where the client is further on."""
        consumer = self._consumer()
        for partition, offset in list(self.next.items()):
            if partition in consumer.assignment() and await consumer.position(partition) > offset:
                consumer.seek(partition, offset)

    def stop_at_truncation(self, partition: TopicPartition, start: int) -> None:
        """Records were deleted unread: reads no further until an operator accepts the loss."""
        self.truncated[partition] = start
        self._consumer().pause(partition)
        log.error(
            "log truncated",
            topic=self.topic.name,
            partition=partition.partition,
            next=self.next[partition],
            start=start,
        )

    async def resume_accepted(self) -> None:
        """Goes on with partitions whose loss an operator has accepted: their row says an offset that exists."""
        for partition, start in list(self.truncated.items()):
            rows = await self._pool.fetch(sql.CONSUMED, self.topic.name, [partition.partition])
            if rows and rows[0]["next"] >= start and self.truncated.pop(partition, None) is not None:
                self.read_from(partition, rows[0]["next"])
                self._consumer().resume(partition)

    async def see_to_unread(self) -> None:
        """Asks the group to share its partitions out anew where, at two looks, one of them was never given to anybody.

        A static member that is started again is given what it had, and nobody is told of partitions added meanwhile.
        """
        if time.monotonic() < self._unread_at:
            return
        self._unread_at = time.monotonic() + UNREAD_SECONDS
        consumer = self._consumer()
        there = {number for name in consumer.subscription() for number in consumer.partitions_for_topic(name) or ()}
        rows = await self._pool.fetch(sql.BEGUN, self.topic.name)
        before, self._unread = self._unread, there - {row["partition"] for row in rows}
        if self._unread & before:
            log.warning("nobody reads these partitions yet", topic=self.topic.name, partitions=sorted(self._unread))
            consumer._coordinator.request_rejoin()  # noqa: SLF001 - the client has no other way to ask for it

    async def is_next(self, partition: TopicPartition, first: int) -> bool:
        """Whether records from this offset on may be taken now; where not, they are read again, or by somebody else.

        The client may fetch before we have told it where to, and what it had in hand comes after a seek. What comes
        too far on is sought once more: a gap that is still there is one that Kafka makes itself.
        """
        expected = self.next.get(partition)
        if expected is None:
            return False
        if first <= expected or self._gaps.get(partition) == (expected, first):
            return True
        start = 0
        if not self.topic.compacted:
            start = (await self._consumer().beginning_offsets([partition]))[partition]
        if start > expected:
            self.stop_at_truncation(partition, start)
        else:
            self._gaps[partition] = (expected, first)
            self._consumer().seek(partition, expected)
        return False

    async def commit(self) -> None:
        """Tells Kafka, for its lag tools only, what was taken in since the last time."""
        consumer = self._consumer()
        held = consumer.assignment()
        news = {
            partition: offset
            for partition, offset in self.next.items()
            if partition in held and self._committed.get(partition) != offset
        }
        if news and not self.truncated:
            await consumer.commit(news)
            self._committed.update(news)

    def _consumer(self) -> AIOKafkaConsumer:
        consumer = self.consumer_of()
        if consumer is None:
            raise KafkaError("the consumer is not running")
        return consumer

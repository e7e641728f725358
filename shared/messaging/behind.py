"""How far a database is behind the topics, by the offsets that count: its own, not the ones that Kafka keeps."""

import asyncio
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass

from aiokafka import AIOKafkaConsumer, TopicPartition

from shared.messaging.database import Connection
from shared.messaging.tolerant_records import read_tolerantly

TAKEN = "select topic, partition, next from consumed where $1::text is null or topic = $1 order by topic, partition"


@dataclass(frozen=True)
class Place:
    """How far one service has read one partition, and what is on it now: records `begins` to `ends` - 1."""

    service: str
    topic: str
    partition: int
    next: int
    begins: int
    ends: int

    @property
    def unread(self) -> int:
        """Records on the topic that were not taken in."""
        return max(0, self.ends - max(self.next, self.begins))

    @property
    def lost(self) -> int:
        """Records that were deleted before they were taken in."""
        return max(0, self.begins - self.next)


@asynccontextmanager
async def consumer_at(kafka: str) -> AsyncIterator[AIOKafkaConsumer]:
    """A consumer that belongs to no group and has nothing assigned."""
    read_tolerantly()
    consumer = AIOKafkaConsumer(
        bootstrap_servers=kafka.split(","), client_id="ops", enable_auto_commit=False, auto_offset_reset="earliest"
    )
    try:
        await consumer.start()
        yield consumer
    finally:
        await asyncio.shield(consumer.stop())


async def partitions_of(consumer: AIOKafkaConsumer, name: str) -> list[int]:
    """The numbers of a topic's partitions; none where there is no such topic."""
    await consumer._client._wait_on_metadata(name)  # noqa: SLF001 - partitions_for_topic knows subscribed topics only
    return sorted(consumer.partitions_for_topic(name) or ())


async def taken(connection: Connection, topic: str | None = None) -> dict[tuple[str, int], int]:
    """The next record of each partition that this database wants, by topic and partition."""
    return {(row["topic"], row["partition"]): row["next"] for row in await connection.fetch(TAKEN, topic)}


async def places(kafka: str, prefix: str, wanted: Collection[tuple[str, str, int, int]]) -> list[Place]:
    """Where these (service, topic, partition, next) stand. Raises KafkaError; a topic that is gone is left out."""
    async with consumer_at(kafka) as consumer:
        there = {topic: await partitions_of(consumer, prefix + topic) for topic in {topic for _, topic, _, _ in wanted}}
        known = [each for each in wanted if each[2] in there[each[1]]]
        bounds = await _bounds(consumer, {TopicPartition(prefix + topic, number) for _, topic, number, _ in known})
    return [
        Place(service, topic, number, following, *bounds[TopicPartition(prefix + topic, number)])
        for service, topic, number, following in known
    ]


async def _bounds(
    consumer: AIOKafkaConsumer, partitions: Collection[TopicPartition]
) -> dict[TopicPartition, tuple[int, int]]:
    if not partitions:
        return {}
    begins, ends = await consumer.beginning_offsets(partitions), await consumer.end_offsets(partitions)
    return {partition: (begins[partition], ends[partition]) for partition in partitions}

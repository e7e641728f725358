"""How far a database is behind the topics, by the offsets that count: its own, not the ones that Kafka keeps."""

from collections.abc import Collection
from dataclasses import dataclass

from aiokafka import AIOKafkaConsumer, TopicPartition

from shared.messaging.database import Connection
from shared.ops.records import consumer_at, partitions_of

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

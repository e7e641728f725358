"""What the ends of the topics tell of some sources' streams, without reading all that is before them."""

import asyncio
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition

from shared.contracts.message import Head, NotUnderstood
from shared.contracts.message import Sequence as Number
from shared.contracts.reading import read_head
from shared.contracts.topics import Topic
from shared.messaging.tolerant_records import read_tolerantly

AT_LEAST = 100
"""Records of each partition that are read."""
FURTHER = 8
LOOK_FURTHER_FOR = 0.7
"""Seconds in which partitions are read further back whose last records are all of other sources."""
READ_WITHIN = 60.0
"""Seconds; a broker that takes longer is asked again later."""


@dataclass
class Tails:
    """What was found of a database's sources: the highest number of each stream, every id, when it spoke last."""

    latest: dict[tuple[str, str, str], Number] = field(default_factory=dict)
    """By source, topic and subject."""
    ids: set[str] = field(default_factory=set)
    spoke: dict[int, datetime] = field(default_factory=dict)

    def ended_before(self, incarnation: int) -> datetime | None:
        """When it last spoke in a life before this one; None where none is known."""
        return max((at for life, at in self.spoke.items() if life < incarnation), default=None)

    def learn(self, topic: str, head: Head, number: Number) -> None:
        """Takes note of one record."""
        stream, at = (head.source, topic, head.subject), head.meta().time
        self.latest[stream] = max(number, self.latest.get(stream, number))
        self.spoke[number.incarnation] = max(at, self.spoke.get(number.incarnation, at))
        self.ids.add(head.id)


async def read_tails(kafka: str, prefix: str, topics: Sequence[Topic], sources: Collection[str]) -> Tails:
    """What the last records of these topics tell of these sources' streams; a topic that is not there tells nothing.

    Raises KafkaError, and TimeoutError where the broker does not answer.
    """
    read_tolerantly()
    consumer = AIOKafkaConsumer(bootstrap_servers=kafka.split(","), client_id="tails", enable_auto_commit=False)
    try:
        async with asyncio.timeout(READ_WITHIN):
            await consumer.start()
            reader = _Reader(consumer, sources, {prefix + topic.name: topic.name for topic in topics})
            await reader.read()
            return reader.tails
    finally:
        await asyncio.shield(consumer.stop())


class _Reader:
    def __init__(self, consumer: AIOKafkaConsumer, sources: Collection[str], topics: dict[str, str]) -> None:
        self._consumer, self._sources, self._topics = consumer, frozenset(sources), topics
        self._said_by = {source.encode() for source in sources}
        self._seen: set[TopicPartition] = set()
        self.tails = Tails()

    async def read(self) -> None:
        there = await self._consumer.topics()
        partitions = [place for name in self._topics if name in there for place in await self._partitions(name)]
        if not partitions:
            return
        self._consumer.assign(partitions)
        starts = await self._consumer.beginning_offsets(partitions)
        ends = {place: end for place, end in (await self._consumer.end_offsets(partitions)).items() if end}
        span, until = AT_LEAST, 0.0
        while ends and (not until or time.monotonic() < until):
            firsts = {place: max(starts[place], end - span) for place, end in ends.items()}
            await self._read_between(firsts, ends)
            until = until or time.monotonic() + LOOK_FURTHER_FOR
            further = [place for place in firsts if place not in self._seen and firsts[place] > starts[place]]
            ends, span = {place: firsts[place] for place in further}, span * FURTHER

    async def _partitions(self, name: str) -> list[TopicPartition]:
        await self._consumer._client._wait_on_metadata(name)  # noqa: SLF001 - partitions_for_topic knows subscribed ones only
        return [TopicPartition(name, number) for number in self._consumer.partitions_for_topic(name) or ()]

    async def _read_between(self, firsts: dict[TopicPartition, int], ends: dict[TopicPartition, int]) -> None:
        self._consumer.pause(*self._consumer.assignment())
        for place, first in firsts.items():
            self._consumer.seek(place, first)
            self._consumer.resume(place)
        waited_for = {place for place, first in firsts.items() if first < ends[place]}
        while waited_for:
            found = await self._consumer.getmany(*waited_for, timeout_ms=500)
            for place, records in found.items():
                self._learn(place, [record for record in records if record.offset < ends[place]])
            ended = {place for place in waited_for if await self._consumer.position(place) >= ends[place]}
            self._consumer.pause(*ended)
            waited_for -= ended

    def _learn(self, place: TopicPartition, records: Collection[ConsumerRecord]) -> None:
        for record in records:
            named = dict(record.headers).get("ce_source")
            if named and named not in self._said_by:
                continue
            try:
                head = read_head(record.value or b"")
                number = head.number()
            except NotUnderstood:
                continue
            if head.source in self._sources and number is not None:
                self.tails.learn(self._topics[record.topic], head, number)
                self._seen.add(place)

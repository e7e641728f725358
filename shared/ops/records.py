"""What the topics tell of an order: its own partition is read from a time on, and a limit of time ends the reading."""

import time
from dataclasses import dataclass
from datetime import datetime

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.partitioner import DefaultPartitioner

from shared.contracts.message import NotUnderstood, read_envelope
from shared.contracts.topics import ORDERS_COMMANDS, ORDERS_EVENTS, ORDERS_LOG, Topic
from shared.messaging.behind import consumer_at, partitions_of
from shared.ops.servers import Unavailable, kafka_at
from shared.ops.story import Entry, Told
from shared.runtime.masking import masked_text, read_json, without_personal

OF_ORDERS = (ORDERS_COMMANDS, ORDERS_EVENTS, ORDERS_LOG)


@dataclass(frozen=True)
class Reading:
    """How the topics are read: from when on, for how many seconds each, in the order's own partition or in all."""

    kafka: str
    prefix: str = ""
    since: datetime | None = None
    seconds: float = 30.0
    everywhere: bool = False


async def tell_of_records(order: str, reading: Reading) -> Told:
    """The records with the order's key on the topics of orders, topic by topic."""
    told = Told([], [])
    try:
        async with kafka_at(reading.kafka), consumer_at(reading.kafka) as consumer:
            for topic in OF_ORDERS:
                await _read_topic(consumer, topic, order, reading, told)
    except Unavailable as error:
        told.missing.append(str(error))
    return told


def partition_of(key: str, partitions: list[int]) -> int:
    """Where a key's records are, as every writer of ours and Kafka's own clients choose."""
    chosen: int = DefaultPartitioner()(key.encode(), partitions, partitions)
    return chosen


async def _read_topic(consumer: AIOKafkaConsumer, topic: Topic, order: str, reading: Reading, told: Told) -> None:
    name = reading.prefix + topic.name
    numbers = await partitions_of(consumer, name)
    if not numbers:
        told.missing.append(f"the topic {name} does not exist")
        return
    wanted = numbers if reading.everywhere else [partition_of(order, numbers)]
    ends = await _place(consumer, [TopicPartition(name, number) for number in wanted], reading.since)
    key, until = order.encode(), time.monotonic() + reading.seconds
    while ends and time.monotonic() < until:
        found = await consumer.getmany(*ends, timeout_ms=200)
        told.entries += [_entry(topic, record) for records in found.values() for record in records if record.key == key]
        for partition in list(ends):
            if await consumer.position(partition) >= ends[partition]:
                del ends[partition]
                consumer.pause(partition)
    for partition, end in ends.items():
        place = await consumer.position(partition)
        told.missing.append(
            f"{name} was read for {reading.seconds:g} s, up to {place} of {end} in {partition.partition}"
        )


async def _place(
    consumer: AIOKafkaConsumer, partitions: list[TopicPartition], since: datetime | None
) -> dict[TopicPartition, int]:
    """Seek to the first record at or after `since`, else the first there is. Gives the partitions' ends, if behind."""
    consumer.assign(partitions)
    ends = await consumer.end_offsets(partitions)
    starts = await consumer.beginning_offsets(partitions)
    if since is not None:
        milliseconds = int(since.timestamp() * 1000)
        found = await consumer.offsets_for_times(dict.fromkeys(partitions, milliseconds))
        starts |= {partition: at.offset if at else ends[partition] for partition, at in found.items()}
    for partition, start in starts.items():
        consumer.seek(partition, start)
    return {partition: end for partition, end in ends.items() if starts[partition] < end}


def _entry(topic: Topic, record: ConsumerRecord) -> Entry:
    what = f"{topic.name} {record.partition}/{record.offset}"
    at = datetime.fromtimestamp(record.timestamp / 1000).astimezone()
    try:
        envelope = read_envelope(record.value or b"")
    except NotUnderstood as error:
        return Entry(what, masked_text(f"not understood: {error.reason}"), at, wrong=True, where="Kafka")
    outcome = envelope.data.get("outcome")
    words = [envelope.type, envelope.sequence or "", f"by {envelope.source}"]
    words += [f"({outcome}: {envelope.data.get('summary')})"] if outcome else []
    text = masked_text(" ".join(word for word in words if word))
    document = without_personal(read_json(record.value))
    return Entry(what, text, at, outcome in {"failed", "unknown"}, document, "Kafka")

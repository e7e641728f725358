"""The demo's own reader of the order log: all partitions from where they end at first, in no group."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from deploy.local.failure import LocalStackError
from shared.contracts.message import NotUnderstood, read_envelope, read_message
from shared.contracts.order_log import LogEntry
from shared.contracts.topics import ORDERS_LOG
from shared.messaging.tolerant_records import read_tolerantly


class OrderLog:
    """An open reader; `hear` is given each entry, and `when` the broker wrote it, in seconds since 1970."""

    def __init__(self, consumer: AIOKafkaConsumer) -> None:
        self._consumer = consumer
        self.not_understood = 0
        self.first_at: float | None = None
        self.last_at: float | None = None

    async def read(self, hear: Callable[[LogEntry], bool]) -> None:
        """Reads until it is cancelled."""
        while True:
            for records in (await self._consumer.getmany(timeout_ms=500, max_records=2000)).values():
                for record in records:
                    self._take(record, hear)

    def _take(self, record: Any, hear: Callable[[LogEntry], bool]) -> None:
        try:
            entry = read_message(read_envelope(record.value or b""))
        except NotUnderstood:
            self.not_understood += 1
            return
        if isinstance(entry, LogEntry) and hear(entry):
            at = record.timestamp / 1000
            self.first_at = min(self.first_at or at, at)
            self.last_at = max(self.last_at or at, at)

    @property
    def seconds(self) -> float:
        """From the first entry about our orders to the last, by the broker's clock."""
        return (self.last_at or 0.0) - (self.first_at or 0.0)


@asynccontextmanager
async def open_log(kafka: str, topic_prefix: str = "") -> AsyncIterator[OrderLog]:
    """Opens the order log at its present end. Raises LocalStackError where the topic is missing."""
    partitions = await _partitions(kafka, f"{topic_prefix}{ORDERS_LOG.name}")
    read_tolerantly()
    consumer = AIOKafkaConsumer(bootstrap_servers=kafka, group_id=None, enable_auto_commit=False)
    await consumer.start()
    try:
        consumer.assign(partitions)
        await consumer.seek_to_end(*partitions)
        for partition in partitions:
            await consumer.position(partition)
        yield OrderLog(consumer)
    finally:
        await consumer.stop()


async def _partitions(kafka: str, topic: str) -> list[TopicPartition]:
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka)
    await admin.start()
    try:
        [described] = await admin.describe_topics([topic])
    finally:
        await admin.close()
    if not described["partitions"]:
        raise LocalStackError(f"The topic {topic} is missing on {kafka}.")
    return [TopicPartition(topic, partition["partition"]) for partition in described["partitions"]]

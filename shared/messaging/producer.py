"""A Kafka producer that can be thrown away: what it had not yet sent is never sent later."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

from aiokafka import AIOKafkaProducer
from aiokafka.errors import (
    InvalidMessageError,
    InvalidTopicError,
    MessageSizeTooLargeError,
    PolicyViolationError,
    RecordListTooLargeError,
    TopicAuthorizationFailedError,
)

from shared.contracts.topics import MAX_RECORD_BYTES

REFUSED_FOR_ITSELF = (
    InvalidMessageError,
    InvalidTopicError,
    MessageSizeTooLargeError,
    PolicyViolationError,
    RecordListTooLargeError,
    TopicAuthorizationFailedError,
)
"""What the broker says of one record, and would say again; everything else concerns the connection."""

CANCELLATIONS = 20


@dataclass(frozen=True)
class Outgoing:
    """A record to be sent, as bytes."""

    topic: str
    key: bytes
    value: bytes
    headers: Mapping[str, str]


class DisposableProducer:
    """An idempotent aiokafka producer with `acks=all` that is started at its first use."""

    def __init__(self, kafka: str, client_id: str) -> None:
        self._producer = AIOKafkaProducer(
            bootstrap_servers=kafka.split(","),
            client_id=client_id,
            enable_idempotence=True,
            acks="all",
            compression_type="lz4",
            linger_ms=0,
            max_batch_size=256 * 1024,
            max_request_size=2 * MAX_RECORD_BYTES,
            request_timeout_ms=10_000,
        )
        self._started = False
        self._known: set[str] = set()

    async def start(self) -> None:
        """Connects. Raises KafkaError while the broker is away."""
        await self._producer.start()
        self._started = True

    async def knows(self, topic: str) -> bool:
        """Whether the broker has this topic; to be asked before `send`, which would wait for one that never comes."""
        if topic not in self._known:
            client = self._producer.client
            await client.add_topic(topic)
            if not client.cluster.partitions_for_topic(topic):
                await client.force_metadata_update()
            if not client.cluster.partitions_for_topic(topic):
                return False
            self._known.add(topic)
        return True

    async def send(self, record: Outgoing) -> asyncio.Future[object]:
        """Hands the record over in order; the future is its acknowledgement."""
        headers = [(name, value.encode()) for name, value in record.headers.items()]
        future: asyncio.Future[object] = await self._producer.send(
            record.topic, record.value, key=record.key, headers=headers
        )
        future.add_done_callback(_retrieved)
        return future

    async def discard(self) -> None:
        """Ends it without sending anything more; never `stop()`, which flushes, and waits while the broker is away."""
        producer = self._producer
        producer._closed = True  # noqa: SLF001 - aiokafka has no public way to leave without a flush
        task = producer._sender.sender_task if self._started else None  # noqa: SLF001
        if task is not None:
            task.cancel()
        await producer.client.close()
        # Cancelled, the sender still waits for each request in flight; each further cancellation ends one of them.
        for _ in range(CANCELLATIONS):
            if task is None or task.done():
                return
            task.cancel()
            await asyncio.wait({task}, timeout=0.1)


def _retrieved(future: asyncio.Future[object]) -> None:
    if not future.cancelled():
        future.exception()

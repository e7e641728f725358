"""The messaging kit on real servers: a database with its tables, its topics, and the components that a test starts."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import asyncpg
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord, TopicPartition

import shared.messaging
from shared.contracts.message import Message, Meta, record_headers, write_record
from shared.contracts.topics import TOPICS, Topic
from shared.messaging.database import transaction
from shared.messaging.outbox import Outbox
from shared.messaging.topics_on_broker import TopicsOnBroker
from shared.messaging.wakeup import Bell
from shared.runtime.migrations import migrate
from tests.plugins.servers import CreateDatabase

KIT = Path(shared.messaging.__file__).parent
FOLDERS = [("messaging", KIT / "migrations"), ("announced", KIT / "announced")]


class Runs(Protocol):
    """A component, as far as tests start and stop it."""

    name: str

    async def run(self, stopping: asyncio.Event) -> None: ...


@asynccontextmanager
async def running(*components: Runs) -> AsyncIterator[None]:
    """The components run until the block ends, then stop as they do in production; what they raise fails the test."""
    stopping = asyncio.Event()
    tasks = [asyncio.create_task(component.run(stopping), name=component.name) for component in components]
    try:
        yield
    finally:
        stopping.set()
        async with asyncio.timeout(20):
            await asyncio.gather(*tasks)


@dataclass
class Kit:
    """One service's database and its topics."""

    dsn: str
    pool: asyncpg.Pool
    kafka: str = ""
    prefix: str = ""
    source: str = "/orders"
    bell: Bell = field(default_factory=Bell)

    @property
    def outbox(self) -> Outbox:
        return Outbox(self.source, self.bell)

    async def say(self, cause: Meta, messages: Sequence[Message]) -> list[Message]:
        """Appends in a transaction of its own and rings the bell."""
        async with transaction(self.pool) as connection:
            said = await self.outbox.append(connection, [(cause, messages)])
        self.outbox.committed()
        return said

    async def count(self, table: str, where: str = "true") -> int:
        """How many rows there are."""
        rows: int = await self.pool.fetchval(f"select count(*) from {table} where {where}")
        return rows

    async def publish(self, topic: Topic, *records: tuple[bytes | None, bytes | None], **options: Any) -> None:
        """Writes raw records, key and value, as anybody could."""
        async with AIOKafkaProducer(bootstrap_servers=self.kafka, enable_idempotence=True) as producer:
            for key, value in records:
                await producer.send_and_wait(self.prefix + topic.name, value, key=key, **options)

    async def publish_messages(self, *messages: Message) -> None:
        """Writes stamped messages as their source would."""
        async with AIOKafkaProducer(bootstrap_servers=self.kafka, enable_idempotence=True) as producer:
            for message in messages:
                await producer.send_and_wait(
                    self.prefix + message.topic.name,
                    write_record(message, message.meta).encode(),
                    key=message.subject.encode(),
                    headers=[(k, v.encode()) for k, v in record_headers(message, message.meta).items()],
                )

    async def records(self, topic: Topic) -> list[ConsumerRecord]:
        """All that is on the topic now, by partition and offset."""
        async with AIOKafkaConsumer(bootstrap_servers=self.kafka, enable_auto_commit=False) as consumer:
            await consumer._client._wait_on_metadata(self.prefix + topic.name)  # noqa: SLF001
            numbers = consumer.partitions_for_topic(self.prefix + topic.name) or set()
            partitions = [TopicPartition(self.prefix + topic.name, number) for number in sorted(numbers)]
            consumer.assign(partitions)
            await consumer.seek_to_beginning(*partitions)
            starts, ends = await consumer.beginning_offsets(partitions), await consumer.end_offsets(partitions)
            found: list[ConsumerRecord] = []
            while len(found) < sum(ends.values()) - sum(starts.values()):
                for records in (await consumer.getmany(timeout_ms=100)).values():
                    found += records
            return sorted(found, key=lambda record: (record.partition, record.offset))


@pytest.fixture
async def kit(create_database: CreateDatabase) -> AsyncIterator[Kit]:
    """A kit on a database of its own, without Kafka."""
    dsn = await create_database()
    connection = await asyncpg.connect(dsn)
    await migrate(connection, FOLDERS)
    await connection.close()
    async with asyncpg.create_pool(dsn, min_size=0, max_size=16) as pool:
        yield Kit(dsn, pool)


@pytest.fixture
async def kit_on_kafka(kit: Kit, kafka: str, topic_prefix: str) -> Kit:
    """The same, with the declared topics, two partitions each."""
    async with TopicsOnBroker(kafka, topic_prefix) as topics:
        await topics.create(TOPICS, partitions=2)
    kit.kafka, kit.prefix = kafka, topic_prefix
    return kit


@pytest.fixture
def start() -> Callable[..., Any]:
    """`async with start(component, ...)`."""
    return running

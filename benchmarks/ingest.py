"""Ingest of 2 kB events for one group, beside a bare consumer that parses envelopes and inserts the same bytes."""

import asyncio
from collections.abc import Sequence

import asyncpg
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from benchmarks.material import event_letter, new_order_id
from benchmarks.rounds import REFERENCE, Counted, in_turn, rate_of, running
from benchmarks.rows import Row, Target
from benchmarks.world import KIT_MIGRATIONS, World
from shared.contracts.message import Message
from shared.contracts.order_events import OrderPlaced
from shared.contracts.reading import read_head
from shared.contracts.topics import ORDERS_EVENTS, PARTITIONS
from shared.messaging import metrics
from shared.messaging.database import KEYS_ONLY
from shared.messaging.groups import Group
from shared.messaging.ingest import MAX_RECORDS, Ingest
from shared.messaging.wakeup import Bell

RECORDS = 25_000
BARE_TABLE = "create table bare (source text, subject text, id text, type text, record bytea)"
BARE_INSERT = "insert into bare select * from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::bytea[])"
EMPTY = "truncate message, inbox, lane, cursor, consumed, held, bare"


async def measure(world: World) -> list[Row]:
    """Records per second into the inbox and the lanes of one group, and once more as duplicates."""
    count = world.size(RECORDS)
    async with world.database(KIT_MIGRATIONS) as dsn, world.topics() as prefix:
        topic = prefix + ORDERS_EVENTS.name
        await fill(world.kafka, topic, count)
        async with asyncpg.create_pool(dsn, min_size=0, max_size=4, server_settings=KEYS_ONLY) as pool:
            await pool.execute(BARE_TABLE)

            async def first_time() -> float:
                await pool.execute(EMPTY)
                return await _take_in(pool, world.kafka, prefix, "taken in", count)

            async def once_more() -> float:
                await pool.execute("truncate consumed")
                return await _take_in(pool, world.kafka, prefix, "duplicate", count)

            async def bare() -> float:
                await pool.execute(EMPTY)
                return await _take_bare(pool, world.kafka, topic, count)

            contenders = {REFERENCE: bare, "ours": first_time, "ours, duplicates": once_more}
            figures = await in_turn(world, contenders)
    size = event_letter().size()
    target = Target(least=5_000, least_ratio=0.5)
    return [
        Row("ingest: events → inbox", "/s", figures["ours"], figures[REFERENCE], target, f"{size} bytes a record"),
        Row("ingest: replay of duplicates", "/s", figures["ours, duplicates"], figures[REFERENCE]),
    ]


def one_group() -> Group:
    """A group with a handler that does nothing."""
    group = Group("bench", reads=ORDERS_EVENTS)

    @group.on(OrderPlaced)
    async def ignore(_event: OrderPlaced) -> Sequence[Message]:
        return []

    return group


async def _take_in(pool: asyncpg.Pool, kafka: str, prefix: str, fate: str, count: int) -> float:
    taken = Counted(metrics.ingested, topic=ORDERS_EVENTS.name, fate=fate)
    ingest = Ingest(pool, kafka, ORDERS_EVENTS, [one_group()], Bell(), service="bench", prefix=prefix)
    async with running(ingest):
        return await rate_of(taken.now, count)


async def _take_bare(pool: asyncpg.Pool, kafka: str, topic: str, count: int) -> float:
    taken = 0

    async def take_all(consumer: AIOKafkaConsumer) -> None:
        nonlocal taken
        while taken < count:
            batches = await consumer.getmany(timeout_ms=10, max_records=MAX_RECORDS)
            records = [record for batch in batches.values() for record in batch]
            envelopes = [read_head(record.value) for record in records]
            await pool.execute(
                BARE_INSERT,
                [envelope.source for envelope in envelopes],
                [envelope.subject for envelope in envelopes],
                [envelope.id for envelope in envelopes],
                [envelope.type for envelope in envelopes],
                [record.value for record in records],
            )
            taken += len(records)

    async with AIOKafkaConsumer(bootstrap_servers=kafka, enable_auto_commit=False) as consumer:
        partitions = [TopicPartition(topic, number) for number in range(PARTITIONS)]
        consumer.assign(partitions)
        await consumer.seek_to_beginning(*partitions)
        taking = asyncio.create_task(take_all(consumer))
        rate = await rate_of(lambda: taken, count)
        await taking
    return rate


async def fill(kafka: str, topic: str, count: int) -> None:
    """Puts so many events about as many orders on the topic."""
    letter = event_letter()
    async with AIOKafkaProducer(bootstrap_servers=kafka, enable_idempotence=True, compression_type="lz4") as producer:
        for _ in range(count):
            order_id = new_order_id()
            headers = [(name, value.encode()) for name, value in letter.headers_about(order_id).items()]
            await producer.send(topic, letter.about(order_id).encode(), key=order_id.encode(), headers=headers)
        await producer.flush()

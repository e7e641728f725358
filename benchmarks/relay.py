"""The relay on a filled outbox, beside a bare idempotent producer that sends the same bytes without waiting."""

import asyncio
import time
from collections.abc import Sequence

import asyncpg
from aiokafka import AIOKafkaProducer

from benchmarks.material import Letter, entry_letter, headers_as_json, new_order_id
from benchmarks.rounds import REFERENCE, Counted, in_turn, rate_of, running
from benchmarks.rows import Row, Target
from benchmarks.world import KIT_MIGRATIONS, World
from shared.contracts.topics import ORDERS_LOG
from shared.messaging import metrics
from shared.messaging.relay import Relay
from shared.messaging.wakeup import Bell

RECORDS = 30_000
FILL = """
insert into outbox (id, topic, aggregatetype, aggregateid, type, payload, sequence, headers)
select gen_random_uuid(), $1, 'order', subject, $2, payload, '', headers::jsonb
from unnest($3::text[], $4::text[], $5::text[]) u(subject, payload, headers)
"""


async def measure(world: World) -> list[Row]:
    """Records per second acknowledged by Kafka: with rows deleted after that, and with rows kept, as in orders."""
    letter, count = entry_letter(), world.size(RECORDS)
    ids = [new_order_id() for _ in range(count)]
    payloads = [letter.about(order_id) for order_id in ids]
    async with world.database(KIT_MIGRATIONS) as dsn, world.topics() as prefix:

        async def ours(*, keeps: bool) -> float:
            await _fill(dsn, letter, ids, payloads)
            published = Counted(metrics.published)
            async with running(Relay(dsn, world.kafka, Bell(), prefix=prefix, keeps=keeps)):
                return await rate_of(published.now, count)

        figures = await in_turn(
            world,
            {
                REFERENCE: lambda: _send_bare(world.kafka, prefix + ORDERS_LOG.name, letter, ids, payloads),
                "ours": lambda: ours(keeps=False),
                "ours, kept": lambda: ours(keeps=True),
            },
        )
    note = f"{letter.size()} bytes a record with key and headers, 24 partitions"
    bare = figures[REFERENCE]
    return [
        Row("relay: outbox → Kafka, rows deleted", "/s", figures["ours"], bare, Target(least_ratio=0.70), note),
        Row("relay: outbox → Kafka, rows kept in `announced`", "/s", figures["ours, kept"], bare),
    ]


async def _fill(dsn: str, letter: Letter, ids: Sequence[str], payloads: Sequence[str]) -> None:
    headers = [headers_as_json(letter.headers_about(order_id)) for order_id in ids]
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute("truncate outbox, announced")
        await connection.execute(FILL, ORDERS_LOG.name, letter.type, ids, payloads, headers)
        await connection.execute("vacuum analyze outbox")
    finally:
        await connection.close()


async def _send_bare(kafka: str, topic: str, letter: Letter, ids: Sequence[str], payloads: Sequence[str]) -> float:
    producer = AIOKafkaProducer(
        bootstrap_servers=kafka,
        enable_idempotence=True,
        acks="all",
        compression_type="lz4",
        max_batch_size=256 * 1024,
    )
    await producer.start()
    try:
        began = time.perf_counter()
        answers = []
        for order_id, payload in zip(ids, payloads, strict=True):
            headers = [(name, value.encode()) for name, value in letter.headers_about(order_id).items()]
            answers.append(await producer.send(topic, payload.encode(), key=order_id.encode(), headers=headers))
        await asyncio.gather(*answers)
        return len(ids) / (time.perf_counter() - began)
    finally:
        await producer.stop()

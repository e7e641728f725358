"""The orders service as it is seen from its database: what it has stored, and when it has nothing left to do."""

import asyncio
import time
from collections.abc import Sequence

import asyncpg
from aiokafka import AIOKafkaProducer

from benchmarks.material import Letter
from benchmarks.rounds import PATIENCE
from shared.messaging.database import Connection

IDLE = "select not exists (select from outbox) and not exists (select from inbox)"
STORED = "select id from orders where id = any($1::uuid[])"
ASK_FOR = 250
LOOK_EVERY = 0.02


async def drained(dsn: str) -> None:
    """Wait until the outbox and the inbox are empty, and stay so for half a second."""
    connection = await asyncpg.connect(dsn)
    try:
        deadline, idle_since = time.monotonic() + PATIENCE, time.monotonic()
        while time.monotonic() - idle_since < 0.5:
            if not await connection.fetchval(IDLE):
                idle_since = time.monotonic()
            if time.monotonic() > deadline:
                raise RuntimeError(f"outbox and inbox were not empty within {PATIENCE:g} s")
            await asyncio.sleep(LOOK_EVERY)
    finally:
        await connection.close()


async def until_stored(connection: Connection, order_ids: Sequence[str]) -> None:
    """Wait until these orders are stored; asks for some of them at a time, which costs the database little."""
    deadline, missing = time.monotonic() + PATIENCE, list(order_ids)
    while missing:
        some = missing[:ASK_FOR]
        found = {str(row["id"]) for row in await connection.fetch(STORED, some)}
        missing[:ASK_FOR] = [order_id for order_id in some if order_id not in found]
        if time.monotonic() > deadline:
            raise RuntimeError(f"{len(missing)} of {len(order_ids)} orders were not stored within {PATIENCE:g} s")
        if len(found) < len(some):
            await asyncio.sleep(LOOK_EVERY)


async def send_commands(producer: AIOKafkaProducer, topic: str, letter: Letter, order_ids: Sequence[str]) -> None:
    """Put a command for each of these orders on the topic, and wait until Kafka has them all."""
    answers = [
        await producer.send(
            topic,
            letter.about(order_id).encode(),
            key=order_id.encode(),
            headers=[(name, value.encode()) for name, value in letter.headers_about(order_id).items()],
        )
        for order_id in order_ids
    ]
    await asyncio.gather(*answers)


def shop_front_producer(kafka: str) -> AIOKafkaProducer:
    """A producer as a careful shop front has it."""
    return AIOKafkaProducer(bootstrap_servers=kafka, enable_idempotence=True, acks="all", compression_type="lz4")

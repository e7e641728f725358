"""A member of a consumer group is killed and started again at once: how long a record waits, its own and the others',
beside members of a group as a client makes them by itself.
"""

import asyncio
import signal
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

import asyncpg
from aiokafka import AIOKafkaProducer

from benchmarks.latency import BARE_TABLE
from benchmarks.material import event_letter, new_order_id
from benchmarks.orders import shop_front_producer
from benchmarks.rounds import PATIENCE, progress
from benchmarks.rows import Row, Target
from benchmarks.world import World
from deploy.local.processes import Process
from shared.contracts.topics import ORDERS_EVENTS, PARTITIONS

ROUNDS = 3
LOOK_EVERY = 0.005
TAKEN_IN = "select count(*) from message where subject = any($1::text[])"
IN_THE_BARE_TABLE = "select count(*) from bare where subject::text = any($1::text[])"

Member = Callable[[int], AbstractAsyncContextManager[Process]]
"""Starts the member of this number; the block begins when it reads, or will before long."""


@dataclass
class Members:
    """Two of a group, and how what they read is seen."""

    producer: AIOKafkaProducer
    topic: str
    connection: asyncpg.Connection
    seen: str
    member: Member

    async def waits(self) -> float:
        """Seconds until a record in each partition has been read, sent when one member was killed and started again."""
        async with AsyncExitStack() as undo:
            await undo.enter_async_context(self.member(0))
            killed = await undo.enter_async_context(self.member(1))
            await self._read(await self._send())
            await self._settled()
            killed.send(signal.SIGKILL)
            await killed.ended(within=5)
            subjects, began = await self._send(), time.perf_counter()
            await undo.enter_async_context(self.member(1))
            await self._read(subjects)
            return time.perf_counter() - began

    async def _settled(self) -> None:
        """Both have partitions, and nothing moves any more."""
        for _ in range(3):
            await self._read(await self._send())
            await asyncio.sleep(1)

    async def _send(self) -> list[str]:
        letter, subjects = event_letter(), [new_order_id() for _ in range(PARTITIONS)]
        headers = [(name, value.encode()) for name, value in letter.headers.items()]
        for partition, subject in enumerate(subjects):
            record = letter.about(subject).encode()
            await self.producer.send_and_wait(
                self.topic, record, key=subject.encode(), headers=headers, partition=partition
            )
        return subjects

    async def _read(self, subjects: list[str]) -> None:
        deadline = time.monotonic() + PATIENCE
        while await self.connection.fetchval(self.seen, subjects) < len(subjects):
            if time.monotonic() > deadline:
                raise RuntimeError("not all partitions are read")
            await asyncio.sleep(LOOK_EVERY)


async def measure(world: World) -> list[Row]:
    """Seconds, the start of the process included."""
    figures: dict[str, list[float]] = {"ours": [], "bare": []}
    async with _ours(world) as ours, _bare(world) as bare:
        for number in range(1 if world.quick else ROUNDS):
            for name, members in (("ours", ours), ("bare", bare)):
                progress(f"  round {number + 1} of {ROUNDS}: {name} …")
                figures[name].append(await members.waits())
    progress("")
    note = "with the start of the process; reference: the client's own membership, whose group waits for the dead one"
    name = "member of a group killed and started again: until all partitions are read"
    return [Row(name, " s", figures["ours"], figures["bare"], Target(most=3), note)]


@asynccontextmanager
async def _ours(world: World) -> AsyncIterator[Members]:
    async with world.database() as dsn, world.topics() as prefix, shop_front_producer(world.kafka) as producer:

        @asynccontextmanager
        async def member(number: int) -> AsyncIterator[Process]:
            settings = {"ROLES": "ingest", "INSTANCE": str(number)}
            async with world.service("reactor", dsn, prefix, module="benchmarks.reactor", **settings) as running:
                yield running.process

        connection = await asyncpg.connect(dsn)
        try:
            yield Members(producer, prefix + ORDERS_EVENTS.name, connection, TAKEN_IN, member)
        finally:
            await connection.close()


@asynccontextmanager
async def _bare(world: World) -> AsyncIterator[Members]:
    async with world.database() as dsn, world.topics() as prefix, shop_front_producer(world.kafka) as producer:
        topic = prefix + ORDERS_EVENTS.name

        def member(_number: int) -> AbstractAsyncContextManager[Process]:
            return world.python("benchmarks.bare_member", world.kafka, topic, dsn)

        connection = await asyncpg.connect(dsn)
        try:
            await connection.execute(BARE_TABLE)
            yield Members(producer, topic, connection, IN_THE_BARE_TABLE, member)
        finally:
            await connection.close()

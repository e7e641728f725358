"""The servers of one run: those that the environment names, else a PostgreSQL and a Kafka of its own, durable both.

Every measurement has a database and topics of its own, and what a run has made it takes away again.
"""

import asyncio
import os
import secrets
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import asyncpg
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

import shared.messaging
from deploy.local import kafka, postgres
from deploy.local.folders import cache_folder, locked_or_busy
from deploy.local.ports import HOST, take_port
from deploy.local.processes import Process, start_process, until_it_answers
from shared.contracts.topics import PARTITIONS, TOPICS
from shared.messaging.topics_on_broker import TopicsOnBroker
from shared.runtime.migrations import Folder, migrate

KIT_MIGRATIONS: Sequence[Folder] = [
    ("messaging", Path(shared.messaging.__path__[0]) / "migrations"),
    ("announced", Path(shared.messaging.__path__[0]) / "announced"),
]
READY_WITHIN = 60.0


@dataclass(frozen=True)
class World:
    """Where it is measured; `quick` runs are for trying a benchmark, their figures mean nothing."""

    postgres_url: str
    kafka: str
    folder: Path
    quick: bool = False
    postgres_pid: int | None = None
    kafka_pid: int | None = None
    orders: int | None = None
    """How many orders are placed where whole orders are, and how many the list has, if somebody said so."""
    data: Path | None = None
    """CSV files whose lines the list's orders have."""
    keep: bool = False
    fresh: bool = False
    """Whether the list's database stays for the next run, and whether one that stayed is made anew."""

    def size(self, count: int) -> int:
        """So many things, or a tenth of them."""
        return max(1, count // 10) if self.quick else count

    def whole_orders(self, usual: int) -> int:
        """So many as somebody said, else as usual."""
        return self.orders or self.size(usual)

    def seconds(self, count: float) -> float:
        """So many seconds, or a tenth of them."""
        return count / 10 if self.quick else count

    @asynccontextmanager
    async def database(self, migrations: Sequence[Folder] = ()) -> AsyncIterator[str]:
        """The address of a new database with these tables, dropped at the end."""
        name = f"bench_{secrets.token_hex(6)}"
        await _execute(self.postgres_url, f"create database {name}")
        try:
            url = urlunsplit(urlsplit(self.postgres_url)._replace(path=f"/{name}"))
            connection = await asyncpg.connect(url)
            try:
                await migrate(connection, migrations)
            finally:
                await connection.close()
            yield url
        finally:
            await _execute(self.postgres_url, f"drop database {name} with (force)")

    @asynccontextmanager
    async def topics(self) -> AsyncIterator[str]:
        """The prefix of a set of all declared topics, deleted at the end."""
        prefix = f"bench{secrets.token_hex(4)}."
        async with TopicsOnBroker(self.kafka, prefix) as topics:
            await topics.create()
        try:
            await self._until_led(prefix)
            yield prefix
        finally:
            await self._delete_topics(prefix)

    async def _until_led(self, prefix: str) -> None:
        # Only a partition's leader can say where it ends, so every one of them has taken it over by then.
        async with AIOKafkaConsumer(bootstrap_servers=self.kafka) as consumer:
            names = [prefix + topic.name for topic in TOPICS]
            await consumer.end_offsets([TopicPartition(name, n) for name in names for n in range(PARTITIONS)])

    async def _delete_topics(self, prefix: str) -> None:
        admin = AIOKafkaAdminClient(bootstrap_servers=self.kafka)
        await admin.start()
        try:
            await admin.delete_topics([topic for topic in await admin.list_topics() if topic.startswith(prefix)])
        finally:
            await admin.close()

    @asynccontextmanager
    async def service(
        self, name: str, dsn: str, prefix: str, *, module: str = "", **settings: str
    ) -> AsyncIterator["Running"]:
        """A real process of a service, ready, with its tables made; stopped at the end."""
        port = take_port()
        known = {
            "DATABASE_URL": dsn,
            "KAFKA": self.kafka,
            "TOPIC_PREFIX": prefix,
            "HOST": HOST,
            "PORT": str(port),
            "MIGRATE": "true",
            "LOG_LEVEL": "warning",
            "REQUESTS_PER_SECOND": "0",
        }
        env = {f"{name.upper()}_{setting}": value for setting, value in (known | settings).items()}
        words = [sys.executable, "-m", module or f"services.{name}.app"]
        process = start_process(name, words, self.folder / "logs" / f"{name}.log", env)
        try:
            await until_it_answers(process, f"http://{HOST}:{port}/readyz", READY_WITHIN)
            yield Running(process, port)
        finally:
            await process.stop()

    @asynccontextmanager
    async def python(self, module: str, *words: str) -> AsyncIterator[Process]:
        """A process of one of the bare references; stopped at the end."""
        command = [sys.executable, "-m", module, *words]
        process = start_process(module, command, self.folder / "logs" / f"{module}.log")
        try:
            yield process
        finally:
            await process.stop()


@dataclass(frozen=True)
class Running:
    """A process of a service and the port of its API, on the loopback address."""

    process: Process
    port: int


@asynccontextmanager
async def the_world(
    *, quick: bool, orders: int | None = None, data: Path | None = None, keep: bool = False, fresh: bool = False
) -> AsyncIterator[World]:
    """The servers named by TEST_DATABASE_URL and TEST_KAFKA; each that is not named is started for this run alone."""
    folder = cache_folder() / "benchmarks"
    database_url, broker = os.environ.get("TEST_DATABASE_URL"), os.environ.get("TEST_KAFKA")
    database_pid = broker_pid = None
    async with AsyncExitStack() as undo:
        undo.enter_context(locked_or_busy(folder / "run.lock"))
        if database_url is None:
            await postgres.forget(folder / "postgres")
            undo.push_async_callback(postgres.forget, folder / "postgres")
            server = await postgres.start(folder / "postgres", take_port(), folder / "logs" / "postgres.log")
            undo.push_async_callback(server.stop)
            database_url, database_pid = server.url(), server.process.pid
        if broker is None:
            await kafka.forget(folder / "kafka")
            undo.push_async_callback(kafka.forget, folder / "kafka")
            taken: set[int] = set()
            ports = take_port(taken=taken), take_port(taken=taken)
            started = await kafka.start(folder / "kafka", *ports, folder / "logs" / "kafka.log")
            undo.push_async_callback(started.stop)
            broker, broker_pid = started.bootstrap, started.process.pid
        yield World(database_url, broker, folder, quick, database_pid, broker_pid, orders, data, keep, fresh)


async def _execute(url: str, statement: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(statement)
    finally:
        await asyncio.shield(connection.close())

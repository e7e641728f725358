"""Real servers for tests: those named by the environment, else containers where an engine answers, else processes.

Nothing is started before the first test that asks; every test has a database and a topic prefix of its own.
"""

import asyncio
import os
import secrets
import socket
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Protocol, TypeVar
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from tests.plugins.local_servers import LocalServers
from tests.plugins.waiting import eventually

T = TypeVar("T")
CreateDatabase = Callable[[], Awaitable[str]]
CreateTopics = Callable[..., Awaitable[list[str]]]
_TOPIC_SETTINGS = {"message.timestamp.type": "LogAppendTime", "max.message.bytes": str(2 * 1024 * 1024)}


class Servers(Protocol):
    """Where a session's servers come from."""

    folder: Path

    def join(self) -> None: ...
    def leave(self) -> None: ...
    def postgres_url(self) -> str: ...
    def kafka(self) -> str: ...


_servers = pytest.StashKey[Servers]()


def pytest_configure(config: pytest.Config) -> None:
    """Choose where servers come from; the workers of one run use what their controller chose."""
    worker = getattr(config, "workerinput", None)
    if worker is not None:
        folder = Path(worker["servers_folder"])
        config.stash[_servers] = _containers(folder) if worker["servers_are_containers"] else LocalServers(folder)
        return
    chosen = _containers(Path(tempfile.mkdtemp(prefix="servers-"))) if _wants_containers() else LocalServers()
    chosen.join()
    config.stash[_servers] = chosen


def _wants_containers() -> bool:
    wanted = os.environ.get("TEST_SERVERS")
    if wanted in {"local", "containers"}:
        return wanted == "containers"
    if not _something_listens(os.environ.get("DOCKER_HOST") or "unix:///var/run/docker.sock"):
        return False
    from tests.plugins import containers  # noqa: PLC0415 - its imports take a second, and most runs need none of them

    return containers.engine_answers()


def _something_listens(engine: str) -> bool:
    path = engine.removeprefix("unix://")
    if path == engine:
        return True
    with socket.socket(socket.AF_UNIX) as probe:
        return probe.connect_ex(path) == 0


def _containers(folder: Path) -> Servers:
    from tests.plugins import containers  # noqa: PLC0415 - as above

    return containers.ContainerServers(folder)


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Tell a worker of pytest-xdist what was chosen."""
    chosen = node.config.stash[_servers]
    node.workerinput["servers_folder"] = str(chosen.folder)
    node.workerinput["servers_are_containers"] = not isinstance(chosen, LocalServers)


def pytest_unconfigure(config: pytest.Config) -> None:
    """The session that chose is the one that leaves; workers leave nothing behind."""
    if not hasattr(config, "workerinput") and _servers in config.stash:
        config.stash[_servers].leave()


def apart(work: Callable[[], T]) -> T:
    """Run `work` on a thread of its own, where it may have an event loop of its own."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(work).result()


@pytest.fixture(scope="session")
def kafka(pytestconfig: pytest.Config) -> str:
    """The address of a real Kafka, `host:port`."""
    return os.environ.get("TEST_KAFKA") or apart(pytestconfig.stash[_servers].kafka)


@pytest.fixture(scope="session")
def postgres_url(pytestconfig: pytest.Config) -> str:
    """The address of a real PostgreSQL, as a user who may create databases."""
    return os.environ.get("TEST_DATABASE_URL") or apart(pytestconfig.stash[_servers].postgres_url)


@pytest.fixture
async def create_database(postgres_url: str) -> AsyncIterator[CreateDatabase]:
    """Call it for the address of a new, empty database; all of them are dropped after the test."""
    made: list[str] = []

    async def create() -> str:
        name = f"test_{secrets.token_hex(6)}"
        await execute(postgres_url, f"create database {name}")
        made.append(name)
        return urlunsplit(urlsplit(postgres_url)._replace(path=f"/{name}"))

    yield create
    for name in made:
        await execute(postgres_url, f"drop database {name} with (force)")


@pytest.fixture
async def database_url(create_database: CreateDatabase) -> str:
    """The address of a new, empty database, dropped after the test."""
    return await create_database()


@pytest.fixture
async def topic_prefix(kafka: str) -> AsyncIterator[str]:
    """A prefix such as `t3f9a1.` that no other test has; topics with it are deleted after the test."""
    prefix = f"t{secrets.token_hex(4)}."
    yield prefix
    await delete_topics(kafka, prefix)


@pytest.fixture
def create_topics(kafka: str, topic_prefix: str) -> CreateTopics:
    """`await create_topics(["orders.events"], partitions=2, settings={...})` makes topics with the test's prefix.

    Returns their full names, in the order given, when every partition has a leader.
    """

    async def create(names: Iterable[str], partitions: int = 2, settings: Mapping[str, str] | None = None) -> list[str]:
        full = [name if name.startswith(topic_prefix) else topic_prefix + name for name in names]
        config = {**_TOPIC_SETTINGS, **(settings or {})}
        admin = await _admin(kafka)
        try:
            await admin.create_topics([NewTopic(name, partitions, 1, topic_configs=config) for name in full])
            await eventually(lambda: _all_led(admin, full, partitions), waiting_for=f"leaders of {full}")
        finally:
            await admin.close()
        return full

    return create


async def _all_led(admin: AIOKafkaAdminClient, topics: list[str], partitions: int) -> bool:
    described = await admin.describe_topics(topics)
    led = [partition for topic in described for partition in topic["partitions"] if partition["leader"] >= 0]
    return len(led) == partitions * len(topics)


async def _admin(kafka: str) -> AIOKafkaAdminClient:
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka)
    await admin.start()
    return admin


async def delete_topics(kafka: str, prefix: str) -> None:
    """Delete all topics with this prefix."""
    admin = await _admin(kafka)
    try:
        mine = [topic for topic in await admin.list_topics() if topic.startswith(prefix)]
        if mine:
            await admin.delete_topics(mine)
    finally:
        await admin.close()


async def execute(url: str, statement: str) -> None:
    """Run one statement on a connection of its own."""
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(statement)
    finally:
        await asyncio.shield(connection.close())

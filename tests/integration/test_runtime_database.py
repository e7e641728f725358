"""A transaction is done, not done, or unknown, and the one who asked is told which."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest

from shared.messaging.part import Periodic
from shared.runtime.database import DatabaseAway, OutcomeUnknown, Pool, close_pool, connected, open_pool, transaction
from tests.plugins.waiting import eventually


class Wire:
    """A wire to the database that can be cut at the moment when COMMIT passes."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._to = (parts.hostname or "127.0.0.1", parts.port or 5432)
        self._parts = parts
        self.cut_after_commit = False
        self.cut_before_commit = False
        self._tasks: set[asyncio.Task[None]] = set()

    def url(self, port: int) -> str:
        user = self._parts.netloc.rpartition("@")[0]
        return urlunsplit(self._parts._replace(netloc=f"{user}@127.0.0.1:{port}"))

    async def connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection(*self._to)
        ends = (writer, back)
        for task in (
            asyncio.create_task(self._carry(reader, back, ends, outwards=True)),
            asyncio.create_task(self._carry(there, writer, ends, outwards=False)),
        ):
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _carry(
        self,
        source: asyncio.StreamReader,
        sink: asyncio.StreamWriter,
        ends: tuple[asyncio.StreamWriter, asyncio.StreamWriter],
        *,
        outwards: bool,
    ) -> None:
        near, far = ends
        while data := await source.read(65536):
            commits = outwards and b"COMMIT;" in data
            if commits and self.cut_before_commit:
                far.transport.abort()
                break
            if commits and self.cut_after_commit:
                near.transport.abort()
            sink.write(data)
        for end in ends:
            end.close()

    async def gone(self) -> None:
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


@asynccontextmanager
async def wire_to(url: str) -> AsyncIterator[tuple[Wire, str]]:
    wire = Wire(url)
    server = await asyncio.start_server(wire.connect, "127.0.0.1", 0)
    yield wire, wire.url(server.sockets[0].getsockname()[1])
    server.close()
    await wire.gone()


async def change(pool: Pool, *statements: str) -> None:
    """Run statements in one transaction."""
    async with transaction(pool) as connection:
        for statement in statements:
            await connection.execute(statement)


async def test_a_commit_that_is_done_but_not_answered_is_unknown(database_url: str) -> None:
    watcher = await asyncpg.connect(database_url)
    await watcher.execute("create table change (n int)")
    async with wire_to(database_url) as (wire, url):
        pool = await open_pool(url, name="test")
        wire.cut_after_commit = True
        with pytest.raises(OutcomeUnknown):
            await change(pool, "insert into change values (1)")

        async def done() -> bool:
            return bool(await watcher.fetchval("select count(*) from change") == 1)

        await eventually(done)
        pool.terminate()
    await watcher.close()


async def test_a_commit_that_never_arrived_is_unknown_too(database_url: str) -> None:
    watcher = await asyncpg.connect(database_url)
    await watcher.execute("create table change (n int)")
    async with wire_to(database_url) as (wire, url):
        pool = await open_pool(url, name="test")
        wire.cut_before_commit = True
        with pytest.raises(OutcomeUnknown):
            await change(pool, "insert into change values (1)")
        pool.terminate()
    assert await watcher.fetchval("select count(*) from change") == 0
    await watcher.close()


async def test_a_connection_lost_before_commit_is_a_plain_failure(database_url: str) -> None:
    pool = await open_pool(database_url, name="test")
    with pytest.raises((asyncpg.PostgresConnectionError, asyncpg.InterfaceError, asyncpg.AdminShutdownError)):
        await change(pool, "select pg_terminate_backend(pg_backend_pid())")
    async with connected(pool) as connection:
        assert await connection.fetchval("select 1") == 1
    await pool.close()


async def test_what_raises_in_a_transaction_rolls_it_back(database_url: str) -> None:
    pool = await open_pool(database_url, name="test")
    async with connected(pool) as connection:
        await connection.execute("create table change (n int primary key deferrable initially deferred)")
    with pytest.raises(asyncpg.UniqueViolationError):
        await change(pool, "insert into change values (1), (1)")
    with pytest.raises(asyncpg.DivisionByZeroError):
        await change(pool, "insert into change values (2)", "select 1 / 0")
    async with connected(pool) as connection:
        assert await connection.fetch("select from change") == []
    await pool.close()


async def test_a_pool_with_no_free_connection_says_so_in_time(database_url: str) -> None:
    pool = await open_pool(database_url, name="test", connections=1)
    async with connected(pool):
        with pytest.raises(DatabaseAway):
            async with transaction(pool, wait=0.05):
                pass
    async with transaction(pool, wait=0.05) as connection:
        assert await connection.fetchval("select 1") == 1
    await pool.close()


async def test_a_database_that_is_not_there_says_so() -> None:
    pool = await open_pool("postgresql://nobody@127.0.0.1:1/nothing", name="test")
    with pytest.raises(DatabaseAway):
        async with connected(pool):
            pass
    await pool.close()


async def test_an_open_transaction_does_not_come_back_with_the_connection(database_url: str) -> None:
    pool = await open_pool(database_url, name="test", connections=1)
    async with connected(pool) as connection:
        await connection.execute("create table change (n int)")
        await connection.execute("begin; insert into change values (1)")
    async with connected(pool) as connection:
        assert not connection.is_in_transaction()
        assert await connection.fetchval("select count(*) from change") == 0
    async with transaction(pool) as connection:
        await connection.execute("set local lock_timeout = '17s'")
    async with connected(pool) as connection:
        assert await connection.fetchval("show lock_timeout") == "0"
    await pool.close()


async def test_connections_say_who_they_are_and_do_not_sit_in_transactions(database_url: str) -> None:
    seen: list[int] = []

    async def look(connection: asyncpg.pool.PoolConnectionProxy | asyncpg.Connection) -> None:
        seen.append(connection.get_server_pid())

    pool = await open_pool(database_url, name="orders", on_connect=look)
    async with connected(pool) as connection:
        assert seen == [connection.get_server_pid()]
        assert await connection.fetchval("select current_setting('application_name')") == "orders"
        assert await connection.fetchval("select current_setting('idle_in_transaction_session_timeout')") == "10s"
    await pool.close()


async def test_closing_does_not_wait_for_ever_for_a_lent_connection(database_url: str) -> None:
    pool = await open_pool(database_url, name="test")
    connection = await pool.acquire()
    process = connection.get_server_pid()
    await close_pool(pool, within=0.05)
    watcher = await asyncpg.connect(database_url)

    async def cut() -> bool:
        return await watcher.fetchval("select true from pg_stat_activity where pid = $1", process) is None

    await eventually(cut)
    await watcher.close()


async def test_a_part_that_takes_turns_waits_for_a_database_that_is_away() -> None:
    pool = await open_pool("postgresql://nobody@127.0.0.1:1/nothing", name="test")

    class Turning(Periodic):
        turns = 0

        async def turn(self) -> bool:
            self.turns += 1
            async with transaction(pool):
                return False

    part, stopping = Turning("a part", every=0.01), asyncio.Event()
    running = asyncio.create_task(part.run(stopping))
    await eventually(lambda: part.turns > 2 or running.done(), waiting_for="the part to try again")
    stopping.set()
    await running
    await close_pool(pool)

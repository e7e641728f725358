"""A migration is applied whole or not at all, once, and by one process at a time."""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import asyncpg
import pytest

from shared.runtime import migrations
from shared.runtime.database import Connection
from shared.runtime.migrations import RUNTIME_MIGRATIONS, MigrationError, migrate, pending
from tests.plugins.waiting import eventually

Write = Callable[[str, str], Path]


@pytest.fixture
async def connection(database_url: str) -> AsyncIterator[Connection]:
    connection = await asyncpg.connect(database_url)
    yield connection
    await connection.close()


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write(name: str, text: str) -> Path:
        (tmp_path / name).write_text(text, encoding="utf-8")
        return tmp_path

    return write


def up(statement: str) -> str:
    return f"-- migrate:up\n{statement}\n\n-- migrate:down\nselect 'never run';\n"


async def test_files_are_applied_in_order_once_and_recorded(connection: Connection, write: Write) -> None:
    write("0002_more.sql", up("alter table thing add column size int;"))
    folder = write("0001_thing.sql", up("create table thing (id int); create index on thing (id);"))
    assert await migrate(connection, [("shop", folder)]) == ["shop/0001_thing", "shop/0002_more"]
    assert await migrate(connection, [("shop", folder)]) == []
    rows = await connection.fetch("select folder, version, name, applied_at from schema_migrations order by version")
    assert [tuple(row)[:3] for row in rows] == [("shop", "0001", "thing"), ("shop", "0002", "more")]
    assert await connection.fetchval("select count(size) from thing") == 0


async def test_several_folders_number_their_files_each_for_itself(connection: Connection, write: Write) -> None:
    folder = write("0001_thing.sql", up("create table thing (id int);"))
    assert await migrate(connection, [RUNTIME_MIGRATIONS, ("shop", folder)]) == [
        "runtime/0001_tokens",
        "runtime/0002_idempotency",
        "runtime/0003_token_actors",
        "shop/0001_thing",
    ]


async def test_a_file_that_fails_leaves_nothing_behind_and_the_ones_before_it_stay(
    connection: Connection, write: Write
) -> None:
    write("0001_thing.sql", up("create table thing (id int);"))
    folder = write("0002_bad.sql", up("create table other (id int); insert into other select 1/0;"))
    with pytest.raises(MigrationError, match=r"shop/0002_bad failed and was rolled back: division by zero"):
        await migrate(connection, [("shop", folder)])
    assert await connection.fetchval("select to_regclass('thing') is not null and to_regclass('other') is null")
    assert [str(left) for left in await pending(connection, [("shop", folder)])] == ["shop/0002_bad"]


async def test_a_process_killed_in_the_middle_of_a_file_leaves_nothing_and_the_next_one_applies_it(
    connection: Connection, database_url: str, write: Write
) -> None:
    """The server finishes the statement that it is at, finds nobody there, and takes it back."""
    folder = write("0001_thing.sql", up("create table thing (id int); select pg_sleep(1); create index on thing (id);"))
    killed = await asyncpg.connect(database_url)
    applying = asyncio.create_task(migrate(killed, [("shop", folder)]))
    asleep = "select count(*) from pg_stat_activity where datname = current_database() and wait_event = 'PgSleep'"
    await eventually(lambda: connection.fetchval(asleep))
    killed.terminate()
    await asyncio.wait([applying])
    assert applying.exception() is not None
    assert await migrate(connection, [("shop", folder)]) == ["shop/0001_thing"]
    assert await connection.fetchval("select count(*) from pg_indexes where tablename = 'thing'") == 1


async def test_what_was_applied_by_hand_in_part_is_told_by_name_and_can_be_cleared_away(
    connection: Connection, write: Write
) -> None:
    folder = write("0001_thing.sql", up("create table thing (id int); create table other (id int);"))
    await connection.execute("create table thing (id int)")
    with pytest.raises(MigrationError, match='shop/0001_thing failed and was rolled back: relation "thing" already'):
        await migrate(connection, [("shop", folder)])
    assert await connection.fetchval("select to_regclass('other') is null")
    await connection.execute("drop table thing")
    assert await migrate(connection, [("shop", folder)]) == ["shop/0001_thing"]


async def test_a_file_changed_after_it_was_applied_is_refused_by_name(connection: Connection, write: Write) -> None:
    folder = write("0001_thing.sql", up("create table thing (id int);"))
    await migrate(connection, [("shop", folder)])
    write("0001_thing.sql", up("create table thing (id bigint);"))
    with pytest.raises(MigrationError, match="shop/0001_thing was changed after it was applied"):
        await migrate(connection, [("shop", folder)])


async def test_other_line_endings_are_no_change(connection: Connection, write: Write) -> None:
    folder = write("0001_thing.sql", up("create table thing (id int);"))
    await migrate(connection, [("shop", folder)])
    (folder / "0001_thing.sql").write_bytes(up("create table thing (id int);").replace("\n", "\r\n").encode())
    assert await migrate(connection, [("shop", folder)]) == []


async def test_a_number_below_an_applied_one_is_refused(connection: Connection, write: Write) -> None:
    folder = write("0002_thing.sql", up("create table thing (id int);"))
    await migrate(connection, [("shop", folder)])
    write("0001_late.sql", up("create table late (id int);"))
    with pytest.raises(MigrationError, match="shop/0001_late is numbered below 0002"):
        await migrate(connection, [("shop", folder)])


async def test_an_older_release_does_not_mind_what_a_newer_one_applied(connection: Connection, write: Write) -> None:
    write("0001_thing.sql", up("create table thing (id int);"))
    folder = write("0002_newer.sql", up("create table newer (id int);"))
    await migrate(connection, [("shop", folder)])
    (folder / "0002_newer.sql").unlink()
    assert await migrate(connection, [("shop", folder)]) == []


async def test_processes_that_start_at_once_take_turns(database_url: str, write: Write) -> None:
    folder = write("0001_thing.sql", up("create table thing (id int); select pg_sleep(0.2);"))
    connections = [await asyncpg.connect(database_url) for _ in range(4)]
    applied = await asyncio.gather(*(migrate(connection, [("shop", folder)]) for connection in connections))
    assert sorted(applied) == [[], [], [], ["shop/0001_thing"]]
    for connection in connections:
        await connection.close()


async def test_a_table_in_use_is_waited_for_without_holding_up_its_readers(
    connection: Connection,
    database_url: str,
    write: Write,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(migrations, "LOCK_TIMEOUT", "50ms")
    monkeypatch.setattr(migrations, "PAUSE", 0.05)
    await connection.execute("create table thing (id int)")
    folder = write("0001_more.sql", up("alter table thing add column size int;"))
    reader = await asyncpg.connect(database_url)
    async with reader.transaction():
        await reader.execute("select from thing")
        task = asyncio.create_task(migrate(connection, [("shop", folder)]))
        other = await asyncpg.connect(database_url)
        await eventually(lambda: waiting_for_a_lock(other), every=0)
        assert await other.fetch("select from thing") == []
        await other.close()
    assert await task == ["shop/0001_more"]
    await reader.close()


async def waiting_for_a_lock(connection: Connection) -> bool:
    found: bool = await connection.fetchval("select exists (select from pg_locks where not granted)")
    return found


async def test_a_table_that_never_becomes_free_is_reported(
    connection: Connection,
    database_url: str,
    write: Write,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(migrations, "LOCK_TIMEOUT", "10ms")
    monkeypatch.setattr(migrations, "PAUSE", 0.0)
    await connection.execute("create table thing (id int)")
    folder = write("0001_more.sql", up("alter table thing add column size int;"))
    reader = await asyncpg.connect(database_url)
    async with reader.transaction():
        await reader.execute("select from thing")
        with pytest.raises(MigrationError, match="shop/0001_more did not get its locks"):
            await migrate(connection, [("shop", folder)])
    await reader.close()


@pytest.mark.parametrize(
    ("name", "text", "reason"),
    [
        ("1_thing.sql", up("select 1"), "expected the name 0001_words.sql"),
        ("0001_thing.sql", "select 1", "a line `-- migrate:up`"),
        ("0001_thing.sql", "-- migrate:up transaction:false\nselect 1", "no options after migrate:up"),
    ],
)
async def test_a_file_of_another_form_is_refused(
    name: str, text: str, reason: str, connection: Connection, write: Write
) -> None:
    with pytest.raises(MigrationError, match=reason):
        await migrate(connection, [("shop", write(name, text))])


async def test_a_version_that_stands_twice_and_a_folder_that_is_missing_are_refused(
    connection: Connection, write: Write
) -> None:
    write("0001_a.sql", up("select 1"))
    folder = write("0001_b.sql", up("select 1"))
    with pytest.raises(MigrationError, match="shop: version 0001 stands twice"):
        await migrate(connection, [("shop", folder)])
    with pytest.raises(MigrationError, match="'shop' is missing"):
        await migrate(connection, [("shop", folder / "none")])

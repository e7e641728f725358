"""Tokens are made in the services named, shown once, and revoked."""

import asyncpg
import pytest

from shared.runtime.database import open_pool
from shared.runtime.migrations import RUNTIME_MIGRATIONS, migrate
from shared.runtime.tokens import Tokens
from tests.plugins.operator import ops
from tests.plugins.servers import CreateDatabase

MAKE = ("tokens", "make", "--shop", "nordic-tea", "--name", "shop front", "--scope", "orders:write")


@pytest.fixture
async def url(database_url: str) -> str:
    await prepare(database_url)
    return database_url


async def prepare(url: str) -> None:
    connection = await asyncpg.connect(url)
    await migrate(connection, [RUNTIME_MIGRATIONS])
    await connection.close()


async def works(url: str, token: str) -> bool:
    async with await open_pool(url, name="test") as pool:
        return await Tokens(pool).caller(token) is not None


async def test_a_token_is_alone_on_stdout_works_and_works_no_longer_when_it_was_revoked(url: str) -> None:
    database = ("-d", f"orders={url}")
    made = await ops(*MAKE, *database)
    assert made.code == 0, made.err
    token = made.out.strip()
    assert await works(url, token)

    listed = (await ops("tokens", "list", *database, "--json")).document
    assert [(row["shop"], row["name"], row["scopes"]) for row in listed] == [
        ("nordic-tea", "shop front", ["orders:write"])
    ]
    assert token.split("_", 2)[2] not in (await ops("tokens", "list", *database)).out

    revoked = await ops("tokens", "revoke", listed[0]["id"], *database)
    assert (revoked.code, revoked.out) == (0, "revoked in orders\n")
    assert not await works(url, token)
    again = await ops("tokens", "revoke", listed[0]["id"], *database)
    assert again.code == 1


async def test_each_service_named_gets_a_token_of_its_own(url: str, create_database: CreateDatabase) -> None:
    other = await create_database()
    await prepare(other)
    databases = {"OPS_DATABASES": f"orders={url},notifications={other}"}
    made = await ops(*MAKE, "--json", env=databases)
    tokens = {row["service"]: row["token"] for row in made.document}
    assert await works(url, tokens["orders"])
    assert await works(other, tokens["notifications"])
    assert not await works(url, tokens["notifications"])
    lines = [line.split() for line in (await ops(*MAKE, env=databases)).out.splitlines()]
    assert [line[0] for line in lines] == ["orders", "notifications"]


async def test_a_scope_that_is_none_is_asked_wrongly_and_makes_nothing(url: str) -> None:
    database = ("-d", f"orders={url}")
    answer = await ops(*MAKE[:-1], "WRITE!", *database)
    assert answer.code == 2
    assert "expected at least one scope" in answer.err
    assert (await ops("tokens", "list", *database, "--json")).document == []


async def test_a_database_without_the_table_is_told_which_migration_it_misses(database_url: str) -> None:
    answer = await ops("tokens", "list", "-d", f"orders={database_url}")
    assert answer.code == 3
    assert answer.err == (
        "Error: the database of orders has not had all migrations; missing: "
        "runtime/0001_tokens, runtime/0002_idempotency, runtime/0003_token_actors\n"
    )

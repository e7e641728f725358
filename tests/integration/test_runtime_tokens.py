"""A token works for its shop and its scopes, is kept only as a hash, and a revoked one stops within seconds."""

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from shared.runtime.database import Pool, connected
from shared.runtime.tokens import Tokens, list_tokens, make_token, revoke_token
from tests.integration.runtime_database import migrated_pool
from tests.plugins.waiting import eventually

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def filled(postgres_url: str) -> AsyncIterator[Pool]:
    async with migrated_pool(postgres_url, connections=8) as pool:
        yield pool


@pytest_asyncio.fixture(loop_scope="module")
async def pool(filled: Pool) -> Pool:
    async with connected(filled) as connection:
        await connection.execute("truncate api_token")
    return filled


async def make(pool: Pool, shop: str = "tea", scopes: tuple[str, ...] = ("orders:read",)) -> str:
    async with connected(pool) as connection:
        return await make_token(connection, shop, "till", scopes)


async def test_a_token_is_known_by_its_shop_and_its_scopes(pool: Pool) -> None:
    token = await make(pool, scopes=("orders:write", "orders:read"))
    caller = await Tokens(pool).caller(token)
    assert caller is not None
    assert caller.shop == "tea"
    assert caller.scopes == {"orders:read", "orders:write"}
    assert caller.actor == f"token/{caller.token_id}"
    assert caller.may("orders:write")
    assert not caller.may("tokens:write")


async def test_an_operators_token_is_for_any_shop_and_every_scope(pool: Pool) -> None:
    caller = await Tokens(pool).caller(await make(pool, "*", ("operator",)))
    assert caller is not None
    assert caller.shop == "*"
    assert caller.may("orders:write")


async def test_the_database_has_no_secret(pool: Pool) -> None:
    token = await make(pool)
    async with connected(pool) as connection:
        row = await connection.fetchval("select api_token::text from api_token")
    assert token.split("_", 2)[2] not in row


@pytest.mark.parametrize(
    "change",
    [
        lambda token: token[:-1] + ("A" if token[-1] != "A" else "B"),
        lambda token: token.replace("ot_", "xx_"),
        lambda token: "ot_0000000000000000_" + token.split("_", 2)[2],
        lambda token: token + "A",
        lambda token: token + "\n",
        lambda token: "\x00" + token,
        lambda _token: "",
        lambda _token: "ot__",
    ],
)
async def test_anything_else_is_nobody(change: object, pool: Pool) -> None:
    assert callable(change)
    token = await make(pool)
    tokens = Tokens(pool)
    assert await tokens.caller(change(token)) is None
    assert await tokens.caller(token) is not None


async def test_a_revoked_token_stops_within_the_time_that_it_is_kept(pool: Pool) -> None:
    token = await make(pool)
    tokens = Tokens(pool, keep=0.3)
    assert await tokens.caller(token)
    async with connected(pool) as connection:
        assert await revoke_token(connection, token.split("_")[1])
        assert not await revoke_token(connection, token.split("_")[1])
        assert not await revoke_token(connection, "0000000000000000")

    async def stopped() -> bool:
        return await tokens.caller(token) is None

    await eventually(stopped, timeout=2)


async def test_many_requests_at_once_ask_the_database_once(pool: Pool) -> None:
    token = await make(pool)
    tokens = Tokens(pool)
    async with connected(pool) as connection:
        await connection.execute("create table asked (n int)")
        await connection.execute(
            "create function ask() returns trigger language plpgsql as "
            "$$ begin insert into asked values (1); return new; end $$"
        )
        await connection.execute("create trigger asked before update on api_token execute function ask()")
    callers = await asyncio.gather(*(tokens.caller(token) for _ in range(100)))
    assert all(callers)
    async with connected(pool) as connection:
        assert await connection.fetchval("select count(*) from asked") == 1


async def test_what_is_kept_in_memory_is_bounded(pool: Pool) -> None:
    made = [await make(pool) for _ in range(5)]
    tokens = Tokens(pool, most=2)
    for token in made:
        assert await tokens.caller(token)
    assert len(tokens._known) == 2  # noqa: SLF001 - its size shows nowhere else
    assert await tokens.caller(made[0])


async def test_the_list_shows_when_a_token_was_used_and_only_by_its_owner(pool: Pool) -> None:
    token = await make(pool)
    await make(pool, "coffee")
    await Tokens(pool).caller(token[:-4] + "AAAA")
    async with connected(pool) as connection:
        (row,) = await list_tokens(connection, "tea")
        assert row.last_used_at is None
    await Tokens(pool).caller(token)
    async with connected(pool) as connection:
        (row,) = await list_tokens(connection, "tea")
        assert row.last_used_at is not None
        assert (row.name, row.scopes, row.revoked_at) == ("till", ("orders:read",), None)
        assert [other.shop for other in await list_tokens(connection)] == ["coffee", "tea"]


@pytest.mark.parametrize(
    ("shop", "name", "scopes"),
    [
        ("tea", "till", ()),
        ("tea", "till", ("Orders Write",)),
        ("tea", "till", ("operator",)),
        ("*", "till", ("orders:read",)),
        ("", "till", ("orders:read",)),
        ("tea", "", ("orders:read",)),
        ("tea", "x" * 129, ("orders:read",)),
    ],
)
async def test_a_token_that_makes_no_sense_is_not_made(
    shop: str, name: str, scopes: tuple[str, ...], pool: Pool
) -> None:
    async with connected(pool) as connection:
        with pytest.raises(ValueError, match=r"(scope|shop)"):
            await make_token(connection, shop, name, scopes)
        assert await list_tokens(connection) == []

"""A key gives the first answer again, and whatever happens at once, a change is made once."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
import pytest_asyncio

from shared.runtime.database import Connection, Pool, connected, transaction
from shared.runtime.idempotency import (
    AT_ONCE,
    Answer,
    AnsweredBefore,
    KeyReused,
    claimed,
    forget_old,
    remember,
)
from tests.integration.runtime_database import migrated_pool
from tests.plugins.waiting import eventually

pytestmark = pytest.mark.asyncio(loop_scope="module")

HASH = b"h" * 32
OTHER = b"o" * 32


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def filled(postgres_url: str) -> AsyncIterator[Pool]:
    async with migrated_pool(postgres_url, connections=24) as pool:
        async with connected(pool) as connection:
            await connection.execute("create table change (n int)")
        yield pool


@pytest_asyncio.fixture(loop_scope="module")
async def pool(filled: Pool) -> Pool:
    async with connected(filled) as connection:
        await connection.execute("truncate idempotency, change")
    return filled


async def by_claim(pool: Pool, shop: str = "tea", key: str = "k", wanted: bytes = HASH, n: int = 1) -> Answer:
    """Make a change and answer with its number, the way a route does that learns its answer late."""
    async with transaction(pool) as connection, claimed(connection, shop, key, wanted) as claim:
        if claim.seen:
            return claim.seen
        await connection.execute("insert into change values ($1)", n)
        claim.answer = Answer(201, b'{"n": %d}' % n, {"ETag": '"1"'})
        return claim.answer


async def by_memory(pool: Pool, shop: str = "tea", key: str = "k", wanted: bytes = HASH, n: int = 1) -> Answer:
    """The same in one statement less, the way a route does that knows its answer beforehand."""
    answer = Answer(201, b'{"n": %d}' % n, {"ETag": '"1"'})
    try:
        async with transaction(pool) as connection:
            await connection.execute("insert into change values ($1)", n)
            await remember(connection, shop, key, wanted, answer)
    except AnsweredBefore as before:
        return before.answer
    return answer


ways = pytest.mark.parametrize("way", [by_claim, by_memory])


async def changes(pool: Pool) -> list[int]:
    async with connected(pool) as connection:
        return [row["n"] for row in await connection.fetch("select n from change order by n")]


@ways
async def test_the_same_key_and_request_get_the_first_answer(way: object, pool: Pool) -> None:
    assert callable(way)
    first = await way(pool, n=1)
    assert await way(pool, n=2) == first == Answer(201, b'{"n": 1}', {"ETag": '"1"'})
    assert await changes(pool) == [1]
    sent = first.response()
    assert (sent.status_code, sent.headers["etag"], sent.headers["content-type"]) == (201, '"1"', "application/json")


@ways
async def test_the_same_key_with_another_request_is_refused(way: object, pool: Pool) -> None:
    assert callable(way)
    await way(pool)
    with pytest.raises(KeyReused) as refused:
        await way(pool, wanted=OTHER)
    assert refused.value.status_code == 422
    assert refused.value.document["type"] == "/problems/idempotency-key-reused"
    assert await changes(pool) == [1]


@ways
async def test_keys_belong_to_their_shop(way: object, pool: Pool) -> None:
    assert callable(way)
    await way(pool, shop="tea", n=1)
    assert (await way(pool, shop="coffee", wanted=OTHER, n=2)).body == b'{"n": 2}'
    assert await changes(pool) == [1, 2]


@ways
async def test_of_twenty_at_once_one_makes_the_change_and_all_get_its_answer(way: object, pool: Pool) -> None:
    assert callable(way)
    answers = await asyncio.gather(*(way(pool, n=n) for n in range(20)))
    assert len({answer.body for answer in answers}) == 1
    assert len(await changes(pool)) == 1


async def one_is_waiting(connection: Connection) -> bool:
    found: bool = await connection.fetchval("select exists (select from pg_locks where not granted)")
    return found


@ways
async def test_a_request_waits_for_the_first_one_that_still_runs(way: object, pool: Pool) -> None:
    assert callable(way)
    async with transaction(pool) as first, claimed(first, "tea", "k", HASH) as claim:
        second = asyncio.create_task(way(pool, n=2))
        await eventually(lambda: one_is_waiting(first))
        claim.answer = Answer(200, b"first")
    assert (await second).body == b"first"
    assert await changes(pool) == []


@ways
async def test_when_the_first_one_is_rolled_back_the_waiting_one_is_the_first(way: object, pool: Pool) -> None:
    assert callable(way)
    begun: list[asyncio.Task[Answer]] = []

    async def refused_first() -> None:
        async with transaction(pool) as first, claimed(first, "tea", "k", HASH):
            begun.append(asyncio.create_task(way(pool, n=2)))
            await eventually(lambda: one_is_waiting(first))
            raise KeyReused

    with pytest.raises(KeyReused):
        await refused_first()
    assert (await begun[0]).body == b'{"n": 2}'
    assert await changes(pool) == [2]


async def test_a_claim_without_an_answer_is_a_mistake_that_changes_nothing(pool: Pool) -> None:
    with pytest.raises(RuntimeError, match="without an answer"):
        async with transaction(pool) as connection, claimed(connection, "tea", "k", HASH):
            await connection.execute("insert into change values (1)")
    assert await changes(pool) == []


async def test_answers_are_forgotten_after_a_week_and_not_before(pool: Pool) -> None:
    await by_claim(pool, key="young")
    async with connected(pool) as connection:
        await connection.execute(
            "insert into idempotency (shop, key, request_hash, created_at) "
            "select 'tea', n::text, $1, now() - interval '8 days' from generate_series(1, $2) n",
            HASH,
            AT_ONCE + 10,
        )
        assert await forget_old(connection) == AT_ONCE + 10
        assert await connection.fetchval("select key from idempotency") == "young"
        assert await forget_old(connection, timedelta(0)) == 1

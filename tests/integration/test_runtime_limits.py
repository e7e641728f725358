"""A token that asks too much, and an address that guesses, are told to wait; nobody else notices."""

from collections.abc import AsyncIterator
from typing import Annotated

import httpx2
import pytest
import pytest_asyncio
from fastapi import APIRouter, Depends

from shared.runtime.actors import Actors, PersonRole, Signer, new_key, public_key_of
from shared.runtime.database import Pool, connected
from shared.runtime.http import make_app
from shared.runtime.limits import Buckets, Limits
from shared.runtime.tokens import Caller, Tokens, authenticated, make_token, revoke_token
from tests.integration.runtime_database import migrated_pool

pytestmark = pytest.mark.asyncio(loop_scope="module")
SLOW = 1 / 3600

router = APIRouter()


@router.get("/mine")
async def mine(caller: Annotated[Caller, Depends(authenticated("things:read"))]) -> str:
    return caller.shop


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def pool(postgres_url: str) -> AsyncIterator[Pool]:
    async with migrated_pool(postgres_url, connections=4) as made:
        yield made


async def token_of(pool: Pool, shop: str = "tea") -> str:
    async with connected(pool) as connection:
        return await make_token(connection, shop, "till", ["things:read"])


class Asking:
    """A service with these limits, and who asks it, from any address."""

    def __init__(self, pool: Pool, limits: Limits) -> None:
        self.app = make_app("things", [router], state={"tokens": Tokens(pool, limits=limits, wait=30)})

    async def ask(self, token: str | None, address: str = "192.0.2.1") -> httpx2.Response:
        transport = httpx2.ASGITransport(self.app, client=(address, 4711))
        headers = {} if token is None else {"authorization": f"Bearer {token}"}
        async with httpx2.AsyncClient(transport=transport, base_url="http://things") as client:
            return await client.get("/mine", headers=headers)


def problem(answer: httpx2.Response) -> tuple[int, str]:
    assert answer.headers["content-type"] == "application/problem+json"
    return answer.status_code, answer.json()["type"]


async def test_a_token_that_asks_too_much_waits_and_no_other_does(pool: Pool) -> None:
    greedy, modest = await token_of(pool), await token_of(pool)
    asking = Asking(pool, Limits(requests=Buckets(SLOW, 3)))
    assert [(await asking.ask(greedy)).status_code for _ in range(3)] == [200, 200, 200]
    refused = await asking.ask(greedy)
    assert problem(refused) == (429, "/problems/too-many-requests")
    assert int(refused.headers["retry-after"]) > 3_000
    assert refused.headers["ratelimit"].startswith('"too-many-requests";r=0;t=')
    assert (await asking.ask(modest)).status_code == 200


async def test_an_address_that_guesses_is_heard_no_more_and_others_are(pool: Pool) -> None:
    asking = Asking(pool, Limits(wrong_tokens=Buckets(SLOW, 3)))
    in_use, new = await token_of(pool), await token_of(pool)
    assert (await asking.ask(in_use)).status_code == 200
    for n in range(3):
        assert problem(await asking.ask(f"ot_{n:016}_{'x' * 43}")) == (401, "/problems/unauthorized")
    refused = await asking.ask(f"ot_{4:016}_{'x' * 43}")
    assert problem(refused) == (429, "/problems/too-many-wrong-tokens")
    assert refused.headers["retry-after"]
    assert problem(await asking.ask(new))[0] == 429, "a right one is not told from a wrong one"
    assert (await asking.ask(in_use)).status_code == 200, "who was there before does not notice"
    assert (await asking.ask(new, "192.0.2.2")).status_code == 200
    assert problem(await asking.ask(None)) == (401, "/problems/unauthorized")


async def test_a_known_token_with_a_wrong_secret_is_a_guess(pool: Pool) -> None:
    asking = Asking(pool, Limits(wrong_tokens=Buckets(SLOW, 2)))
    token = await token_of(pool)
    assert (await asking.ask(token)).status_code == 200
    wrong = token[:-1] + ("A" if token[-1] != "A" else "B")
    assert [(await asking.ask(wrong)).status_code for _ in range(3)] == [401, 401, 429]
    assert (await asking.ask(token)).status_code == 200


async def test_a_revoked_token_becomes_a_guess(pool: Pool) -> None:
    asking = Asking(pool, Limits(wrong_tokens=Buckets(SLOW, 1)))
    asking.app.state.tokens = Tokens(pool, keep=0, limits=asking.app.state.tokens.limits)
    token = await token_of(pool)
    assert (await asking.ask(token)).status_code == 200
    async with connected(pool) as connection:
        await revoke_token(connection, token.split("_")[1])
    assert [(await asking.ask(token)).status_code for _ in range(2)] == [401, 429]


async def test_a_person_is_counted_as_a_token_is_and_guessing_never_keeps_them_out(pool: Pool) -> None:
    key, roles = new_key(), [PersonRole.VIEWER]
    asking = Asking(pool, Limits(requests=Buckets(SLOW, 2), wrong_tokens=Buckets(SLOW, 1)))
    asking.app.state.actors = Actors("things", [public_key_of(key)])
    greedy, modest = (Signer(key).sign("things", person, "tea", roles) for person in ("7", "8"))
    assert [(await asking.ask(greedy)).status_code for _ in range(3)] == [403, 403, 429]
    assert [(await asking.ask("nonsense")).status_code for _ in range(2)] == [401, 429]
    assert (await asking.ask(modest)).status_code == 403, "no viewer may read things, but it was heard"

"""A shop's tokens by HTTP: its own alone, and none that may do more than whoever makes it."""

from typing import Any

import httpx2
import pytest

from shared.runtime.tokens import ANY_SHOP, OPERATOR
from tests.integration.test_orders_shop_api import problem
from tests.plugins.orders import CallAs, Caller, OrdersAlone

pytestmark = pytest.mark.requirement("R083")


@pytest.fixture
async def keeper(call_as: CallAs) -> Caller:
    """Somebody who keeps the tokens of nordic-tea, and may read its orders."""
    return await call_as("nordic-tea", "tokens:write", "orders:read")


@pytest.fixture
async def operator(call_as: CallAs) -> Caller:
    return await call_as(ANY_SHOP, OPERATOR)


async def make(caller: Caller, *scopes: str, **fields: Any) -> httpx2.Response:
    return await caller.client.post("/v1/tokens", json={"name": "Shop front", "scopes": list(scopes)} | fields)


async def listed(caller: Caller, **asked: Any) -> dict[str, dict[str, Any]]:
    """By their ids."""
    answer = await caller.client.get("/v1/tokens", params=asked)
    assert answer.status_code == 200, answer.text
    return {token["id"]: token for token in answer.json()["tokens"]}


async def works(caller: Caller, token: str) -> int:
    headers = {"authorization": f"Bearer {token}"}
    return (await caller.client.get("/v1/orders", headers=headers)).status_code


async def test_a_token_is_made_used_seen_and_revoked(keeper: Caller, orders_alone: OrdersAlone) -> None:
    made = await make(keeper, "orders:read")
    assert (made.status_code, made.headers["cache-control"]) == (201, "no-store")
    token_id, token = made.json()["id"], made.json()["token"]
    assert await works(keeper, token) == 200
    shown = (await listed(keeper))[token_id]
    assert (shown["shop"], shown["name"], shown["scopes"]) == ("nordic-tea", "Shop front", ["orders:read"])
    assert shown["made_by"].startswith("token/")
    assert token not in str(await listed(keeper))
    assert (await keeper.client.delete(f"/v1/tokens/{token_id}")).status_code == 204
    assert token_id not in await listed(keeper)
    gone = (await listed(keeper, revoked=True))[token_id]
    assert gone["revoked_by"] == shown["made_by"]
    first = gone["revoked_at"]
    assert (await keeper.client.delete(f"/v1/tokens/{token_id}")).status_code == 204
    assert (await listed(keeper, revoked=True))[token_id]["revoked_at"] == first, "once"
    kept = await orders_alone.pool.fetchval("select string_agg(t::text, '') from api_token t")
    assert token.split("_")[2] not in kept


async def test_nobody_gives_what_they_may_not_do(keeper: Caller) -> None:
    for scopes in (["orders:write"], ["orders:read", "shop:write"], [OPERATOR]):
        assert problem(await make(keeper, *scopes)) == (403, "missing-scope")
    assert len(await listed(keeper)) == 1, "the keeper's own"
    may_give = (await keeper.client.get("/v1/tokens")).json()["scopes"]
    assert may_give == ["orders:read", "tokens:write"]


async def test_another_shops_tokens_are_not_there(call_as: CallAs, keeper: Caller, operator: Caller) -> None:
    other = await call_as("other-shop", "tokens:write")
    token_id = (await make(keeper, "orders:read")).json()["id"]
    assert token_id not in await listed(other, shop="nordic-tea")
    assert problem(await other.client.delete(f"/v1/tokens/{token_id}")) == (404, "unknown-token")
    assert (await make(other, "tokens:write", shop="nordic-tea")).status_code == 201
    assert {token["shop"] for token in (await listed(other)).values()} == {"other-shop"}
    assert token_id in await listed(operator, shop="nordic-tea")


async def test_an_operator_makes_tokens_for_any_shop_and_for_all(operator: Caller, orders_alone: OrdersAlone) -> None:
    made = await make(operator, "orders:read", "orders:write", shop="nordic-tea")
    assert await works(operator, made.json()["token"]) == 200
    assert (await make(operator, OPERATOR)).status_code == 201
    assert problem(await make(operator, "orders:read", shop="*")) == (422, "unfit-token")
    assert problem(await make(operator, OPERATOR, shop="nordic-tea")) == (422, "unfit-token")
    assert problem(await make(operator, "tea:brew", shop="nordic-tea")) == (422, "unknown-scope")
    assert problem(await make(operator, "orders:read", shop="Nordic Tea")) == (422, "invalid-request")
    makers = await orders_alone.pool.fetch("select distinct made_by from api_token where name = 'Shop front'")
    assert [row["made_by"].startswith("token/") for row in makers] == [True]


async def test_whoever_keeps_no_tokens_sees_none(call_as: CallAs) -> None:
    reader = await call_as("nordic-tea", "orders:read")
    assert problem(await reader.client.get("/v1/tokens")) == (403, "missing-scope")
    assert problem(await make(reader, "orders:read")) == (403, "missing-scope")
    assert problem(await reader.client.delete("/v1/tokens/0123456789abcdef")) == (403, "missing-scope")
    headers = {"authorization": "Bearer nonsense"}
    assert (await reader.client.get("/v1/tokens", headers=headers)).status_code == 401

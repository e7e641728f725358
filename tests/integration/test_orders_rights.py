"""Who may do what: every route of the document with every kind of caller; nobody reaches another shop's orders."""

import json
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI

from shared.contracts.message import new_id
from shared.runtime.actors import Actors, Signer, new_key, public_key_of
from shared.runtime.database import transaction
from shared.runtime.tokens import ANY_SHOP, OPERATOR, make_token
from tests.builders import a_shop, an_order, to_place
from tests.plugins.orders import OrdersAlone, app_of

PUBLIC = {"/asyncapi.json"}
"""What anybody may read: how to speak with us."""
TESTED_ALONE = ("/v1/operators", "/v1/shops", "/v1/tokens")
READ, WRITE, SHOP = "orders:read", "orders:write", "shop:write"
OTHERWISE = {"/v1/shop/reveals": "shop:audit", "/v1/orders/{order_id}/personal-number/reveal": "orders:reveal"}
"""Scopes that go with one path alone."""

Operation = tuple[str, str, dict[str, Any]]


def operations(app: FastAPI) -> list[Operation]:
    """Every path, method and operation of the document but those of operators and tokens, tested elsewhere."""
    return [
        (path, method, operation)
        for path, methods in app.openapi()["paths"].items()
        for method, operation in methods.items()
        if path not in PUBLIC and not path.startswith(TESTED_ALONE)
    ]


def scope_of(operation: Operation) -> str:
    """What a token needs for it."""
    path, method, _ = operation
    return OTHERWISE.get(path) or (READ if method == "get" else SHOP if path == "/v1/shop" else WRITE)


async def token_of(alone: OrdersAlone, shop: str, *scopes: str) -> str:
    async with transaction(alone.pool) as connection:
        return await make_token(connection, shop, "a test", scopes)


class Calls:
    """Sends each operation as its own example says, about the order that is there."""

    def __init__(self, app: FastAPI, order_id: object) -> None:
        self._order_id = str(order_id)
        self._http = httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://orders.example")

    async def __call__(self, operation: Operation, token: str | None) -> tuple[int, str]:
        path, method, said = operation
        path = path.replace("{order_id}", self._order_id).replace("{view_id}", "today").replace("{customer_id}", "C-7")
        content = said.get("requestBody", {}).get("content", {}).get("application/json", {})
        body = content.get("example", {"name": "X", "filter": {}} if "views" in path else {})
        headers = {"idempotency-key": new_id(), "content-type": "application/json"}
        if token is not None:
            headers["authorization"] = f"Bearer {token}"
        sent = json.dumps(body) if method in {"post", "put"} else None
        answer = await self._http.request(method.upper(), path, content=sent, headers=headers)
        is_problem = answer.headers.get("content-type", "").startswith("application/problem+json")
        return answer.status_code, answer.json()["type"].removeprefix("/problems/") if is_problem else ""

    async def close(self) -> None:
        await self._http.aclose()


@pytest.fixture
async def calls(orders_alone: OrdersAlone) -> Any:
    """An order of nordic-tea, and a way to try everything with it."""
    order = an_order()
    await orders_alone.handle(to_place(order))
    await orders_alone.save(a_shop(shop="other-shop"))
    made = Calls(app_of(orders_alone), order.id)
    yield made
    await made.close()


@pytest.fixture
def all_of_them(orders_alone: OrdersAlone) -> list[Operation]:
    found = operations(app_of(orders_alone))
    assert len(found) > 30
    return found


async def test_without_a_token_nothing_is_told_or_done(calls: Calls, all_of_them: list[Operation]) -> None:
    for token in (None, "ot_0000000000000000_" + "x" * 43, "nonsense"):
        for operation in all_of_them:
            status, _ = await calls(operation, token)
            assert status == 401, (operation[:2], token)


async def test_a_token_may_do_what_its_scopes_say_and_no_more(
    calls: Calls, all_of_them: list[Operation], orders_alone: OrdersAlone
) -> None:
    scopes = (READ, WRITE, SHOP, *OTHERWISE.values(), "documents:read")
    tokens = {scope: await token_of(orders_alone, "nordic-tea", scope) for scope in scopes}
    for operation in all_of_them:
        needed = scope_of(operation)
        for scope in tokens.keys() - {needed}:
            assert await calls(operation, tokens[scope]) == (403, "missing-scope"), (operation[:2], scope)
        status, problem = await calls(operation, tokens[needed])
        assert status not in {401, 403, 404} or problem in {"unknown-view", "unknown-customer"}, (
            operation[:2],
            status,
            problem,
        )


async def test_a_token_of_all_shops_is_of_no_shop(
    calls: Calls, all_of_them: list[Operation], orders_alone: OrdersAlone
) -> None:
    token = await token_of(orders_alone, ANY_SHOP, OPERATOR)
    for operation in all_of_them:
        assert await calls(operation, token) == (403, "no-single-shop"), operation[:2]


@pytest.mark.requirement("R083")
async def test_a_person_may_do_what_their_role_says_by_their_actor_token(
    orders_alone: OrdersAlone, all_of_them: list[Operation]
) -> None:
    order, key, app = an_order(), new_key(), app_of(orders_alone)
    await orders_alone.handle(to_place(order))
    await orders_alone.save(a_shop(shop="other-shop"))
    app.state.actors = Actors("orders", [public_key_of(key)])
    signer, calls = Signer(key), Calls(app, order.id)
    for operation in all_of_them:
        needed = scope_of(operation)
        for role in ("viewer", "handler", "administrator", "operator"):
            may = needed == READ or (needed == WRITE and role != "viewer") or role in {"administrator", "operator"}
            status, problem = await calls(operation, signer.sign("orders", "7", "nordic-tea", [role]))
            assert (problem != "missing-scope") == may, (operation[:2], role, status, problem)
            assert status != 401
        if "{order_id}" in operation[0]:
            foreign = signer.sign("orders", "7", "other-shop", ["administrator"])
            assert await calls(operation, foreign) == (404, "unknown-order"), operation[:2]
        for nobodys in (signer.sign("documents", "7", "nordic-tea", ["operator"]), Signer(new_key())):
            token = nobodys if isinstance(nobodys, str) else nobodys.sign("orders", "7", "nordic-tea", ["operator"])
            assert (await calls(operation, token))[0] == 401, operation[:2]
    actors = await orders_alone.pool.fetch("select distinct actor from timeline where actor like 'person/%'")
    assert [row["actor"] for row in actors] == ["person/7"]
    await calls.close()


@pytest.mark.requirement("R083")
async def test_another_shops_order_is_not_there(
    calls: Calls, all_of_them: list[Operation], orders_alone: OrdersAlone
) -> None:
    token = await token_of(orders_alone, "other-shop", READ, WRITE, *OTHERWISE.values())
    about_it = [operation for operation in all_of_them if "{order_id}" in operation[0]]
    assert len(about_it) > 25
    before = await orders_alone.pool.fetchval("select body::text from orders")
    for operation in about_it:
        assert await calls(operation, token) == (404, "unknown-order"), operation[:2]
    assert await orders_alone.pool.fetchval("select body::text from orders") == before
    assert await orders_alone.pool.fetchval("select count(*) from timeline") == 1, "its log says nothing of it"

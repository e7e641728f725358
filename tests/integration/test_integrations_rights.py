"""Who may do what in integrations: every route of the document with every kind of caller, and of every other shop."""

import json
from typing import Any

import httpx2
import pytest

from shared.contracts.message import new_id
from shared.runtime.database import transaction
from shared.runtime.tokens import ANY_SHOP, OPERATOR, make_token
from tests.plugins.integrations import Door, told

SCOPES = {
    ("payments", "get"): "payments:read",
    ("payments", "post"): "payments:write",
    ("connections", "get"): "connections:read",
    ("connections", "post"): "connections:write",
}
BODIES = {"attach": {"order_id": "01a213cc-0338-7a51-9c3e-5f0b7d2a1e44"}, "close": {"reason": "A test."}}

Operation = tuple[str, str]

LIST: Operation = ("/v1/connections", "get")
CHECK: Operation = ("/v1/connections/{kind}/check", "post")


@pytest.fixture
async def case(door: Door) -> str:
    """A payment of nordic-tea without an order."""
    await door.tell(told())
    return str(await door.pool.fetchval("select id from unmatched_payment"))


def operations(door: Door) -> list[Operation]:
    """Every path and method of the document but webhooks, which are signed."""
    paths: dict[str, Any] = door.app.openapi()["paths"]
    found = [(path, method) for path, methods in paths.items() for method in methods if "/webhooks" not in path]
    assert len(found) == 6
    return found


def scope_of(operation: Operation) -> str:
    path, method = operation
    return SCOPES[path.split("/")[2], method]


async def call(
    door: Door, case: str, operation: Operation, token: str | None, **wanted: str
) -> tuple[int, str, dict[str, Any]]:
    path, method = operation
    headers = {"idempotency-key": new_id(), "content-type": "application/json"}
    if token is not None:
        headers["authorization"] = f"Bearer {token}"
    body = BODIES.get(path.rpartition("/")[2]) if method == "post" else None
    content = json.dumps(body) if body else None
    transport = httpx2.ASGITransport(door.app)
    async with httpx2.AsyncClient(transport=transport, base_url="http://integrations.example") as http:
        address = path.replace("{payment_id}", case).replace("{kind}", "payment")
        answer = await http.request(method.upper(), address, content=content, headers=headers, params=wanted)
    document = answer.json()
    return answer.status_code, document.get("type", "").removeprefix("/problems/"), document


async def token_of(door: Door, shop: str, *scopes: str) -> str:
    async with transaction(door.pool) as connection:
        return await make_token(connection, shop, "a test", scopes)


async def test_without_a_token_nothing_is_told_or_done(door: Door, case: str) -> None:
    for token in (None, "ot_0000000000000000_" + "x" * 43, "nonsense"):
        for operation in operations(door):
            assert (await call(door, case, operation, token))[0] == 401, (operation, token)


async def test_a_token_may_do_what_its_scopes_say_and_no_more(door: Door, case: str) -> None:
    tokens = {scope: await token_of(door, "nordic-tea", scope) for scope in (*SCOPES.values(), "orders:write")}
    for operation in operations(door):
        needed = scope_of(operation)
        for scope in tokens.keys() - {needed}:
            refused = (await call(door, case, operation, tokens[scope]))[:2]
            assert refused == (403, "missing-scope"), (operation, scope)
        status, problem, _ = await call(door, case, operation, tokens[needed])
        assert (status, problem) in {(200, ""), (422, "unknown-order")}, operation


async def test_a_token_of_all_shops_is_of_no_shop(door: Door, case: str) -> None:
    token = await token_of(door, ANY_SHOP, OPERATOR)
    for operation in operations(door):
        if operation != LIST:
            assert (await call(door, case, operation, token))[:2] == (403, "no-single-shop"), operation


async def test_a_token_of_all_shops_sees_all_connections_and_names_the_shop_whose_one_is_checked(
    door: Door, case: str
) -> None:
    token = await token_of(door, ANY_SHOP, OPERATOR)
    _, _, document = await call(door, case, LIST, token)
    assert {each["shop"] for each in document["connections"]} == {"nordic-tea", "other-shop"}
    assert (await call(door, case, CHECK, token, shop="other-shop"))[0] == 200
    assert (await call(door, case, CHECK, token, shop="no-shop"))[:2] == (404, "unknown-connection")


@pytest.mark.requirement("R083")
async def test_a_shop_sees_and_checks_its_own_connections_whatever_it_names(door: Door, case: str) -> None:
    token = await token_of(door, "other-shop", *SCOPES.values())
    for wanted in ({}, {"after": "a-shop/erp"}, {"limit": "200"}, {"shop": "other-shop"}):
        _, _, document = await call(door, case, LIST, token, **wanted)
        assert {each["shop"] for each in document["connections"]} == {"other-shop"}, wanted
    assert (await call(door, case, LIST, token, shop="nordic-tea"))[2] == {"connections": [], "next": None}
    assert (await call(door, case, CHECK, token, shop="nordic-tea"))[:2] == (404, "unknown-connection")
    assert await door.pool.fetch("select * from connection_heard where shop = 'nordic-tea'") == [], "nothing was asked"


@pytest.mark.requirement("R083")
async def test_another_shops_payment_is_not_there(door: Door, case: str) -> None:
    token = await token_of(door, "other-shop", *SCOPES.values())
    before = await door.pool.fetchrow("select * from unmatched_payment")
    for operation in operations(door):
        if "{payment_id}" in operation[0]:
            assert (await call(door, case, operation, token))[:2] == (404, "unknown-payment"), operation
    assert await door.pool.fetchrow("select * from unmatched_payment") == before

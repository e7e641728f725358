"""Who may do what with payments: every route of the document with every kind of caller, and of every other shop."""

import json
from typing import Any

import httpx2
import pytest

from shared.contracts.message import new_id
from shared.runtime.database import transaction
from shared.runtime.tokens import ANY_SHOP, OPERATOR, make_token
from tests.plugins.integrations import Door, told

READ, WRITE = "payments:read", "payments:write"
BODIES = {"attach": {"order_id": "01a213cc-0338-7a51-9c3e-5f0b7d2a1e44"}, "close": {"reason": "A test."}}

Operation = tuple[str, str]


@pytest.fixture
async def case(door: Door) -> str:
    """A payment of nordic-tea without an order."""
    await door.tell(told())
    return str(await door.pool.fetchval("select id from unmatched_payment"))


def operations(door: Door) -> list[Operation]:
    """Every path and method of the document but webhooks, which are signed."""
    paths: dict[str, Any] = door.app.openapi()["paths"]
    found = [(path, method) for path, methods in paths.items() for method in methods if "/webhooks" not in path]
    assert len(found) == 4
    return found


def scope_of(operation: Operation) -> str:
    return READ if operation[1] == "get" else WRITE


async def call(door: Door, case: str, operation: Operation, token: str | None) -> tuple[int, str]:
    path, method = operation
    headers = {"idempotency-key": new_id(), "content-type": "application/json"}
    if token is not None:
        headers["authorization"] = f"Bearer {token}"
    content = json.dumps(BODIES[path.rpartition("/")[2]]) if method == "post" else None
    transport = httpx2.ASGITransport(door.app)
    async with httpx2.AsyncClient(transport=transport, base_url="http://integrations.example") as http:
        address = path.replace("{payment_id}", case)
        answer = await http.request(method.upper(), address, content=content, headers=headers)
    return answer.status_code, answer.json().get("type", "").removeprefix("/problems/")


async def token_of(door: Door, shop: str, *scopes: str) -> str:
    async with transaction(door.pool) as connection:
        return await make_token(connection, shop, "a test", scopes)


async def test_without_a_token_nothing_is_told_or_done(door: Door, case: str) -> None:
    for token in (None, "ot_0000000000000000_" + "x" * 43, "nonsense"):
        for operation in operations(door):
            assert (await call(door, case, operation, token))[0] == 401, (operation, token)


async def test_a_token_may_do_what_its_scopes_say_and_no_more(door: Door, case: str) -> None:
    tokens = {scope: await token_of(door, "nordic-tea", scope) for scope in (READ, WRITE, "orders:write")}
    for operation in operations(door):
        needed = scope_of(operation)
        for scope in tokens.keys() - {needed}:
            assert await call(door, case, operation, tokens[scope]) == (403, "missing-scope"), (operation, scope)
        status, problem = await call(door, case, operation, tokens[needed])
        assert (status, problem) in {(200, ""), (422, "unknown-order")}, operation


async def test_a_token_of_all_shops_is_of_no_shop(door: Door, case: str) -> None:
    token = await token_of(door, ANY_SHOP, OPERATOR)
    for operation in operations(door):
        assert await call(door, case, operation, token) == (403, "no-single-shop"), operation


@pytest.mark.requirement("R083")
async def test_another_shops_payment_is_not_there(door: Door, case: str) -> None:
    token = await token_of(door, "other-shop", READ, WRITE)
    before = await door.pool.fetchrow("select * from unmatched_payment")
    for operation in operations(door):
        if "{payment_id}" in operation[0]:
            assert await call(door, case, operation, token) == (404, "unknown-payment"), operation
    assert await door.pool.fetchrow("select * from unmatched_payment") == before

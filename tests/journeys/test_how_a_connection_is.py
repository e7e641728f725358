"""A provider falls ill and is well again; the shop sees it in another process than those that speak with it."""

import asyncio
from typing import Any

import asyncpg
import pytest

from shared.contracts.message import new_id
from shared.contracts.order import OrderSnapshot, Payment
from shared.runtime.tokens import make_token
from tests.builders import an_order
from tests.plugins.sandboxes import Sandbox
from tests.plugins.system import System
from tests.plugins.waiting import eventually

pytestmark = pytest.mark.timeout(300)
ORDERS = 5


class Watcher:
    """Somebody in the shop who looks at its connections."""

    def __init__(self, system: System, token: str) -> None:
        self._system, self._token = system, token

    async def payment(self) -> dict[str, Any]:
        async with self._system.http("integrations", authorization=f"Bearer {self._token}") as http:
            (found,) = (await http.get("/v1/connections")).json()["connections"]
        return dict(found)

    async def has_heard_a_webhook(self) -> bool:
        return (await self.payment())["webhooks"]["last_genuine_at"] is not None

    async def check(self) -> str:
        async with self._system.http("integrations", authorization=f"Bearer {self._token}") as http:
            answer = await http.post("/v1/connections/payment/check")
        assert answer.is_success, answer.text
        return str(answer.json()["outcome"])

    async def sees(self, within: float = 30, **expected: Any) -> dict[str, Any]:
        """Waits until the connection is so, `calls__done=5` being the number inside of `calls`."""

        async def so() -> dict[str, Any]:
            found = await self.payment()
            inside = {path: _inside(found, path) for path in expected}
            assert inside == expected, found
            return found

        return dict(await eventually(so, timeout=within, every=0.2, waiting_for=f"a connection with {expected}"))


def _inside(found: Any, path: str) -> Any:
    for step in path.split("__"):
        found = found[step]
    return found


@pytest.fixture
async def watcher(system: System, payment_sandbox: Sandbox) -> Watcher:
    """A shop whose integrations has one process for people and webhooks, and another that works."""
    await asyncio.gather(
        system.start("orders"),
        system.start("integrations", roles="api"),
    )
    await system.start("integrations", name="workers", roles="ingest,work,relay")
    await system.open_a_shop()
    await system.connect(payment_sandbox)
    connection = await asyncpg.connect(system.databases["integrations"])
    token = await make_token(connection, "nordic-tea", "a test", ["connections:read", "connections:write"])
    await connection.close()
    return Watcher(system, token)


async def paid_order(system: System, pay: Sandbox) -> OrderSnapshot:
    order = an_order()
    wanted = {"amount": order.totals.incl_vat.amount, "currency": "SEK", "reference": f"cart-{order.id}"}
    paid = (await pay.http.post("/v1/payments", json=wanted)).json()
    order = order.model_copy(update={"payment": Payment(method="card", name="Kort", reference=paid["id"])})
    assert (await system.place(order)).status_code == 201
    await system.noted(order, "payment.authorized.v1")
    return order


async def test_a_provider_falls_ill_and_is_well_again_and_the_shop_sees_it(
    system: System, watcher: Watcher, payment_sandbox: Sandbox
) -> None:
    assert (await watcher.payment())["state"] == "untried"
    orders = [await paid_order(system, payment_sandbox) for _ in range(ORDERS)]
    await watcher.sees(state="healthy", calls__done=0)
    await eventually(watcher.has_heard_a_webhook, waiting_for="the process that takes webhooks to say so")
    await payment_sandbox.misbehave(busy=1.0)
    for order in orders:
        async with system.http(**{"idempotency-key": new_id()}) as http:
            assert (await http.post(f"/v1/orders/{order.id}/capture", json={})).status_code == 202
    ill = await watcher.sees(state="troubled", orders__waiting=ORDERS, breaker__open_in=1, last_trouble="failing")
    assert ill["breaker"]["since"] is not None
    assert await watcher.check() == "answered", "a check asks past the breaker"
    assert (await watcher.payment())["state"] == "troubled", "orders still wait"
    await payment_sandbox.misbehave()
    await watcher.sees(within=90, state="healthy", orders__waiting=0, breaker__open_in=0, calls__done=ORDERS)

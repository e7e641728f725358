"""A customer pays and does not come back; the provider tells of it; later, or at once, or never, the order comes."""

import asyncio
import signal
from typing import Any
from uuid import uuid4

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
CASES = "/v1/payments/unmatched"


class Shop:
    """A shop whose payments may come before their orders."""

    def __init__(self, system: System, pay: Sandbox, token: str) -> None:
        self.system, self.pay, self._token = system, pay, token

    async def pays(self, **changes: Any) -> OrderSnapshot:
        """The order of a customer who has paid; not placed."""
        order = an_order(id=uuid4(), **changes)
        wanted = {"amount": order.totals.incl_vat.amount, "currency": "SEK", "reference": f"cart-{order.id}"}
        paid = (await self.pay.http.post("/v1/payments", json=wanted)).json()
        return order.model_copy(update={"payment": Payment(method="card", name="Kort", reference=paid["id"])})

    async def captures_at_the_provider(self, order: OrderSnapshot, amount: int) -> None:
        path = f"/v1/payments/{order.payment.reference}/captures"
        answer = await self.pay.http.post(path, json={"amount": amount}, headers={"Idempotency-Key": "by hand"})
        assert answer.is_success, answer.text

    async def case_of(self, order: OrderSnapshot, state: str, messages: int = 1) -> dict[str, Any]:
        """Waits until people see the payment in this state."""

        async def seen() -> Any:
            async with self.system.http("integrations", authorization=f"Bearer {self._token}") as http:
                found = (await http.get(CASES, params={"state": state})).json()["payments"]
            mine = [each for each in found if each["reference"] == order.payment.reference]
            return mine[0] if mine and mine[0]["messages"] >= messages else None

        return dict(await eventually(seen, timeout=30, waiting_for=f"a payment that is {state}"))

    async def attach(self, case: dict[str, Any], order: OrderSnapshot) -> Any:
        headers = {"authorization": f"Bearer {self._token}", "idempotency-key": new_id()}
        async with self.system.http("integrations", **headers) as http:
            answer = await http.post(f"{CASES}/{case['id']}/attach", json={"order_id": str(order.id)})
        assert answer.is_success, answer.text
        return answer.json()

    async def payment_of(self, order: OrderSnapshot) -> dict[str, Any]:
        async with self.system.http() as http:
            return dict((await http.get(f"/v1/orders/{order.id}/payment", params={"language": "sv"})).json())

    async def becomes(self, order: OrderSnapshot, status: str, within: float = 60) -> dict[str, Any]:
        """Waits until the order's payment stands so."""

        async def so() -> Any:
            payment = await self.payment_of(order)
            return payment if payment.get("status") == status else None

        return dict(await eventually(so, timeout=within, waiting_for=f"{status} of order {order.id}"))


@pytest.fixture
async def shop(system: System, payment_sandbox: Sandbox) -> Shop:
    """Orders and integrations, for which no payment is early enough to be on its way."""
    system.settings["INTEGRATIONS_UNMATCHED_AFTER"] = "0"
    await asyncio.gather(system.start("orders"), system.start("integrations"))
    await system.open_a_shop()
    await system.connect(payment_sandbox)
    connection = await asyncpg.connect(system.databases["integrations"])
    token = await make_token(connection, "nordic-tea", "a test", ["payments:read", "payments:write"])
    await connection.close()
    return Shop(system, payment_sandbox, token)


def types(payment: dict[str, Any]) -> list[str]:
    return [event["type"] for event in payment["events"] if event["source"] == "/integrations/payment"]


@pytest.mark.requirement("R117", "R132", "R133")
async def test_a_payment_waits_for_its_order_and_is_the_orders_when_that_comes(shop: Shop) -> None:
    order = await shop.pays()
    await shop.captures_at_the_provider(order, 1000)
    case = await shop.case_of(order, "open", messages=2)
    assert (case["authorized"], case["captured"]) == (order.totals.incl_vat.amount, 1000)
    process = shop.system.processes["integrations"]
    process.send(signal.SIGKILL)
    assert await process.ended(10)
    assert (await shop.system.place(order)).status_code == 201
    await shop.system.start("integrations")
    await shop.becomes(order, "partly-captured")
    await shop.system.noted(order, "payment.provider-message.v1", count=3)
    assert (await shop.case_of(order, "matched", messages=2))["order_id"] == str(order.id)
    payment = await shop.payment_of(order)
    assert payment["paid"] == {"authorized": order.totals.incl_vat.amount, "captured": 1000, "refunded": 0}
    assert types(payment) == [
        "payment.provider-message.v1",
        "payment.authorized.v1",
        "payment.unmatched.v1",
        "payment.provider-message.v1",
        "payment.provider-message.v1",
        "payment.captured.v1",
    ]
    looked_up, *said = [event["data"] for event in payment["events"] if "provider-message" in event["type"]]
    assert looked_up["event"] == "partially_captured", "an answer that says more than that it is authorized"
    assert {each["event"] for each in said} == {"payment.authorized", "capture.succeeded"}
    words = [event["text"] for event in payment["events"]]
    assert any("innan ordern kom" in text for text in words)


@pytest.mark.requirement("R117", "R133")
async def test_an_order_that_comes_before_the_providers_word_makes_no_case(shop: Shop) -> None:
    await shop.pay.misbehave(webhooks_held=True)
    order = await shop.pays()
    assert (await shop.system.place(order)).status_code == 201
    await shop.becomes(order, "authorized")
    await shop.pay.misbehave(webhooks_held=False)
    (said,) = await shop.system.noted(order, "payment.provider-message.v1")
    assert said["data"]["event"] == "payment.authorized"
    connection = await asyncpg.connect(shop.system.databases["integrations"])
    assert await connection.fetchval("select count(*) from unmatched_payment") == 0
    await connection.close()
    assert types(await shop.payment_of(order)) == ["payment.authorized.v1", "payment.provider-message.v1"], "once"


@pytest.mark.requirement("R133")
@pytest.mark.parametrize("place", ["outside.handled", "finish.appended", "finish.settled", "finish.committed"])
async def test_what_was_said_is_the_orders_once_wherever_the_process_is_killed(shop: Shop, place: str) -> None:
    order = await shop.pays()
    await shop.captures_at_the_provider(order, 1000)
    await shop.case_of(order, "open", messages=2)
    await shop.system.processes["integrations"].stop(signal.SIGTERM)
    shop.system.settings["CRASH_AT"] = place
    process = shop.system.launch("integrations")
    del shop.system.settings["CRASH_AT"]
    assert (await shop.system.place(order)).status_code == 201
    assert await process.ended(60), "it dies while it handles the order"
    await shop.system.start("integrations")
    await shop.becomes(order, "partly-captured")
    await shop.system.noted(order, "payment.provider-message.v1", count=3)
    payment = await shop.payment_of(order)
    assert sorted(types(payment)) == sorted(
        ["payment.authorized.v1", "payment.unmatched.v1", "payment.captured.v1"] + ["payment.provider-message.v1"] * 3
    )
    assert payment["paid"]["captured"] == 1000


@pytest.mark.requirement("R133")
async def test_a_payment_that_a_person_attaches_can_be_captured(shop: Shop) -> None:
    order = await shop.pays()
    case = await shop.case_of(order, "open")
    without = order.model_copy(update={"payment": Payment(method="card", name="Kort")})
    assert (await shop.system.place(without)).status_code == 201

    async def known() -> bool:
        connection = await asyncpg.connect(shop.system.databases["integrations"])
        count = await connection.fetchval("select count(*) from payable_order")
        await connection.close()
        return bool(count)

    await eventually(known, waiting_for="integrations to know the order")
    assert (await shop.attach(case, order))["state"] == "matched"
    assert (await shop.becomes(order, "authorized"))["reference"] == order.payment.reference
    async with shop.system.http(**{"idempotency-key": new_id()}) as http:
        assert (await http.post(f"/v1/orders/{order.id}/capture", json={})).status_code == 202
    payment = await shop.becomes(order, "captured")
    assert any("kopplades till ordern för hand" in event["text"] for event in payment["events"])
    (attached,) = await shop.system.noted(order, "payment.unmatched.v1")
    assert attached["actor"].startswith("token/")

"""Before an order is placed its customer pays, once however often the provider is asked; what is free is not paid."""

import json
from collections.abc import Callable
from datetime import date

import httpx2
import pytest

from deploy.local.demo import checkout
from deploy.local.demo.asked import Asked
from deploy.local.demo.checkout import Checkout
from deploy.local.demo.nordic_shops import SHOPS
from deploy.local.demo.orders_of_nordic_shops import nordic_orders
from deploy.local.demo.shop_front import NoAnswer

ASKED = nordic_orders(1, seed=1, today=date(2026, 11, 24))[0]


@pytest.fixture(autouse=True)
def _customers_click_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkout, "_CLICKS_AGAIN_AFTER", 0.0)


async def paid(provider: Callable[[httpx2.Request], httpx2.Response], asked: Asked = ASKED) -> Asked:
    async with httpx2.AsyncClient(transport=httpx2.MockTransport(provider), base_url="http://pay.example") as http:
        return await Checkout(http, [shop.settings for shop in SHOPS], {ASKED.shop: "sk_1"}).paid(asked)


async def test_the_order_carries_the_id_of_the_payment_over_its_total() -> None:
    seen: list[httpx2.Request] = []

    def provider(request: httpx2.Request) -> httpx2.Response:
        seen.append(request)
        if len(seen) == 1:
            raise httpx2.ReadTimeout("lost")
        return httpx2.Response(500 if len(seen) == 2 else 201, json={"id": "pay_7"})

    order = (await paid(provider)).order
    assert order.payment.reference == "pay_7"
    assert len({request.headers["idempotency-key"] for request in seen}) == 1, "it is one payment"
    assert {request.headers["authorization"] for request in seen} == {"Bearer sk_1"}
    assert json.loads(seen[-1].content) == {
        "amount": ASKED.order.total,
        "currency": ASKED.order.currency,
        "reference": str(ASKED.order.order_id),
    }


async def test_an_order_that_costs_nothing_is_placed_without_a_payment() -> None:
    free = Asked(ASKED.shop, ASKED.label, ASKED.order.model_copy(update={"total": 0}))
    assert await paid(lambda _: httpx2.Response(500), free) is free


async def test_a_customer_gives_up_at_last_and_says_why() -> None:
    with pytest.raises(NoAnswer, match="could not pay: HTTP 503 away"):
        await paid(lambda _: httpx2.Response(503, text="away"))

"""The demo asks of each order what its shop would, and tells what came of it in the words of the order's timeline."""

import json
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import httpx2
import pytest

from deploy.local.demo.orders_of_nordic_shops import nordic_orders
from deploy.local.demo.shop_front import ShopFront
from deploy.local.demo.stories import State, Story
from deploy.local.demo.work import PROMISES, Work, came_to
from tests.unit.test_demo_shop_front import KeptRecords

ASKED = nordic_orders(1, seed=1, today=date(2026, 11, 24))[0]
ERP = PROMISES["Orders handed to the ERP"]
CAPTURE = PROMISES["Payments captured by shipping"]


def entry(type_: str, **data: Any) -> dict[str, Any]:
    return {"type": f"{type_}.v1", "data": data}


UNKNOWN = entry("effect.unknown", effect="transfer", key="transfer:7", detail="the answer was lost")


@pytest.mark.parametrize(
    ("entries", "expected"),
    [
        ([], ("missing", "its timeline says nothing of it")),
        ([entry("erp.order-exported")], ("done", "")),
        ([entry("erp.failed", reason="no-vat-code", detail="19 %")], ("failed", "no-vat-code 19 %")),
        ([UNKNOWN], ("unknown", "ops unknown settle integrations/transfer:7 --happened")),
        ([UNKNOWN, entry("erp.order-exported")], ("done", "")),
        ([entry("reaction.dead", group="integrations.erp", detail="a bug")], ("failed", "given up: a bug")),
        ([entry("reaction.dead", group="documents", detail="a bug")], ("missing", "its timeline says nothing of it")),
    ],
)
def test_the_last_word_about_a_promise_counts(entries: list[dict[str, Any]], expected: tuple[str, str]) -> None:
    assert came_to(ERP, entries) == expected


def test_a_declined_refund_says_nothing_of_the_capture() -> None:
    captured, refused = entry("payment.captured"), entry("payment.declined", action="refund", reason="no", detail="")
    assert came_to(CAPTURE, [captured, refused]) == ("done", "")


@dataclass
class Orders:
    """An orders service that answers each request with its entries, and keeps what was asked."""

    entries: list[dict[str, Any]]
    asked: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        if request.method == "POST":
            self.asked.append((request.url.path.rpartition("/")[2], json.loads(request.content)))
            return httpx2.Response(202, json={})
        return httpx2.Response(200, json={"entries": self.entries, "more": False})


async def handled(orders: Orders, reference: str | None, patience: float = 5.0) -> Story:
    payment = ASKED.order.payment.model_copy(update={"reference": reference})
    order = ASKED.order.model_copy(update={"payment": payment})
    story = Story(type(ASKED)(ASKED.shop, ASKED.label, order), "http", State.ACCEPTED)
    async with httpx2.AsyncClient(transport=httpx2.MockTransport(orders), base_url="http://orders.example") as http:
        await Work(ShopFront(http, KeptRecords(), {ASKED.shop: "ot"}, patience=0), patience).handle(story)
    return story


AUTHORIZED, CAPTURED = entry("payment.authorized"), entry("payment.captured")
THERE = [entry("erp.order-exported"), entry("shipment.booked")]


async def test_a_paid_order_is_handed_over_booked_and_sent_and_money_is_expected() -> None:
    orders = Orders([AUTHORIZED, *THERE, CAPTURED])
    story = await handled(orders, "pay_1")
    assert [what for what, _ in orders.asked][:3] == ["transfer", "shipments", "process"]
    assert {name: came for name, (came, _) in story.promises.items() if name != "Refunds"} == {
        "Payments authorized": "done",
        "Orders handed to the ERP": "done",
        "Shipments booked": "done",
        "Payments captured by shipping": "done",
    }


async def test_no_money_is_expected_of_an_order_that_was_not_paid() -> None:
    story = await handled(Orders(THERE), None)
    assert sorted(story.promises) == ["Orders handed to the ERP", "Shipments booked"]


async def test_what_nobody_answers_is_missing_and_what_is_not_taken_is_told() -> None:
    story = await handled(Orders(THERE), "pay_1", patience=0.3)
    assert story.promises["Payments authorized"][0] == "missing"

    def away(_: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(409, text="no")

    async with httpx2.AsyncClient(transport=httpx2.MockTransport(away), base_url="http://orders.example") as http:
        story = Story(ASKED, "http", State.ACCEPTED)
        await Work(ShopFront(http, KeptRecords(), {ASKED.shop: "ot"}, patience=0)).handle(story)
    assert story.promises["Orders handled"] == ("missing", "HTTP 409 to transfer: no")

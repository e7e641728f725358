"""The demo asks of each order what its shop would, and tells what came of it as the order itself shows it."""

import json
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import httpx2

from deploy.local.demo.orders_of_nordic_shops import nordic_orders
from deploy.local.demo.shop_front import ShopFront
from deploy.local.demo.stories import State, Story
from deploy.local.demo.work import Work, by_name
from tests.unit.test_demo_shop_front import KeptRecords

ASKED = nordic_orders(1, seed=1, today=date(2026, 11, 24))[0]
ALL = ("order-received", "authorize", "transfer", "book-shipment", "capture", "refund")


def a_promise(what: str, state: str = "done", reason: str = "") -> dict[str, Any]:
    return {"what": what, "by": "integrations", "state": state, "reason": reason, "entry_id": f"entry-of-{what}"}


@dataclass
class Orders:
    """An orders service that shows these promises, and keeps what was asked."""

    promises: list[dict[str, Any]]
    entries: list[dict[str, Any]] = field(default_factory=list)
    asked: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    status: int = 202

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        what = request.url.path.rpartition("/")[2]
        if request.method == "POST":
            self.asked.append((what, json.loads(request.content)))
            return httpx2.Response(self.status, text="{}")
        shown = {"promises": self.promises} if what == "promises" else {"entries": self.entries, "more": False}
        return httpx2.Response(200, json=shown)


async def handled(orders: Orders, reference: str | None = "pay_1", patience: float = 5.0) -> dict[str, tuple[str, str]]:
    payment = ASKED.order.payment.model_copy(update={"reference": reference})
    order = ASKED.order.model_copy(update={"payment": payment})
    story = Story(type(ASKED)(ASKED.shop, ASKED.label, order), "http", State.ACCEPTED)
    async with httpx2.AsyncClient(transport=httpx2.MockTransport(orders), base_url="http://orders.example") as http:
        await Work(ShopFront(http, KeptRecords(), {ASKED.shop: "ot"}, patience=0), patience).handle(story)
    return story.promises


async def test_a_paid_order_is_handed_over_booked_and_sent_and_its_money_is_expected() -> None:
    orders = Orders([a_promise(what) for what in ALL])
    promises = await handled(orders)
    assert [what for what, _ in orders.asked][:3] == ["transfer", "shipments", "process"]
    assert promises == dict.fromkeys(ALL, ("done", ""))


async def test_no_money_is_expected_of_an_order_that_was_not_paid() -> None:
    promises = await handled(
        Orders([a_promise(what) for what in ("order-received", "transfer", "book-shipment")]), None
    )
    assert sorted(promises) == ["book-shipment", "order-received", "transfer"]


async def test_no_money_is_expected_of_a_payment_that_was_declined() -> None:
    shown = [a_promise(what) for what in ("order-received", "transfer", "book-shipment")]
    promises = await handled(Orders([*shown, a_promise("authorize", "failed", "stolen")]))
    assert promises["authorize"] == ("failed", "stolen")
    assert "capture" not in promises


async def test_what_has_no_outcome_is_told_as_it_stands_and_what_is_not_shown_is_missing() -> None:
    promises = await handled(Orders([a_promise("order-received"), a_promise("transfer", "overdue")]), None, 0.3)
    assert promises["transfer"] == ("overdue", "")
    assert promises["book-shipment"] == ("missing", "the order does not show it")


async def test_what_nobody_knows_names_its_repair() -> None:
    shown = [a_promise("order-received"), a_promise("transfer", "unknown"), a_promise("book-shipment")]
    entry = {"id": "entry-of-transfer", "data": {"key": "transfer:7"}}
    promises = await handled(Orders(shown, [entry]), None)
    assert promises["transfer"] == ("unknown", "ops unknown settle integrations/transfer:7 --happened")


async def test_an_order_that_cannot_be_handled_says_why() -> None:
    promises = await handled(Orders([a_promise("order-received")], status=409), None)
    assert promises["handled"] == ("missing", "HTTP 409 to transfer: {}")


def test_of_several_promises_of_one_name_the_worst_counts() -> None:
    states = ("done", "unknown", "failed")
    assert by_name([a_promise("capture", state) for state in states])["capture"]["state"] == "unknown"

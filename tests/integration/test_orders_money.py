"""What is to be paid and which VAT it bears, as shops set it and as everybody reads it."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import httpx2
import pytest

from shared.contracts.order import Delivery
from shared.contracts.order_commands import LineToPlace, PlaceOrder, PlaceOrderV2
from tests.builders import a_customer, a_line, a_shop, an_order, stamped, to_place
from tests.plugins.orders import CallAs, Caller, OrdersAlone

FREE = Delivery(method="store", name="Hämta i butik")


def problem(answer: httpx2.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["type"].removeprefix("/problems/")


@pytest.fixture
async def owner(call_as: CallAs) -> Caller:
    """Somebody who may change the shop and handle its orders."""
    return await call_as("nordic-tea", "orders:read", "orders:write", "shop:write")


async def put(owner: Caller, **changes: Any) -> httpx2.Response:
    now = (await owner.client.get("/v1/shop")).json()
    body = {name: value for name, value in (now | changes).items() if name not in {"shop", "features"}}
    return await owner.client.put("/v1/shop", json=body)


def a_cart(**changes: Any) -> PlaceOrder:
    """A cart of 100.40, from a customer with an account."""
    line = a_line(quantity=1, unit_price=100_40, **changes)
    customer = a_customer(customer_id="C-7")
    return to_place(an_order(lines=[line], delivery=FREE, customer=customer))


def by_class(command: PlaceOrder, vat_class: str, **changes: Any) -> dict[str, Any]:
    """The cart as a body, its lines saying a class instead of a rate."""
    body = command.model_dump(mode="json") | changes
    for line in body["lines"]:
        line["vat_class"] = vat_class
        del line["vat_rate"]
    return body


@pytest.mark.requirement("R032", "R084", "R112")
async def test_what_is_to_be_paid_is_whole_wherever_it_is_read(owner: Caller, orders_alone: OrdersAlone) -> None:
    await owner.place(a_cart())
    assert (await put(owner, rounding="whole")).json()["rounding"] == "whole"
    placed = (await owner.place(a_cart())).json()
    assert (placed["totals"]["incl_vat"]["amount"], placed["totals"]["rounding"]) == (100_40, -40)
    older = "update orders set body = body #- '{totals,rounding}' where body#>>'{totals,rounding}' = '0'"
    assert await orders_alone.pool.execute(older) == "UPDATE 1"
    listed = (await owner.client.get("/v1/orders")).json()["orders"]
    assert sorted(order["amount"] for order in listed) == [100_00, 100_40]
    (sums,) = (await owner.client.get("/v1/customers/C-7")).json()["sums"]
    assert sums["amount"] == 200_40


@pytest.mark.requirement("R084")
async def test_a_line_by_http_says_its_class_and_bears_the_rate_of_its_day(owner: Caller) -> None:
    assert problem(await owner.place(by_class(a_cart(), "food"))) == (422, "no-vat-country")
    assert problem(await put(owner, vat_country="NO")) == (422, "unknown-vat-country")
    assert problem(await put(owner, vat_country="Sverige")) == (422, "invalid-request")
    assert (await put(owner, vat_country="SE")).json()["vat_country"] == "SE"
    assert problem(await owner.place(by_class(a_cart(), "fodd"))) == (422, "unknown-vat-class")
    for at, rate in (("2026-03-31T23:59:00+02:00", "12"), ("2026-03-31T22:00:00Z", "6")):
        answer = await owner.place(by_class(a_cart(), "food", placed_at=at))
        assert answer.status_code == 201, answer.text
        order = (await owner.client.get(answer.json()["links"]["self"])).json()
        assert (order["lines"][0]["vat_rate"], order["lines"][0]["vat_class"]) == (rate, "food")
        assert order["attention"] == []
    neither = by_class(a_cart(), "food")
    neither["lines"][0]["vat_class"] = None
    assert problem(await owner.place(neither)) == (422, "invalid-request")
    both = await owner.place(a_cart(vat_class="food", vat_rate=Decimal(12)))
    assert both.json()["attention"] == ["vat-rate-differs"]
    found = (await owner.client.get("/v1/orders", params={"attention": True})).json()["orders"]
    assert [order["id"] for order in found] == [both.json()["id"]]


@pytest.mark.requirement("R084")
async def test_a_command_of_the_second_version_is_the_same_order(orders_alone: OrdersAlone) -> None:
    await orders_alone.save(a_shop(vat_country="SE", rounding="whole"))
    cart = a_cart()
    lines = [LineToPlace(**vars(line) | {"vat_rate": None, "vat_class": "food"}) for line in cart.lines]
    fields = {name: getattr(cart, name) for name in PlaceOrderV2.model_fields} | {"lines": lines}
    command = stamped(PlaceOrderV2(**fields | {"placed_at": datetime(2026, 4, 1, tzinfo=UTC)}), source="/shop-front")
    placed, *_ = await orders_alone.handle(command)
    assert placed.type == "order.placed.v1"
    assert '"vat_rate":"6","vat_class":"food"' in placed.model_dump_json()
    assert await orders_alone.handle(stamped(cart, source="/shop-front")) == [], "it is there already"


@pytest.mark.requirement("R084")
async def test_a_shop_front_asks_what_its_classes_bear_on_a_day(owner: Caller) -> None:
    assert problem(await owner.client.get("/v1/vat-rates")) == (422, "no-vat-country")
    await put(owner, vat_country="SE")

    async def food(day: str) -> dict[str, Any]:
        answer = (await owner.client.get("/v1/vat-rates", params={"on": day})).json()
        assert (answer["country"], answer["on"]) == ("SE", day)
        (found,) = [each for each in answer["rates"] if each["vat_class"] == "food"]
        return dict(found)

    cut = {"vat_class": "food", "rate": "6", "since": "2026-04-01", "until": "2027-12-31"}
    assert [await food(day) for day in ("2026-04-01", "2027-12-31")] == [cut, cut]
    assert [(await food(day))["rate"] for day in ("2026-03-31", "2028-01-01")] == ["12", "12"]
    today = (await owner.client.get("/v1/vat-rates")).json()
    assert {"standard", "food", "restaurant", "book", "press", "zero"} == {rate["vat_class"] for rate in today["rates"]}
    assert (await owner.client.get("/v1/vat-rates", params={"on": "2012-12-31"})).json()["rates"] == []
    assert problem(await owner.client.get("/v1/vat-rates", params={"on": "soon"})) == (422, "invalid-request")

"""What is asked of other services by HTTP: refused with a stable reason where it cannot be, asked for once else."""

from uuid import uuid4

import httpx2
import pytest

from services.orders.handlers import record_payment
from shared.contracts.order import OrderSnapshot, Payment
from shared.contracts.order_log import PaymentAuthorized, PaymentCaptured, PaymentEntry
from shared.contracts.shop_facts import ErpConnection, PaymentConnection, ShippingConnection, ShopConnections
from shared.runtime.database import transaction
from tests.builders import a_line, an_order, stamped, to_place
from tests.plugins.orders import Caller, OrdersAlone

ALL = ShopConnections(
    shop="nordic-tea",
    payment=PaymentConnection(provider="sandbox", capture="when-shipped"),
    shipping=ShippingConnection(provider="sandbox"),
    erp=ErpConnection(provider="sandbox"),
)


def problem(answer: httpx2.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["type"].removeprefix("/problems/")


async def report(orders: OrdersAlone, entry: PaymentEntry) -> None:
    """The entry, as the group `orders.reports` handles it."""
    received = stamped(entry, source="/integrations/payment")
    async with transaction(orders.pool) as connection:
        workspace = orders.orders(connection)
        await workspace.open([received])
        events = await record_payment(received, workspace)
        await workspace.flush()
        await orders.outbox.append(connection, [(received.meta, events)])


async def an_authorized_order(tea: Caller, orders: OrdersAlone) -> OrderSnapshot:
    order = an_order(
        payment=Payment(method="card", name="Kort", reference="pay_1"),
        lines=[a_line(line_id="1", quantity=3, unit_price=1000)],
    )
    await tea.place(to_place(order))
    await report(orders, PaymentAuthorized(order_id=order.id, outcome="done", summary="x", amount=7900))
    return order


async def requests(orders: OrdersAlone) -> list[str]:
    rows = await orders.pool.fetch("select type from outbox where type like '%requested%' order by position")
    return [row["type"] for row in rows]


@pytest.mark.parametrize("what", ["capture", "refund", "void", "shipments", "transfer"])
async def test_what_a_shop_has_not_connected_is_not_asked_for(
    tea: Caller, orders_alone: OrdersAlone, what: str
) -> None:
    order = await an_authorized_order(tea, orders_alone)
    assert problem(await tea.handle(order.id, what)) == (422, "not-connected")
    assert await requests(orders_alone) == []


async def test_money_is_asked_for_once_per_key_and_never_more_than_there_is(
    tea: Caller, orders_alone: OrdersAlone
) -> None:
    order = await an_authorized_order(tea, orders_alone)
    await orders_alone.know(ALL)
    answers = [await tea.handle(order.id, "capture", key="once", amount=5000) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [202, 202]
    assert answers[0].content == answers[1].content
    assert problem(await tea.handle(order.id, "capture", amount=2901)) == (409, "not-so-much-money")
    assert problem(await tea.handle(order.id, "refund")) == (409, "not-so-much-money")
    assert (await tea.handle(order.id, "capture", amount=0)).status_code == 422
    assert await requests(orders_alone) == ["order.payment-requested.v1"]


async def test_what_is_reported_stands_on_the_order_and_leaves_its_version(
    tea: Caller, orders_alone: OrdersAlone
) -> None:
    order = await an_authorized_order(tea, orders_alone)
    captured = PaymentCaptured(order_id=order.id, outcome="done", summary="x", amount=7900, transaction_id="cap_1")
    await report(orders_alone, captured)
    await report(orders_alone, captured)
    now = (await tea.get(str(order.id))).json()
    assert (now["payment_status"], now["paid"]["captured"], now["version"]) == ("captured", 7900, 1)
    changed = "select count(*) from outbox where type = 'order.payment-status-changed.v1'"
    assert await orders_alone.pool.fetchval(changed) == 2


async def test_a_report_about_an_order_that_is_not_there_changes_nothing(orders_alone: OrdersAlone) -> None:
    await report(orders_alone, PaymentAuthorized(order_id=uuid4(), outcome="done", summary="x", amount=1))
    assert await orders_alone.pool.fetchval("select count(*) from outbox where type like 'order.%'") == 0


async def test_shipping_captures_by_the_shops_rule(tea: Caller, orders_alone: OrdersAlone) -> None:
    order = await an_authorized_order(tea, orders_alone)
    await orders_alone.know(ALL)
    await tea.handle(order.id, "process", key="sent", units=[{"line_id": "1", "units": 1}])
    await tea.handle(order.id, "process", key="sent", units=[{"line_id": "1", "units": 1}])
    await tea.handle(order.id, "process")
    amounts = await orders_alone.pool.fetch(
        "select payload::jsonb -> 'data' ->> 'amount' as amount from outbox "
        "where type = 'order.payment-requested.v1' order by position"
    )
    assert [row["amount"] for row in amounts] == ["1000", "6900"]


async def test_a_shipment_and_a_transfer_are_asked_for(tea: Caller, orders_alone: OrdersAlone) -> None:
    order = await an_authorized_order(tea, orders_alone)
    await orders_alone.know(ALL)
    assert (await tea.handle(order.id, "shipments")).status_code == 202
    assert (await tea.handle(order.id, "transfer")).status_code == 202
    assert problem(await tea.handle(order.id, "shipments/cancel", shipment_id="shp_1")) == (422, "unknown-shipment")
    assert (await tea.handle(order.id, "shipments/cancel")).status_code == 422
    assert await requests(orders_alone) == ["order.shipment-requested.v1", "order.transfer-requested.v1"]

"""An order's payment is read with everything that has happened to it, in words, and nothing else."""

from datetime import timedelta
from typing import Any

import pytest

from shared.contracts.message import now
from shared.contracts.order import CheckoutStep, OrderSnapshot
from shared.contracts.order_log import EffectUnknown, LogEntry, PaymentProviderMessage, PaymentUnmatched
from tests.builders import an_order, stamped, to_place
from tests.integration.test_orders_timeline import receive, sent
from tests.plugins.orders import CallAs, Caller, OrdersAlone

HEARD = now() - timedelta(minutes=50)


def heard(order: OrderSnapshot) -> list[LogEntry]:
    """What integrations, notifications and others say of an order."""
    common: dict[str, Any] = {"order_id": order.id, "outcome": "done"}
    known: dict[str, Any] = {"provider": "sandbox", "reference": "pay_1"}
    found = PaymentUnmatched(
        **common,
        **known,
        summary="payment.unmatched",
        parameters={"minutes": 50},
        first_heard_at=HEARD,
        messages=1,
    )
    said = PaymentProviderMessage(
        **common,
        **known,
        summary="payment.provider-message",
        event="payment.authorized",
        said_at=HEARD,
        heard_at=HEARD,
        amount=17800,
        currency="SEK",
    )
    unknown: dict[str, Any] = {"order_id": order.id, "outcome": "unknown", "summary": "effect.unknown"}
    return [
        sent(order.id),
        stamped(found, source="/integrations/payment"),
        stamped(said, source="/integrations/payment"),
        stamped(EffectUnknown(**unknown, effect="mail", key="mail:1"), source="/notifications"),
        stamped(EffectUnknown(**unknown, effect="capture", key="capture:1"), source="/integrations/payment"),
    ]


@pytest.fixture
async def order(orders_alone: OrdersAlone, tea: Caller) -> OrderSnapshot:
    """An order with a log of many things."""
    steps = [CheckoutStep(at=HEARD, step=step) for step in ("added-to-cart", "went-to-payment")]
    placed = an_order()
    await tea.place(to_place(placed).model_copy(update={"checkout": steps}))
    await receive(orders_alone, *heard(placed))
    await tea.handle(placed.id, "confirm-payment", reason="On the statement.")
    return placed


@pytest.mark.requirement("R116", "R117", "R132", "R133")
async def test_the_payment_says_how_it_stands_and_what_has_happened_to_it(tea: Caller, order: OrderSnapshot) -> None:
    payment = (await tea.get(f"{order.id}/payment", language="en")).json()
    total = order.totals.incl_vat.amount
    shown = {name: payment[name] for name in ("method", "status", "currency", "total", "more")}
    assert shown == {
        "method": order.payment.method,
        "status": "captured",
        "currency": "SEK",
        "total": total,
        "more": False,
    }
    assert payment["paid"] == {"authorized": 0, "captured": total, "refunded": 0}
    assert [event["text"].rstrip() for event in payment["events"]][:4] == [
        "The customer in the shop: went-to-payment",
        "The payment was at the payment provider 50 min before the order came",
        "The payment provider said: payment.authorized SEK\u00a0178.00",
        "Nobody knows whether it happened: capture",
    ]
    assert [event["type"] for event in payment["events"]][4:] == ["payment.confirmed.v1", "order.noted.v1"]
    assert payment["events"][2]["data"]["said_at"].startswith(HEARD.isoformat()[:19]), "the time of then"


async def test_the_events_of_a_payment_go_page_by_page(tea: Caller, order: OrderSnapshot) -> None:
    seen: list[int] = []
    after, more = 0, True
    while more:
        page = (await tea.get(f"{order.id}/payment", after=after, limit=4)).json()
        seen += [event["n"] for event in page["events"]]
        after, more = page["after"], page["more"]
    assert (len(seen), seen) == (6, sorted(seen))


async def test_a_payment_of_another_shop_is_unknown(call_as: CallAs, order: OrderSnapshot) -> None:
    answer = await (await call_as("other-shop")).get(f"{order.id}/payment")
    assert (answer.status_code, answer.json()["type"]) == (404, "/problems/unknown-order")

"""What an order's page offers is what the commands would do: nothing else, and each refusal with its reason."""

import pytest

from services.orders.domain.allowed import SYSTEMS, TRIES, Possible, possible
from services.orders.domain.order import Order
from services.orders.domain.shop import Shop
from shared.contracts.order_commands import CancelOrder, ProcessOrder, ReturnUnits
from shared.contracts.shop_facts import ErpConnection, PaymentConnection, ShippingConnection, ShopConnections
from tests.builders import a_shop, what_is_printed, what_is_sent
from tests.unit.test_orders_handling import ID, after, an_order_of, authorized

CONNECTED = ShopConnections(
    shop="nordic-tea",
    payment=PaymentConnection(provider="sandbox"),
    shipping=ShippingConnection(provider="post"),
    erp=ErpConnection(provider="books"),
)
SHOP = Shop(a_shop(), CONNECTED, what_is_sent(), what_is_printed())
ALONE = Shop(a_shop(), ShopConnections(shop="nordic-tea"))


def by_name(order: Order, shop: Shop = SHOP) -> dict[str, Possible]:
    return {each.action: each for each in possible(order, shop)}


def offered(order: Order, shop: Shop = SHOP) -> set[str]:
    return {name for name, each in by_name(order, shop).items() if each.possible}


@pytest.mark.requirement("R075", "R104")
def test_a_new_order_is_offered_what_can_be_done_and_by_whom() -> None:
    order = authorized(an_order_of(2))
    assert offered(order) == {"process", "ship", "back-order", "cancel", "capture", "void", "confirm-payment",
                              "book-shipment", "transfer", "resend-confirmation", "send-message",
                              "print-document"}  # fmt: skip
    assert {name: each.system for name, each in by_name(order).items() if each.system} == {
        name: {"payment": "sandbox", "shipping": "post", "erp": "books"}[kind] for name, kind in SYSTEMS.items()
    }


@pytest.mark.requirement("R075")
def test_what_no_connected_system_does_is_not_offered_and_says_why() -> None:
    found = by_name(an_order_of(1), ALONE)
    assert {found[name].reason for name in SYSTEMS} == {"not-connected"}
    assert {found[name].system for name in SYSTEMS} == {None}
    assert {found[name].reason for name in ("resend-confirmation", "print-document")} == {"nobody-reacts"}


@pytest.mark.requirement("R067", "R070", "R071")
def test_what_can_be_printed_is_there_to_choose_from() -> None:
    assert by_name(an_order_of(1))["print-document"].choices == ("order-print", "delivery-note", "pick-list")


@pytest.mark.requirement("R104", "R130", "R131")
def test_what_is_offered_changes_as_the_order_is_handled() -> None:
    sent = after(authorized(an_order_of(2)), ProcessOrder(order_id=ID))
    assert {"deliver", "return", "claim", "capture"} <= offered(sent)
    reasons = {name: each.reason for name, each in by_name(sent).items() if not each.possible}
    assert (reasons["cancel"], reasons["process"], reasons["credit"]) == (
        "already-shipped",
        "nothing-to-do",
        "nothing-to-move",
    )
    assert "credit" in offered(after(sent, ReturnUnits(order_id=ID)))
    cancelled = after(authorized(an_order_of(2)), CancelOrder(order_id=ID))
    assert offered(cancelled) == {"transfer", "resend-confirmation", "send-message", "print-document"}


def test_looking_changes_nothing() -> None:
    order = authorized(an_order_of(2))
    before = (order.now.model_dump_json(), dict(order.payments.steps))
    possible(order, SHOP)
    assert (order.now.model_dump_json(), dict(order.payments.steps)) == before
    assert len(TRIES) == len(possible(order, SHOP))

"""Units: each is in one state, none is lost or made, and what is said of the whole order follows from them."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.orders.domain.moving import move
from services.orders.domain.order import Order
from services.orders.domain.shop import Shop
from services.orders.domain.units import STATES, Ledger, goods_of, ledger_of, moved, units_in
from shared.contracts.order import LineUnits, UnitState
from shared.contracts.order_commands import ProcessOrder, ShipUnits
from shared.contracts.order_events import OrderProcessed, UnitsMoved
from shared.contracts.refusal import Refused
from shared.contracts.shop_facts import ShopConnections
from tests.builders import a_line, a_shop, an_order, stamped


def ordered(*quantities: int) -> Order:
    """An order whose lines are called 1, 2, 3 …"""
    order = an_order(lines=[a_line(line_id=str(n), quantity=many) for n, many in enumerate(quantities, start=1)])
    return Order(order, order)


SHOP = Shop(a_shop(), ShopConnections(shop="nordic-tea"))


def some(**units: int) -> list[LineUnits]:
    """`l1=2`: two units of line 1."""
    return [LineUnits(line_id=name[1:], units=many) for name, many in units.items()]


def process(order: Order, units: list[LineUnits] | None = None) -> tuple[Order, list[Any]]:
    return order.process(stamped(ProcessOrder(order_id=order.now.id, units=units)), SHOP)


def ship(order: Order, units: list[LineUnits] | None = None) -> tuple[Order, list[Any]]:
    return move(order, stamped(ShipUnits(order_id=order.now.id, units=units)), SHOP)


def states(order: Order) -> Ledger:
    return {line.line_id: line.units for line in order.now.lines}


def test_a_placed_order_is_unprocessed_and_all_its_units_are_open() -> None:
    order = ordered(2, 1)
    assert (order.now.processing, order.now.goods) == ("unprocessed", "open")
    assert ledger_of(order.now.lines) == {"1": {"open": 2}, "2": {"open": 1}}


@pytest.mark.requirement("R109", "R110")
def test_processing_sends_all_open_units_unless_told_otherwise() -> None:
    order, [event] = process(ordered(2, 1))
    assert isinstance(event, OrderProcessed)
    assert event.order == order.now
    assert event.units == some(l1=2, l2=1)
    assert states(order) == {"1": {"shipped": 2}, "2": {"shipped": 1}}
    assert (order.now.processing, order.now.goods, order.now.version) == ("processed", "shipped", 2)


@pytest.mark.requirement("R110")
def test_a_part_can_be_sent_first_and_the_rest_later() -> None:
    order, _ = process(ordered(2, 1), some(l1=1))
    assert states(order) == {"1": {"open": 1, "shipped": 1}, "2": {"open": 1}}
    assert (order.now.processing, order.now.goods) == ("partly", "partly-shipped")
    order, [event] = process(order)
    assert event.units == some(l1=1, l2=1)
    assert (order.now.processing, order.now.goods, order.now.version) == ("processed", "shipped", 3)


@pytest.mark.requirement("R110")
def test_an_order_can_be_noticed_with_nothing_sent() -> None:
    order, [event] = process(ordered(2), [])
    assert event.units == []
    assert (order.now.processing, order.now.goods) == ("partly", "open")
    assert process(order, []) == (order, [])


def test_what_is_processed_already_says_nothing_new() -> None:
    order, _ = process(ordered(2))
    assert process(order) == (order, [])
    with pytest.raises(Refused, match="no units that are open or back-ordered"):
        ship(order)


@pytest.mark.requirement("R034")
def test_shipping_takes_open_units_first_and_then_those_that_were_back_ordered() -> None:
    order = ordered(3)
    waiting = order.now.lines[0].model_copy(update={"units": {"open": 1, "back-ordered": 2}})
    order = Order(order.now.model_copy(update={"lines": [waiting]}), order.placed)
    order, [event] = ship(order, some(l1=2))
    assert isinstance(event, UnitsMoved)
    assert (event.to, event.units) == ("shipped", some(l1=2))
    assert states(order) == {"1": {"back-ordered": 1, "shipped": 2}}
    assert (order.now.processing, order.now.goods) == ("processed", "partly-shipped")
    order, _ = ship(order)
    assert order.now.goods == "shipped"


def test_the_order_as_it_was_placed_stays_as_it_was() -> None:
    placed = ordered(2)
    order, _ = process(placed)
    assert order.placed == placed.placed


@pytest.mark.parametrize(
    ("units", "reason"),
    [(some(l1=3), "not-so-many-units"), (some(l9=1), "unknown-line"), (some(l2=1, l1=3), "not-so-many-units")],
)
def test_units_that_are_not_there_are_refused(units: list[LineUnits], reason: str) -> None:
    for do in (process, ship):
        with pytest.raises(Refused) as refusal:
            do(ordered(2, 1), units)
        assert refusal.value.reason == reason


def test_a_line_stands_once_in_a_command() -> None:
    with pytest.raises(ValueError, match="stands twice"):
        ProcessOrder(order_id=an_order().id, units=[*some(l1=1), *some(l1=1)])


LEDGERS = st.dictionaries(
    st.sampled_from(["1", "2", "3"]),
    st.dictionaries(st.sampled_from(STATES), st.integers(1, 9), min_size=1),
    min_size=1,
)


@given(ledger=LEDGERS, data=st.data())
def test_moving_neither_loses_nor_makes_units(ledger: dict[str, dict[UnitState, int]], data: st.DataObject) -> None:
    sources = data.draw(st.lists(st.sampled_from(STATES), min_size=1, unique=True))
    to = data.draw(st.sampled_from([state for state in STATES if state not in sources] or [sources[0]]))
    rows = [
        LineUnits(line_id=row.line_id, units=data.draw(st.integers(1, row.units))) for row in units_in(ledger, sources)
    ]
    after = moved(ledger, rows, sources, to)
    assert {line: sum(units.values()) for line, units in after.items()} == {
        line: sum(units.values()) for line, units in ledger.items()
    }
    assert all(count > 0 for line in after.values() for count in line.values())
    for row in rows:
        gone = sum(ledger[row.line_id].get(state, 0) - after[row.line_id].get(state, 0) for state in sources)
        assert gone == (row.units if to not in sources else 0)


@given(ledger=LEDGERS)
def test_the_goods_are_somewhere_and_never_further_than_their_units(ledger: dict[str, dict[UnitState, int]]) -> None:
    goods, present = goods_of(ledger), {state for line in ledger.values() for state in line}
    if goods in {"shipped", "delivered", "returned"}:
        assert not present & {"open", "back-ordered"}
    if goods in {"delivered", "returned"}:
        assert "shipped" not in present
    if goods == "cancelled":
        assert present == {"cancelled"}
    if goods == "open":
        assert present <= {"open", "back-ordered", "cancelled"}

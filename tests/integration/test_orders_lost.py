"""An order that a restore lost keeps its log: its shop reads it, and an operator finds it."""

from uuid import uuid4

from services.orders.timeline import Timeline
from shared.contracts.message import new_id
from shared.contracts.order_log import LogEntry, OrderNoted
from shared.runtime.database import transaction
from tests.builders import an_order, stamped, to_place
from tests.plugins.operator import ops
from tests.plugins.orders import CallAs, Caller, OrdersAlone


def a_note(**meta: object) -> OrderNoted:
    """What orders says on the log, in its life of 2026-09."""
    order_id = uuid4()
    note = OrderNoted(
        order_id=order_id, outcome="done", summary="order.placed", event_type="order.placed.v1", event_id=new_id()
    )
    return stamped(note, **meta)


async def come_back(alone: OrdersAlone, *entries: LogEntry) -> None:
    async with transaction(alone.pool) as connection:
        timeline = Timeline(connection)
        for entry in entries:
            timeline.add(entry)
        await timeline.flush()


async def test_the_log_of_a_lost_order_is_read_by_its_own_shop_alone(
    tea: Caller, call_as: CallAs, orders_alone: OrdersAlone
) -> None:
    lost = a_note()
    await come_back(orders_alone, lost)
    answer = await tea.get(f"{lost.order_id}/log")
    assert answer.status_code == 200, answer.text
    [entry] = answer.json()["entries"]
    assert (entry["type"], entry["from_before_restore"]) == ("order.noted.v1", True)
    assert (await tea.get(str(lost.order_id))).status_code == 404, "the order itself is gone"
    assert (await (await call_as("other-shop")).get(f"{lost.order_id}/log")).status_code == 404


async def test_what_was_never_an_order_has_no_log(tea: Caller, orders_alone: OrdersAlone) -> None:
    somebody_elses = a_note(source="/somebody-else")
    await come_back(orders_alone, somebody_elses)
    assert (await tea.get(f"{somebody_elses.order_id}/log")).status_code == 404


async def test_an_entry_that_was_not_lost_says_so(tea: Caller) -> None:
    command = to_place(an_order())
    await tea.place(command)
    [entry] = (await tea.get(f"{command.order_id}/log")).json()["entries"]
    assert entry["from_before_restore"] is False


async def test_an_operator_lists_the_lost_orders(tea: Caller, orders_alone: OrdersAlone, orders_url: str) -> None:
    nothing = await ops("orders", "lost", "-d", f"orders={orders_url}")
    assert (nothing.code, nothing.out.strip()) == (0, "no order is missing of which the log knows")
    lost, there = a_note(), to_place(an_order())
    await tea.place(there)
    note = OrderNoted(order_id=there.order_id, outcome="done", summary="x", event_type="x", event_id="x")
    await come_back(orders_alone, lost, stamped(note))
    [row] = (await ops("orders", "lost", "-d", f"orders={orders_url}", "--json")).document
    assert (row["order_id"], row["shop"], row["entries"]) == (str(lost.order_id), "nordic-tea", 1)
    assert str(lost.order_id) in (await ops("orders", "lost", "-d", f"orders={orders_url}")).out
    again = to_place(an_order(id=lost.order_id))
    await tea.place(again)
    assert (await ops("orders", "lost", "-d", f"orders={orders_url}", "--json")).document == []
    entries = (await tea.get(f"{lost.order_id}/log")).json()["entries"]
    assert [entry["from_before_restore"] for entry in entries] == [True, False]

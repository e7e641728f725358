"""Each order shows what is expected of others, and whether it has happened; what is late is told once, and counted."""

import asyncio
import json
from typing import Any
from uuid import UUID

import pytest
from prometheus_client import REGISTRY

from services.orders.overdue import Overdue
from services.orders.promises import promises_of
from services.orders.timeline import Timeline
from shared.contracts.message import Sequence, new_id
from shared.contracts.order import OrderSnapshot
from shared.contracts.order_commands import ResendConfirmation
from shared.contracts.order_log import EffectUnknown, LogEntry, MessageFailed, MessageSent, ReactionDead
from shared.runtime.database import transaction
from tests.builders import an_order, stamped, to_place
from tests.plugins.orders import Caller, OrdersAlone

pytestmark = pytest.mark.requirement("R201")
MAIL: dict[str, Any] = {"template": "order-received", "recipient": "a***@example.org", "language": "sv"}


async def place(alone: OrdersAlone) -> tuple[OrderSnapshot, str]:
    """An order, and the id of the event that says that it was placed."""
    order = an_order()
    event, *_ = await alone.handle(to_place(order))
    return order, event.meta.id


async def hear(alone: OrdersAlone, *entries: LogEntry) -> None:
    """As the group `orders.log` takes entries in."""
    async with transaction(alone.pool) as connection:
        timeline = Timeline(connection)
        for entry in entries:
            timeline.add(entry)
        await timeline.flush()


def said(contract: type[LogEntry], order_id: UUID, cause: str, outcome: str = "done", **fields: Any) -> LogEntry:
    entry = contract.model_validate({"order_id": order_id, "outcome": outcome, "summary": "x"} | fields)
    return stamped(entry, source="/notifications", causationid=cause, sequence=Sequence(1_790_000_000, 1))


def sent(order_id: UUID, cause: str) -> LogEntry:
    return said(MessageSent, order_id, cause, **MAIL, message_id="<1@example.org>")


async def states(alone: OrdersAlone, order_id: UUID) -> list[tuple[str, str, str]]:
    async with alone.pool.acquire() as connection:
        return [(each.what, each.state, each.reason) for each in await promises_of(connection, order_id, "nordic-tea")]


async def test_an_order_expects_its_confirmation_until_it_was_sent(orders_alone: OrdersAlone, tea: Caller) -> None:
    order, event_id = await place(orders_alone)
    assert await states(orders_alone, order.id) == [("order-received", "expected", "")]
    entry = sent(order.id, event_id)
    await hear(orders_alone, entry)
    (promise,) = (await tea.get(f"{order.id}/promises")).json()["promises"]
    assert (promise["what"], promise["by"], promise["state"]) == ("order-received", "notifications", "done")
    assert (promise["event_id"], promise["entry_id"]) == (event_id, entry.meta.id)
    assert promise["expected_at"] < promise["told_at"] < promise["due_at"]


async def test_each_wish_is_a_promise_of_its_own(orders_alone: OrdersAlone) -> None:
    order, event_id = await place(orders_alone)
    again, *_ = await orders_alone.handle(stamped(ResendConfirmation(order_id=order.id)))
    await hear(orders_alone, sent(order.id, again.meta.id))
    assert [state for _, state, _ in await states(orders_alone, order.id)] == ["expected", "done"]
    await hear(orders_alone, sent(order.id, event_id))
    assert [state for _, state, _ in await states(orders_alone, order.id)] == ["done", "done"]


async def test_the_last_word_counts_and_waiting_is_none_once_there_was_another(orders_alone: OrdersAlone) -> None:
    order, cause = await place(orders_alone)
    unknown = said(
        EffectUnknown, order.id, cause, "unknown", effect="mail", key="k", parameters={"template": "order-received"}
    )
    failed = said(MessageFailed, order.id, cause, "failed", **MAIL, reason="address-refused")
    reaction = {"group": "notifications", "message_type": "order.placed.v1", "message_id": cause, "blocks": True}
    dead = said(ReactionDead, order.id, cause, "failed", **reaction)
    await hear(orders_alone, dead)
    assert await states(orders_alone, order.id) == [("order-received", "failed", "given-up")]
    await hear(orders_alone, unknown)
    assert await states(orders_alone, order.id) == [("order-received", "unknown", "")]
    await hear(orders_alone, dead)
    assert await states(orders_alone, order.id) == [("order-received", "unknown", "")], "a lane that stands says less"
    await hear(orders_alone, failed, sent(order.id, cause))
    assert await states(orders_alone, order.id) == [("order-received", "done", "")]


async def test_what_happened_before_anybody_had_promised_it_is_shown(orders_alone: OrdersAlone) -> None:
    await orders_alone.know_nothing()
    order, event_id = await place(orders_alone)
    assert await states(orders_alone, order.id) == []
    await hear(orders_alone, sent(order.id, event_id))
    assert await states(orders_alone, order.id) == [("order-received", "done", "")]


async def test_a_late_promise_is_told_once_and_counted_until_it_is_kept(orders_alone: OrdersAlone) -> None:
    order, event_id = await place(orders_alone)
    other, _ = await place(orders_alone)
    async with transaction(orders_alone.pool) as connection:
        await connection.execute("update promise set due_at = clock_timestamp() where order_id = $1", order.id)
    overdue = Overdue(orders_alone.pool, orders_alone.outbox)
    for _ in range(2):
        assert not await overdue.turn()
    assert await late_entries(orders_alone) == [
        (order.id, event_id, {"by": "notifications", "promise": "order-received"})
    ]
    assert await states(orders_alone, order.id) == [("order-received", "overdue", "")]
    assert await states(orders_alone, other.id) == [("order-received", "expected", "")]
    assert counted("overdue") == 1
    await hear(orders_alone, sent(order.id, event_id))
    await overdue.turn()
    assert await states(orders_alone, order.id) == [("order-received", "done", "")]
    assert counted("overdue") == 0


async def late_entries(alone: OrdersAlone) -> list[tuple[UUID, str, dict[str, str]]]:
    async with alone.pool.acquire() as connection:
        rows = await connection.fetch("select * from timeline where type = 'promise.overdue.v1'")
    return [(row["order_id"], row["causationid"], json.loads(row["parameters"])) for row in rows]


def counted(state: str) -> float:
    return REGISTRY.get_sample_value("orders_promises", {"state": state}) or 0.0


async def test_many_late_promises_are_told_some_at_a_time_by_two_processes(orders_alone: OrdersAlone) -> None:
    for _ in range(7):
        await place(orders_alone)
    async with transaction(orders_alone.pool) as connection:
        await connection.execute("update promise set due_at = clock_timestamp()")
    watchers = [Overdue(orders_alone.pool, orders_alone.outbox, at_once=2) for _ in range(2)]

    async def until_nothing(watcher: Overdue) -> None:
        while await watcher.turn():
            pass

    await asyncio.gather(*(until_nothing(watcher) for watcher in watchers))
    assert len(await late_entries(orders_alone)) == 7


async def test_promises_are_the_shops_own(orders_alone: OrdersAlone, tea: Caller) -> None:
    order, _ = await place(orders_alone)
    assert (await tea.get(f"{new_id()}/promises")).status_code == 404
    async with orders_alone.pool.acquire() as connection:
        assert await promises_of(connection, order.id, "another") == []

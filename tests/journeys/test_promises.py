"""Each order shows what it expects of others; while a service is away that is overdue, and heals when it is back."""

import pytest

from tests.builders import an_order
from tests.plugins.system import System
from tests.plugins.waiting import eventually

pytestmark = [pytest.mark.timeout(240), pytest.mark.requirement("R201")]


async def states(system: System, order_id: object) -> dict[str, str]:
    """The state of each promise of an order, by its name."""
    async with system.http() as http:
        answer = await http.get(f"/v1/orders/{order_id}/promises")
    return {promise["what"]: promise["state"] for promise in answer.json()["promises"]}


async def becomes(system: System, order_id: object, **wanted: str) -> None:
    """Waits until the order's promises are so."""

    async def so() -> bool:
        found = await states(system, order_id)
        assert found == {name.replace("_", "-"): state for name, state in wanted.items()}
        return True

    await eventually(so, waiting_for=f"{wanted} of order {order_id}")


async def test_a_promise_is_overdue_while_its_service_is_away_and_kept_when_it_is_back(own_system: System) -> None:
    system = own_system
    first = an_order()
    assert (await system.place(first)).status_code == 201
    await becomes(system, first.id, order_received="done")
    await system.processes["notifications"].stop()
    second = an_order()
    assert (await system.place(second)).status_code == 201
    await becomes(system, second.id, order_received="overdue")
    (late,) = await system.noted(second, "promise.overdue.v1")
    assert (late["data"]["promise"], late["data"]["by"]) == ("order-received", "notifications")
    async with system.http() as http:
        metrics = (await http.get("/metrics")).text
    assert 'orders_promises{state="overdue"} 1.0' in metrics
    await system.start("notifications")
    await becomes(system, second.id, order_received="done")
    assert len(await system.noted(second, "promise.overdue.v1")) == 1


@pytest.fixture
async def own_system(system: System) -> System:
    """Orders and notifications, whose messages are overdue after a second."""
    system.settings["NOTIFICATIONS_PROMISED_WITHIN"] = "1"
    await system.start("orders")
    await system.start("notifications")
    await system.open_a_shop()
    return system

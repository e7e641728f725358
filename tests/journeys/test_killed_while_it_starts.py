"""A process that is killed during its own start leaves nothing that keeps the next one from starting."""

import signal

import pytest

from tests.builders import an_order
from tests.plugins.system import System
from tests.plugins.waiting import eventually

pytestmark = pytest.mark.timeout(240)
STEPS = ("listening", "migration applied", "serving", "Subscribed to topic(s)", "partitions assigned")
"""What the process has just said when it is killed."""


async def test_a_service_killed_at_every_step_of_its_start_starts_and_accepts(system: System) -> None:
    for step in STEPS:
        process = system.launch("orders")
        begun = len(system.lines("orders"))

        def has_said(step: str = step, begun: int = begun) -> bool:
            return any(line["message"].startswith(step) for line in system.lines("orders")[begun:])

        await eventually(has_said, timeout=60, waiting_for=step)
        process.send(signal.SIGKILL)
        assert await process.ended(10)
    await system.start("orders")
    await system.open_a_shop()
    order = an_order()
    answer = await system.place(order)
    assert answer.status_code == 201
    await system.noted(order, "order.noted.v1")

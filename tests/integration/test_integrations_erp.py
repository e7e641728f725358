"""What Sandbox ERP certainly did not take is put off, not unknown: it is asked before it is told."""

import time
from collections.abc import AsyncIterator

import pytest

from services.integrations.calling import NotAnAnswer
from services.integrations.connections import Connection
from services.integrations.erp.sandbox import SandboxErp
from shared.messaging.effects import Done, NotSent, Permit
from tests.builders import an_order
from tests.plugins.sandboxes import Sandbox


@pytest.fixture
async def system(erp_sandbox: Sandbox) -> AsyncIterator[SandboxErp]:
    connection = Connection("nordic-tea", "erp", "sandbox", erp_sandbox.running.url, erp_sandbox.api_key)
    made = SandboxErp(connection, seconds=5.0)
    yield made
    await made.close()


def a_permit() -> Permit:
    return Permit(time.monotonic(), 5.0)


async def test_a_system_that_is_closed_was_not_told(erp_sandbox: Sandbox, system: SandboxErp) -> None:
    await erp_sandbox.misbehave(closed_for=60)
    with pytest.raises(NotSent):
        await system.push(an_order(), a_permit())
    assert await erp_sandbox.ledger() == []


async def test_a_system_that_loses_the_answer_to_a_question_was_not_told(
    erp_sandbox: Sandbox, system: SandboxErp
) -> None:
    await erp_sandbox.misbehave(lost=1.0, reads=True)
    with pytest.raises(NotSent):
        await system.push(an_order(), a_permit())
    assert await erp_sandbox.ledger() == []


async def test_whether_a_system_that_loses_the_answer_was_told_nobody_knows_until_it_is_looked_up(
    erp_sandbox: Sandbox, system: SandboxErp
) -> None:
    order = an_order()
    await erp_sandbox.misbehave(next=["error-after"])
    with pytest.raises(NotAnAnswer):
        await system.push(order, a_permit())
    assert isinstance(await system.find(order), Done)
    assert isinstance(await system.push(order, a_permit()), Done)
    assert len(await erp_sandbox.ledger()) == 1

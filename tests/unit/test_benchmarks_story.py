"""A whole order is told when the log has said all of it; what goes wrong ends the benchmark and makes no figure."""

import asyncio
import sys
from uuid import UUID, uuid4

import pytest

from benchmarks.story import Heard, whole_orders
from benchmarks.used import cpu_seconds, memory_of
from shared.contracts.message import new_id
from shared.contracts.order_log import ErpFailed, ErpOrderExported, OrderNoted
from tests.builders import stamped

WANTED = {"order.placed.v1", ErpOrderExported.type}


def noted(order_id: UUID) -> OrderNoted:
    entry = OrderNoted(
        order_id=order_id, outcome="done", summary="order-placed", event_type="order.placed.v1", event_id=new_id()
    )
    return stamped(entry)


def exported(order_id: UUID) -> ErpOrderExported:
    entry = ErpOrderExported(
        order_id=order_id, outcome="done", summary="erp.order-exported", request_id="r1", number="1"
    )
    return stamped(entry)


async def test_an_order_is_waited_for_until_all_of_it_was_said() -> None:
    heard, order_id = Heard(), uuid4()
    heard.listen_for(order_id)
    waiting = asyncio.create_task(heard.until(order_id, WANTED))
    for entry in (noted(order_id), exported(uuid4())):
        heard.hear(entry)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert not waiting.done()
    assert heard.hear(exported(order_id))
    await asyncio.wait_for(waiting, 1)


async def test_what_goes_wrong_is_said_at_once() -> None:
    heard, order_id = Heard(), uuid4()
    heard.listen_for(order_id)
    no = ErpFailed(order_id=order_id, outcome="failed", summary="erp.failed", request_id="r1", reason="refused")
    heard.hear(stamped(no))
    with pytest.raises(RuntimeError, match="refused"):
        await heard.until(order_id, WANTED)


def test_each_round_has_orders_of_its_own() -> None:
    rounds = [[one.order.order_id for one in whole_orders(50, seed)] for seed in (0, 1)]
    assert len({*rounds[0], *rounds[1]}) == 100
    assert rounds[0] == [one.order.order_id for one in whole_orders(50, 0)]


async def test_a_process_is_counted_with_its_children() -> None:
    code = "import sys; list(range(10_000_000)); print('done', flush=True); sys.stdin.read()"
    command = ["sh", "-c", f'"$0" -c "{code}"; true', sys.executable]
    child = await asyncio.create_subprocess_exec(
        *command, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    assert child.stdout is not None
    await child.stdout.readline()
    assert memory_of(child.pid).children == 1
    assert cpu_seconds(child.pid) > 0.05
    await child.communicate(b"")

"""Back-pressure: what can be worked is bounded, what cannot be worked holds up nobody."""

from uuid import uuid4

from shared.contracts.topics import ORDERS_LOG
from shared.messaging.groups import Group
from shared.messaging.ingest import Ingest
from shared.messaging.pressure import Pressure
from tests.builders import an_order
from tests.integration.test_kit_ingest import a_record, an_entry, log
from tests.integration.test_kit_lanes import events_about, events_group
from tests.plugins.kit import Kit, running
from tests.plugins.lanes import arrive
from tests.plugins.waiting import eventually


async def fill(kit: Kit, count: int) -> Group:
    group = events_group()
    await arrive(kit, group, [event for _ in range(count) for event in events_about(an_order(), 1)])
    return group


async def test_above_the_limit_ingest_has_to_wait_until_a_fifth_has_been_worked(kit: Kit) -> None:
    pressure = Pressure(kit.pool, runnable_limit=10, every=0)
    await fill(kit, 10)
    assert await pressure.measured() is None
    await fill(kit, 1)
    assert await pressure.measured() == "more than 10 messages wait for the workers"
    await kit.pool.execute("delete from inbox where position in (select position from inbox order by position limit 2)")
    assert await pressure.measured() == "more than 8 messages wait for the workers"
    await kit.pool.execute("delete from inbox where position in (select position from inbox order by position limit 1)")
    assert await pressure.measured() is None


async def test_what_waits_behind_a_blocked_or_retrying_lane_does_not_count(kit: Kit) -> None:
    pressure = Pressure(kit.pool, runnable_limit=10, every=0)
    await fill(kit, 30)
    await kit.pool.execute("update lane set state = 'blocked', due = null where subject < '8'")
    await kit.pool.execute("update lane set due = now() + interval '1 minute' where subject >= '8'")
    assert await pressure.measured() is None


async def test_the_disk_has_a_limit_whatever_the_messages_wait_for(kit: Kit) -> None:
    await fill(kit, 30)
    assert "the most are 0" in (await Pressure(kit.pool, disk_limit=1000, every=0).measured() or "")


async def test_partitions_are_held_back_and_go_on_and_nothing_is_lost(kit_on_kafka: Kit) -> None:
    kit, order = kit_on_kafka, str(uuid4())
    pressure = Pressure(kit.pool, runnable_limit=0, every=0)
    ingest = Ingest(
        kit.pool, kit.kafka, ORDERS_LOG, [log], kit.bell,
        service="test", prefix=kit.prefix, session_seconds=6, pressure=pressure,
    )  # fmt: skip

    async def held_back() -> bool:
        return ingest._held_back  # noqa: SLF001 - what the metric says

    async def taken(count: int) -> bool:
        return await kit.count("inbox") == count

    async with running(ingest):
        await kit.publish(ORDERS_LOG, a_record(an_entry(order, 1)))
        await eventually(held_back, timeout=20)
        await kit.publish(ORDERS_LOG, *(a_record(an_entry(order, n)) for n in range(2, 50)))
        assert await taken(1)
        assert ingest.problem() is None
        pressure.runnable_limit = 1000
        await eventually(lambda: taken(49), timeout=20)

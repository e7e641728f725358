"""What operators watch: counted from the database, so that one process says it for the whole service."""

from shared.messaging import metrics
from shared.messaging.gauges import OLD_SNAPSHOT_SECONDS, Gauges
from tests.builders import an_order
from tests.integration.test_kit_lanes import events_about, events_group
from tests.plugins.kit import Kit
from tests.plugins.lanes import arrive


async def test_lanes_with_something_to_do_are_counted_by_state_and_idle_ones_are_not(kit: Kit) -> None:
    group = events_group()
    await arrive(kit, group, [event for _ in range(5) for event in events_about(an_order(), 1)])
    subjects = [row["subject"] for row in await kit.pool.fetch("select subject from lane order by 1")]
    await kit.pool.execute("update lane set state = 'blocked', due = null where subject = $1", subjects[0])
    await kit.pool.execute("update lane set state = 'idle', due = null where subject = $1", subjects[1])
    await Gauges(kit.pool).read()
    counted = {sample.labels["state"]: sample.value for sample in next(iter(metrics.lanes.collect())).samples}
    assert counted == {"ready": 3, "blocked": 1}


async def test_a_snapshot_that_somebody_keeps_is_seen_and_said_once(kit: Kit) -> None:
    gauges = Gauges(kit.pool)
    async with kit.pool.acquire() as reader, reader.transaction(isolation="repeatable_read"):
        await reader.fetchval("select count(*) from lane")
        await kit.pool.execute("select pg_sleep(0.05)")
        await gauges.read()
        (sample,) = next(iter(metrics.snapshot_age_seconds.collect())).samples
        assert sample.value >= 0.05
    gauges._see_snapshots(OLD_SNAPSHOT_SECONDS + 1)  # noqa: SLF001 - a minute is too long for a test
    assert gauges._old_snapshot  # noqa: SLF001
    await gauges.read()
    assert not gauges._old_snapshot  # noqa: SLF001

"""Bad days around the kit: topics that are late or grow, leases taken away by hand, clocks that are wrong."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewPartitions

from shared.contracts.message import Message, write_record
from shared.contracts.topics import ORDERS_EVENTS, ORDERS_LOG, TOPICS
from shared.messaging import finish, offsets
from shared.messaging.effects import Effects
from shared.messaging.failures import Retry
from shared.messaging.ingest_store import IngestStore
from shared.messaging.intake import Arrived
from shared.messaging.topics_on_broker import TopicsOnBroker
from tests.builders import an_order, placed
from tests.integration.test_kit_effects import DONE, World
from tests.integration.test_kit_ingest import a_record, an_entry, an_ingest, inbox_is
from tests.integration.test_kit_lanes import Desk, events_about, events_group, outside
from tests.integration.test_kit_relay import a_relay, outbox_is_empty, place
from tests.plugins.kit import Kit, running
from tests.plugins.lanes import arrive, is_idle, lane
from tests.plugins.servers import delete_topics
from tests.plugins.waiting import eventually


@pytest.fixture
def kit_before_its_topics(kit: Kit, kafka: str, topic_prefix: str) -> Kit:
    kit.kafka, kit.prefix = kafka, topic_prefix
    return kit


async def test_a_topic_that_is_made_after_its_reader_was_started_is_read(kit_before_its_topics: Kit) -> None:
    kit, order, ingest = kit_before_its_topics, str(uuid4()), an_ingest(kit_before_its_topics)
    async with running(ingest):
        began = ingest.last_tick()
        await eventually(lambda: ingest.last_tick() > began + 1)
        assert ingest.problem() is not None
        async with TopicsOnBroker(kit.kafka, kit.prefix) as topics:
            await topics.create(TOPICS, partitions=2)
        await kit.publish(ORDERS_LOG, a_record(an_entry(order, 1)))
        await eventually(lambda: inbox_is(kit, order, ["01"]), timeout=30)
        assert ingest.problem() is None


async def test_a_reader_whose_topic_is_missing_stops_at_once(kit_before_its_topics: Kit) -> None:
    ingest, stopping = an_ingest(kit_before_its_topics), asyncio.Event()
    task = asyncio.create_task(ingest.run(stopping))
    began = ingest.last_tick()
    await eventually(lambda: ingest.last_tick() > began)
    stopping.set()
    async with asyncio.timeout(10):
        await task


async def test_partitions_added_while_their_reader_was_away_are_read_and_an_order_keeps_its_order(
    kit_on_kafka: Kit, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A static member is given what it had before, and the group hears of nothing else."""
    monkeypatch.setattr(offsets, "UNREAD_SECONDS", 0.5)
    kit, order = kit_on_kafka, str(uuid4())
    await kit.publish(ORDERS_LOG, a_record(an_entry(order, 1)), partition=0)
    async with running(an_ingest(kit)):
        await eventually(lambda: inbox_is(kit, order, ["01"]))
    await add_partitions(kit, 4)
    await kit.publish(ORDERS_LOG, *(a_record(an_entry(order, n)) for n in (3, 4)), partition=3)
    await kit.publish(ORDERS_LOG, a_record(an_entry(order, 2)), partition=0)
    async with running(an_ingest(kit)):
        await eventually(lambda: inbox_is(kit, order, ["01", "02", "03", "04"]), timeout=30)
    assert await kit.count("consumed", "topic = 'orders.log'") == 4


async def test_a_topic_made_anew_is_read_from_its_beginning_when_what_was_read_of_the_old_one_is_forgotten(
    kit_on_kafka: Kit, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its offsets count from nought again: without that, those below the old ones would be passed over."""
    monkeypatch.setattr(offsets, "UNREAD_SECONDS", 0.5)
    kit, old, new = kit_on_kafka, str(uuid4()), str(uuid4())
    await kit.publish(ORDERS_LOG, a_record(an_entry(old, 1)), a_record(an_entry(old, 2)), partition=0)
    async with running(an_ingest(kit)):
        await eventually(lambda: inbox_is(kit, old, ["01", "02"]))
    await make_anew(kit)
    await kit.publish(ORDERS_LOG, *(a_record(an_entry(new, n)) for n in (1, 2, 3)), partition=0)
    await kit.pool.execute("delete from consumed where topic = 'orders.log'")
    async with running(an_ingest(kit)):
        await eventually(lambda: inbox_is(kit, new, ["01", "02", "03"]), timeout=30)
    assert await kit.count("inbox") == 5


async def make_anew(kit: Kit) -> None:
    await delete_topics(kit.kafka, kit.prefix + ORDERS_LOG.name)

    async def made() -> bool:
        async with TopicsOnBroker(kit.kafka, kit.prefix) as topics:
            return bool(await topics.create([ORDERS_LOG], partitions=2))

    await eventually(made, timeout=30, every=0.2)


async def add_partitions(kit: Kit, count: int) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=kit.kafka)
    await admin.start()
    await admin.create_partitions({kit.prefix + ORDERS_LOG.name: NewPartitions(count)})
    await admin.close()


async def test_a_relay_whose_row_was_deleted_by_hand_makes_it_anew_and_goes_on(kit_on_kafka: Kit) -> None:
    kit = kit_on_kafka
    async with running(a_relay(kit, lease_seconds=1)):
        await place(kit, an_order())
        await eventually(lambda: outbox_is_empty(kit))
        await kit.pool.execute("delete from relay")
        await eventually(lambda: kit.count("relay"))
        await place(kit, an_order())
        await eventually(lambda: outbox_is_empty(kit))


class Caller(Desk):
    """Calls the world once for each message."""

    def __init__(self, kit: Kit) -> None:
        super().__init__()
        self.world, self._effects = World(DONE), Effects(kit.pool)

    async def see(self, message: Message) -> None:
        await self._effects.once(key=f"mail:{message.meta.id}", kind="mail", call=self.world.call, timeout=5)
        await super().see(message)


async def test_leases_of_lanes_taken_away_by_hand_repeat_no_effect(kit: Kit) -> None:
    group, desk, order = events_group(), Caller(kit), an_order()
    desk.gate.clear()
    await arrive(kit, group, events_about(order, 2))
    async with running(outside(kit, group, desk)):
        await eventually(lambda: kit.count("effect", "state = 'done'"))
        await kit.pool.execute("update lane set token = null, state = 'ready', due = clock_timestamp()")
        desk.gate.set()
        await eventually(lambda: is_idle(kit, str(order.id)))
    assert desk.world.calls == 2
    assert await kit.count("effect", "state = 'done' and attempts = 1") == 2


@pytest.mark.parametrize("time", ["0001-01-01T00:00:00Z", "1970-01-01T00:00:00Z", "9999-12-31T23:59:59Z"])
async def test_a_record_from_a_clock_that_is_centuries_off_is_handled_as_any_other(kit: Kit, time: str) -> None:
    group, desk, event = events_group(), Caller(kit), placed(an_order())
    document = json.loads(write_record(event, event.meta)) | {"time": time}
    record = Arrived(ORDERS_EVENTS.name, 0, 0, event.subject.encode(), json.dumps(document).encode(), [])
    await IngestStore(kit.pool, ORDERS_EVENTS, [group]).take([record])
    async with running(outside(kit, group, desk)):
        await eventually(lambda: is_idle(kit, event.subject))
    assert (desk.seen, desk.world.calls) == ([event.meta.id], 1)


class TwoDaysAhead(datetime):
    """The clock of a process that is wrong."""

    @classmethod
    def now(cls, tz: Any = None) -> Any:
        return datetime.now(tz) + timedelta(days=2)


async def test_a_process_whose_clock_is_days_ahead_gives_nothing_up_for_that(
    kit: Kit, monkeypatch: pytest.MonkeyPatch
) -> None:
    group, desk, order = events_group(), Desk(), an_order()
    desk.fail = lambda _: Retry("not now")
    await arrive(kit, group, events_about(order, 1))

    async def has_failed(attempts: int) -> bool:
        row = await lane(kit, str(order.id))
        return bool(row["state"] == "ready" and row["attempts"] == attempts)

    for attempts, clock in enumerate((datetime, TwoDaysAhead, datetime), start=1):
        monkeypatch.setattr(finish, "datetime", clock)
        await kit.pool.execute("update lane set due = clock_timestamp()")
        async with running(outside(kit, group, desk)):
            await eventually(lambda attempts=attempts: has_failed(attempts))  # type: ignore[misc]
    assert await kit.count("inbox", "state = 'dead'") == 0
    failing_since = (await lane(kit, str(order.id)))["failing_since"]
    assert abs(failing_since - datetime.now(UTC)) < timedelta(minutes=5)

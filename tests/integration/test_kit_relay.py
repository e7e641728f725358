"""The relay publishes everything in order, whatever the broker refuses and whoever else is at work meanwhile."""

import asyncio
import json
from typing import Any
from uuid import uuid4

import asyncpg
import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import MessageSizeTooLargeError

from shared.contracts.order import OrderSnapshot
from shared.contracts.order_events import OrderPlaced
from shared.contracts.topics import ORDERS_EVENTS, ORDERS_LOG
from shared.messaging.database import transaction
from shared.messaging.relay import Relay, _acknowledged
from shared.messaging.relay_lease import RelayLease
from shared.messaging.topics_on_broker import TopicsOnBroker
from tests.builders import a_line, an_order, placed, to_place
from tests.plugins.kit import Kit, running
from tests.plugins.waiting import eventually


def a_relay(kit: Kit, *, keeps: bool = False, lease_seconds: float = 10.0) -> Relay:
    return Relay(kit.dsn, kit.kafka, kit.bell, prefix=kit.prefix, keeps=keeps, poll=0.05, lease_seconds=lease_seconds)


async def place(kit: Kit, order: OrderSnapshot) -> None:
    await kit.say(to_place(order).meta, [OrderPlaced(order=order)])


async def outbox_is_empty(kit: Kit) -> bool:
    return await kit.count("outbox") == 0


async def sequences(kit: Kit) -> list[str]:
    return [json.loads(record.value)["sequence"][11:] for record in await kit.records(ORDERS_EVENTS)]


async def test_what_was_appended_is_published_under_its_key_in_order_and_noted_on_the_log(kit_on_kafka: Kit) -> None:
    kit, order = kit_on_kafka, an_order()
    for _ in range(3):
        await place(kit, order)
    async with running(a_relay(kit)):
        await eventually(lambda: outbox_is_empty(kit))
    events, log = await kit.records(ORDERS_EVENTS), await kit.records(ORDERS_LOG)
    assert [record.key.decode() for record in events] == [str(order.id)] * 3
    assert await sequences(kit) == ["000000000001", "000000000002", "000000000003"]
    assert [json.loads(record.value)["data"]["event_id"] for record in log] == [
        json.loads(record.value)["id"] for record in events
    ]
    headers = {name: value.decode() for name, value in events[0].headers}
    assert headers["ce_type"] == "order.placed.v1"
    assert headers["content-type"].startswith("application/cloudevents+json")


async def test_numbers_go_on_after_the_outbox_was_drained(kit_on_kafka: Kit) -> None:
    kit, order = kit_on_kafka, an_order()
    async with running(a_relay(kit)):
        await place(kit, order)
        await eventually(lambda: outbox_is_empty(kit))
        await place(kit, order)
        await eventually(lambda: outbox_is_empty(kit))
    assert await sequences(kit) == ["000000000001", "000000000002"]


async def test_a_transaction_that_commits_late_is_not_passed_over(kit_on_kafka: Kit) -> None:
    kit, late, early = kit_on_kafka, an_order(), an_order()
    async with running(a_relay(kit)):
        async with transaction(kit.pool) as slow:
            await kit.outbox.append(slow, [(to_place(late).meta, [OrderPlaced(order=late)])])
            await place(kit, early)
            await eventually(lambda: outbox_is_empty(kit))
            # Long enough for the relay to have set marks and raised its floor more than once.
            snapshot = await kit.pool.fetchval("select clock_timestamp()")
            await eventually(
                lambda: kit.pool.fetchval("select clock_timestamp() > $1::timestamptz + interval '1.5 s'", snapshot),
                timeout=5,
            )
        await eventually(lambda: outbox_is_empty(kit))
    keys = {record.key.decode() for record in await kit.records(ORDERS_EVENTS)}
    assert keys == {str(late.id), str(early.id)}


async def test_the_floor_rises_over_rows_that_were_published(kit_on_kafka: Kit) -> None:
    kit, relay = kit_on_kafka, a_relay(kit_on_kafka)
    async with running(relay):
        await place(kit, an_order())
        await eventually(lambda: outbox_is_empty(kit))
        await place(kit, an_order())
        await eventually(lambda: relay._floor.value >= 2)  # noqa: SLF001
        await place(kit, an_order())
        await eventually(lambda: outbox_is_empty(kit))
    assert len(await kit.records(ORDERS_EVENTS)) == 3


class Expired(RelayLease):
    """A lease whose time is over since its owner last looked."""

    async def held(self) -> bool:
        return True


async def test_a_read_that_the_lost_lease_left_empty_raises_no_floor(kit: Kit) -> None:
    for _ in range(3):
        await place(kit, an_order())
    relay, stopping = a_relay(kit), asyncio.Event()
    connection = await asyncpg.connect(kit.dsn)
    working = asyncio.create_task(relay._publish_while_leased(connection, Expired(connection), stopping))  # noqa: SLF001
    began = relay.last_tick()
    await eventually(lambda: relay.last_tick() > began + 2)
    stopping.set()
    await working
    await connection.close()
    assert relay._floor.value == 0  # noqa: SLF001


async def test_a_lease_that_the_database_ended_early_raises_no_floor(kit: Kit) -> None:
    """Its clock jumped, or somebody emptied the row: this process still believes in its lease and reads nothing."""
    relay = a_relay(kit, lease_seconds=300)
    async with running(relay):
        await eventually(lambda: relay._floor._mark)  # noqa: SLF001
        await kit.pool.execute("update relay set token = null, until = '-infinity'")
        await place(kit, an_order())
        began = relay.last_tick()
        await eventually(lambda: relay.last_tick() > began + 2)
        assert relay._floor.value == 0  # noqa: SLF001


async def test_what_orders_publishes_is_kept_in_the_order_of_publishing(kit_on_kafka: Kit) -> None:
    kit = kit_on_kafka
    orders = [an_order() for _ in range(20)]
    for order in orders:
        await place(kit, order)
    async with running(a_relay(kit, keeps=True)):
        await eventually(lambda: outbox_is_empty(kit))
    rows = await kit.pool.fetch(
        "select number, aggregateid from announced where topic = 'orders.events' order by number"
    )
    assert [row["aggregateid"] for row in rows] == [str(order.id) for order in orders]
    assert [row["number"] for row in rows] == sorted({row["number"] for row in rows})


async def test_a_long_reader_of_what_was_announced_does_not_hold_up_the_relay_at_the_turn_of_a_month(
    kit_on_kafka: Kit,
) -> None:
    kit = kit_on_kafka
    async with running(a_relay(kit, keeps=True)):
        await place(kit, an_order())
        await eventually(lambda: outbox_is_empty(kit))
    months = await kit.pool.fetch(
        "select inhrelid::regclass::text from pg_inherits where inhparent = 'announced'::regclass order by 1"
    )
    await kit.pool.execute(f"drop table {months[-1][0]}")
    async with transaction(kit.pool) as reader:
        await reader.fetch("select * from announced")
        async with running(a_relay(kit, keeps=True)):
            await place(kit, an_order())
            await eventually(lambda: outbox_is_empty(kit))


async def test_of_two_relays_one_publishes_and_the_other_takes_over_when_it_is_gone(kit_on_kafka: Kit) -> None:
    kit = kit_on_kafka
    orders = [an_order() for _ in range(50)]
    async with running(a_relay(kit, lease_seconds=2)):
        async with running(a_relay(kit, lease_seconds=2)):
            for order in orders[:25]:
                await place(kit, order)
            await eventually(lambda: outbox_is_empty(kit))
        for order in orders[25:]:
            await place(kit, order)
        await eventually(lambda: outbox_is_empty(kit))
    keys = [record.key.decode() for record in await kit.records(ORDERS_EVENTS)]
    assert sorted(keys) == sorted(str(order.id) for order in orders)


async def test_a_lease_that_nobody_gives_back_runs_out(kit_on_kafka: Kit) -> None:
    kit = kit_on_kafka
    await kit.pool.execute("update relay set token = $1, until = clock_timestamp() + interval '1 s'", uuid4())
    await place(kit, an_order())
    async with running(a_relay(kit, lease_seconds=3)):
        assert await kit.count("outbox") == 2
        await eventually(lambda: outbox_is_empty(kit), timeout=10)


async def limit_size(kit: Kit, size: int) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=kit.kafka)
    await admin.start()
    name = kit.prefix + ORDERS_EVENTS.name
    await admin.alter_configs(
        [ConfigResource(ConfigResourceType.TOPIC, name, {"max.message.bytes": str(size), "compression.type": "lz4"})]
    )
    await admin.close()
    large = an_order(lines=[a_line(name=uuid4().hex * 6) for _ in range(60)])
    await eventually(lambda: is_accepted(kit, name, large, accepted=size > 1_000_000))


async def is_accepted(kit: Kit, topic: str, order: OrderSnapshot, *, accepted: bool) -> bool:
    """Whether the broker takes such an order, or does not: a setting is in force a moment after it was made."""
    async with AIOKafkaProducer(bootstrap_servers=kit.kafka, max_request_size=4_000_000) as producer:
        try:
            await producer.send_and_wait(topic, order.model_dump_json().encode(), key=b"a try")
        except MessageSizeTooLargeError:
            return not accepted
    return accepted


async def test_a_record_that_the_broker_refuses_parks_its_key_alone_until_it_is_released(kit_on_kafka: Kit) -> None:
    kit = kit_on_kafka
    await limit_size(kit, 4_000)
    large, small = an_order(lines=[a_line(name=uuid4().hex * 6) for _ in range(60)]), an_order()
    async with running(a_relay(kit)):
        await place(kit, large)
        small_again = small.model_copy(update={"id": large.id})
        await place(kit, small_again)
        await place(kit, small)
        await eventually(lambda: kit.count("parked"), timeout=20)
        await eventually(lambda: published(kit, small))
        await eventually(lambda: in_outbox(kit, 2))
        await limit_size(kit, 2_000_000)
        await kit.pool.execute("delete from parked")
        await eventually(lambda: outbox_is_empty(kit), timeout=20)
    numbers = await published(kit, large)
    # The second may have been accepted before anybody knew that the first was refused: it was kept, and came again.
    assert numbers[-2:] == ["000000000001", "000000000002"]


async def in_outbox(kit: Kit, rows: int) -> bool:
    return await kit.count("outbox") == rows


async def published(kit: Kit, order: OrderSnapshot) -> list[str]:
    records = [record for record in await kit.records(ORDERS_EVENTS) if record.key.decode() == str(order.id)]
    return [json.loads(record.value)["sequence"][11:] for record in records]


async def test_a_topic_that_is_made_late_is_waited_for(kit: Kit, kafka: str, topic_prefix: str) -> None:
    kit.kafka, kit.prefix = kafka, topic_prefix
    relay = a_relay(kit)
    await place(kit, an_order())
    async with running(relay):
        await eventually(lambda: asyncio.sleep(0, relay._missing == {"orders.events", "orders.log"}), timeout=30)  # noqa: SLF001 - what the gauge counts
        async with TopicsOnBroker(kafka, topic_prefix) as topics:
            await topics.create(partitions=1)
        await eventually(lambda: outbox_is_empty(kit), timeout=30)
    assert len(await kit.records(ORDERS_EVENTS)) == 1


def row(position: int, key: str) -> Any:
    return {"position": position, "topic": "orders.events", "aggregateid": key}


def test_what_follows_an_unacknowledged_record_of_its_key_is_not_forgotten() -> None:
    rows = [row(1, "a"), row(2, "b"), row(3, "a"), row(4, "b"), row(5, "c")]
    refused = MessageSizeTooLargeError()
    assert _acknowledged(rows, [refused, None, None, None, None]) == [2, 4, 5]


def test_what_was_not_sent_is_not_forgotten() -> None:
    assert _acknowledged([row(1, "a"), row(2, "b")], [None]) == [1]


async def test_placed_is_stamped_with_its_cause(kit: Kit) -> None:
    command = to_place(an_order())
    said = await kit.say(command.meta, [OrderPlaced(order=placed(an_order()).order)])
    assert said[0].meta.causationid == command.meta.id
    assert said[0].meta.correlationid == (command.meta.correlationid or command.meta.id)
    assert said[1].meta.causationid == command.meta.id


@pytest.mark.parametrize("count", [1, 2, 5])
async def test_concurrent_writers_of_one_order_number_without_gaps(kit: Kit, count: int) -> None:
    order = an_order()
    await asyncio.gather(*(place(kit, order) for _ in range(count)))
    rows = await kit.pool.fetch("select sequence from outbox where topic = 'orders.events' order by sequence")
    assert [int(row["sequence"][11:]) for row in rows] == list(range(1, count + 1))


async def test_a_topic_that_does_not_exist_holds_up_its_own_records_alone(kit_on_kafka: Kit) -> None:
    kit, order, other = kit_on_kafka, an_order(), an_order()
    await place(kit, order)
    await kit.pool.execute("update outbox set topic = 'payer.dead-letters' where topic = $1", ORDERS_EVENTS.name)
    await place(kit, other)
    async with running(a_relay(kit)):
        await eventually(lambda: published(kit, other))
        assert await kit.count("outbox", "topic = 'payer.dead-letters'") == 1
        admin = AIOKafkaAdminClient(bootstrap_servers=kit.kafka)
        await admin.start()
        await admin.create_topics([NewTopic(kit.prefix + "payer.dead-letters", 1, 1)])
        await admin.close()
        await eventually(lambda: outbox_is_empty(kit), timeout=20)

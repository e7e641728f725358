"""Ingest stops where records were deleted unread, and goes on when an operator has seen how many and accepts it."""

from uuid import uuid4

import pytest
from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete

from shared.contracts.message import Message, write_record
from shared.contracts.order_events import OrderEvent
from shared.contracts.topics import ORDERS_EVENTS
from shared.messaging.groups import Group
from shared.messaging.ingest import Ingest
from tests.builders import an_order, confirmation_requested, placed
from tests.plugins.kit import Kit, running
from tests.plugins.operator import ops
from tests.plugins.waiting import eventually

GROUP = Group("test", ORDERS_EVENTS)


@GROUP.on(OrderEvent)
async def _ignore(_event: OrderEvent) -> list[OrderEvent]:
    return []


def an_ingest(kit: Kit) -> Ingest:
    return Ingest(kit.pool, kit.kafka, ORDERS_EVENTS, [GROUP], kit.bell, service="test", prefix=kit.prefix)


async def place(kit: Kit, count: int) -> None:
    """So many orders are placed, all of them in partition 0."""
    await publish(kit, *(placed(an_order(id=uuid4())) for _ in range(count)))


async def publish(kit: Kit, *events: Message) -> None:
    records = [(event.subject.encode(), write_record(event, event.meta).encode()) for event in events]
    await kit.publish(ORDERS_EVENTS, *records, partition=0)


async def delete_before(kit: Kit, offset: int) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=kit.kafka)
    await admin.start()
    try:
        partition = TopicPartition(kit.prefix + ORDERS_EVENTS.name, 0)
        await admin.delete_records({partition: RecordsToDelete(before_offset=offset)})
    finally:
        await admin.close()


@pytest.fixture
async def cut(kit_on_kafka: Kit) -> Kit:
    """A database that has read two records of partition 0; the next three were deleted, then two more came."""
    kit = kit_on_kafka
    await place(kit, 2)
    async with running(an_ingest(kit)):
        await eventually(lambda: taken(kit, 2))
    await place(kit, 3)
    await delete_before(kit, 5)
    await place(kit, 2)
    return kit


async def taken(kit: Kit, count: int) -> bool:
    return await kit.count("message") == count


async def test_reading_goes_on_behind_what_was_lost_when_an_operator_accepts_it(cut: Kit) -> None:
    where = ("--topic", "orders.events", "--kafka", cut.kafka, "--prefix", cut.prefix, "-d", f"test={cut.dsn}")
    ingest = an_ingest(cut)
    async with running(ingest):
        await eventually(lambda: "log truncated" in (ingest.problem() or ""))
        status = await ops("status", *where[2:])
        assert "orders.events, partition 0: deleted unread: 3 records; see accept-truncated" in status.out
        assert await cut.count("message") == 2

        no = await ops("accept-truncated", *where, says="n\n")
        assert no.code == 1
        assert await cut.count("consumed", "partition = 0 and next = 2") == 1

        yes = await ops("accept-truncated", *where, "--actor", "maria", "--reason", "seen", says="y\n")
        assert yes.code == 0, yes.err
        assert "accepted the loss of 3 records" in yes.out
        await eventually(lambda: taken(cut, 4))
        assert ingest.problem() is None
    record = await cut.pool.fetchrow("select actor, action, reason, state, answer from repair")
    assert tuple(record or ()) == (
        "maria", "accept-truncated", "seen", "done", "3 records given up; reading goes on at 5"
    )  # fmt: skip
    again = await ops("accept-truncated", *where, "--yes")
    assert (again.code, again.err) == (1, "No record was lost here: nothing to accept.\n")


async def test_an_order_whose_first_record_was_lost_is_taken_up_where_it_is_found(cut: Kit) -> None:
    where = ("--topic", "orders.events", "--kafka", cut.kafka, "--prefix", cut.prefix, "-d", f"test={cut.dsn}")
    assert (await ops("accept-truncated", *where, "--yes")).code == 0
    await publish(cut, confirmation_requested(an_order(id=uuid4())))
    async with running(an_ingest(cut)):
        await eventually(lambda: held(cut, 1))
        await cut.pool.execute("update held set at = at - interval '2 minutes'")
        await eventually(lambda: taken(cut, 5))
    assert await held(cut, 0)


async def held(kit: Kit, count: int) -> bool:
    return await kit.count("held") == count


async def test_another_partition_is_left_alone(cut: Kit) -> None:
    where = ("--topic", "orders.events", "--kafka", cut.kafka, "--prefix", cut.prefix, "-d", f"test={cut.dsn}")
    other = await ops("accept-truncated", *where, "--partition", "1", "--yes")
    assert other.code == 1
    assert await cut.count("consumed", "partition = 0 and next = 2") == 1

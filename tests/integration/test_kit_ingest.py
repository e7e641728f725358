"""Ingest takes in what it understands, keeps what it does not, and loses nothing whatever comes."""

import asyncio
import json
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any
from uuid import uuid4

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete
from aiokafka.errors import KafkaError

from shared.contracts.message import Message, new_id, write_record
from shared.contracts.order_log import LogEntry
from shared.contracts.topics import ORDERS_COMMANDS, ORDERS_LOG, Topic
from shared.messaging.groups import Group
from shared.messaging.ingest import Ingest
from shared.messaging.ingest_store import IngestStore
from shared.messaging.intake import Arrived, Understood, understand
from tests.builders import an_order, to_place
from tests.plugins.kit import Kit, running
from tests.plugins.waiting import eventually

log = Group("orders.log", reads=ORDERS_LOG, inside=True)
commands = Group("orders.commands", reads=ORDERS_COMMANDS, inside=True, answers=True)


@log.on(LogEntry)
async def read_entry(entry: LogEntry) -> list[Message]:
    raise NotImplementedError(entry)


def an_ingest(kit: Kit, topic: Topic = ORDERS_LOG, *, service: str = "test", instance: int = 0) -> Ingest:
    return Ingest(
        kit.pool,
        kit.kafka,
        topic,
        [log, commands],
        kit.bell,
        service=service,
        instance=instance,
        prefix=kit.prefix,
        session_seconds=6,
    )


def an_entry(subject: str, n: int, incarnation: int = 1_700_000_000, **attributes: Any) -> dict[str, Any]:
    """The document of one entry on the order log, as notifications would write it."""
    return {
        "specversion": "1.0",
        "id": new_id(),
        "source": "/notifications",
        "type": "message.sent.v1",
        "subject": subject,
        "time": "2026-11-25T12:00:00Z",
        "shop": "nordic-tea",
        "actor": "notifications",
        "datacontenttype": "application/json",
        "sequence": f"{incarnation:010d}.{n:012d}",
        "data": {
            "order_id": subject,
            "outcome": "done",
            "summary": "message.sent",
            "template": "order-received",
            "recipient": "a***@example.org",
            "language": "sv",
            "message_id": "<x@example.org>",
        },
    } | attributes


def a_record(document: dict[str, Any]) -> tuple[bytes, bytes]:
    return document["subject"].encode(), json.dumps(document).encode()


async def inbox(kit: Kit, subject: str) -> list[str]:
    rows = await kit.pool.fetch(
        "select m.sequence from inbox i join message m using (position) where i.subject = $1 order by position", subject
    )
    return [row["sequence"][-2:] for row in rows]


async def reasons(kit: Kit) -> list[str]:
    return [row["reason"] for row in await kit.pool.fetch("select reason from quarantine order by position")]


async def test_entries_enter_the_inbox_and_wake_their_lane(kit_on_kafka: Kit) -> None:
    kit, order = kit_on_kafka, str(uuid4())
    await kit.publish(ORDERS_LOG, a_record(an_entry(order, 1)), a_record(an_entry(order, 2)))
    async with running(an_ingest(kit)):
        await eventually(lambda: kit.count("inbox"))
        await eventually(lambda: inbox_is(kit, order, ["01", "02"]))
    lane = await kit.pool.fetchrow("select * from lane")
    assert lane is not None
    assert (lane["subject"], lane["state"], lane["shop"]) == (order, "ready", "nordic-tea")
    assert lane["due"] is not None


async def inbox_is(kit: Kit, subject: str, expected: Sequence[str]) -> bool:
    return await inbox(kit, subject) == list(expected)


BAD: dict[str, Callable[[str], tuple[bytes | None, bytes | None]]] = {
    "no value": lambda order: (order.encode(), None),
    "not JSON": lambda order: (order.encode(), b"\xff\xfe{"),
    "a CloudEvents batch": lambda order: (order.encode(), json.dumps([an_entry(order, 1)]).encode()),
    "nested 10,000 deep": lambda order: (order.encode(), b"[" * 10_000 + b"]" * 10_000),
    "another key than its subject": lambda order: (b"other", json.dumps(an_entry(order, 1)).encode()),
    "no key": lambda order: (None, json.dumps(an_entry(order, 1)).encode()),
    "a subject of 9 kB": lambda _: a_record(an_entry("x" * 9_000, 1)),
    "a subject that is no order id": lambda _: a_record(an_entry("order-1", 1)),
    "a sequence of 10^20": lambda order: a_record(an_entry(order, 1) | {"sequence": str(10**20)}),
    "a sequence that is a number": lambda order: a_record(an_entry(order, 1) | {"sequence": 1}),
    "a sequence of zero": lambda order: a_record(an_entry(order, 0)),
    "no sequence": lambda order: a_record({k: v for k, v in an_entry(order, 1).items() if k != "sequence"}),
    "a NUL in its id": lambda order: a_record(an_entry(order, 1) | {"id": "a\x00b"}),
    "a lone surrogate in its source": lambda order: (
        order.encode(),
        json.dumps(an_entry(order, 1)).replace("/notifications", "\\ud800").encode(),
    ),
    "data that is a list": lambda order: a_record(an_entry(order, 1) | {"data": []}),
    "no shop": lambda order: a_record({k: v for k, v in an_entry(order, 1).items() if k != "shop"}),
    "2 MB": lambda order: a_record(an_entry(order, 1) | {"data": {"x": "y" * 2_000_000}}),
}


@pytest.mark.parametrize("case", BAD)
async def test_what_is_not_understood_is_kept_as_bytes_and_stops_nobody(kit: Kit, case: str) -> None:
    bad, good = str(uuid4()), str(uuid4())
    key, value = BAD[case](bad)
    store = IngestStore(kit.pool, ORDERS_LOG, [log])
    headers = [("binary", b"\xff\x00"), ("null", None)]
    records = [
        Arrived("orders.log", 0, 10, *a_record(an_entry(good, 1)), []),
        Arrived("orders.log", 0, 11, key, value, headers),
        Arrived("orders.log", 0, 12, *a_record(an_entry(good, 2)), []),
    ]
    await store.take(records)
    assert await inbox(kit, good) == ["01", "02"]
    row = await kit.pool.fetchrow("select * from quarantine")
    assert row is not None
    assert (row["key"], row["value"]) == (key, value)
    assert json.loads(row["headers"]) == [["binary", "/wA="], ["null", None]]
    assert len(row["reason"]) > 10
    assert await kit.pool.fetchval("select next from consumed") == 13


async def test_a_record_without_headers_or_with_binary_ones_passes_through_faststream(kit_on_kafka: Kit) -> None:
    kit, order = kit_on_kafka, str(uuid4())
    await kit.publish(ORDERS_LOG, a_record(an_entry(order, 1)))
    await kit.publish(ORDERS_LOG, a_record(an_entry(order, 2)), headers=[("a", b"\xff\x00"), ("content-type", b"\xff")])
    await kit.publish(ORDERS_LOG, (order.encode(), None))
    async with running(an_ingest(kit)):
        await eventually(lambda: inbox_is(kit, order, ["01", "02"]))
        await eventually(lambda: kit.count("quarantine"))
    assert await reasons(kit) == ["the record has no value"]


async def test_a_nul_in_the_data_is_taken_in_and_left_to_the_handler(kit: Kit) -> None:
    order = str(uuid4())
    document = an_entry(order, 1)
    document["data"]["message_id"] = "a\x00b"
    await IngestStore(kit.pool, ORDERS_LOG, [log]).take([Arrived("orders.log", 0, 0, *a_record(document), [])])
    assert await inbox(kit, order) == ["01"]


async def test_a_batch_that_postgresql_refuses_is_halved_until_the_record_at_fault_is_alone(kit: Kit) -> None:
    await kit.pool.execute("alter table message add check (id <> 'refuse-me')")
    orders = [str(uuid4()) for _ in range(20)]
    documents = [an_entry(order, 1) for order in orders]
    documents[13]["id"] = "refuse-me"
    records = [Arrived("orders.log", 0, n, *a_record(document), []) for n, document in enumerate(documents)]
    await IngestStore(kit.pool, ORDERS_LOG, [log]).take(records)
    assert await kit.count("inbox") == 19
    (reason,) = await reasons(kit)
    assert reason.startswith("PostgreSQL refuses it")
    assert await kit.pool.fetchval("select next from consumed") == 20


async def test_duplicates_and_gaps_are_told_apart_across_batches(kit: Kit) -> None:
    order, store = str(uuid4()), IngestStore(kit.pool, ORDERS_LOG, [log])
    documents = {n: an_entry(order, n) for n in range(1, 7)}

    async def take(*numbers: int) -> None:
        await store.take([Arrived("orders.log", 0, n, *a_record(documents[n]), []) for n in numbers])

    await take(1, 1)
    await take(4, 5, 3)
    assert await inbox(kit, order) == ["01"]
    assert await kit.count("held") == 3
    await take(2, 2, 6)
    assert await inbox(kit, order) == ["01", "02", "03", "04", "05", "06"]
    assert await kit.count("held") == 0
    await take(1, 2, 3, 4, 5, 6)
    assert await kit.count("inbox") == 6


async def test_a_number_used_twice_is_quarantined(kit: Kit) -> None:
    order, store = str(uuid4()), IngestStore(kit.pool, ORDERS_LOG, [log])
    await store.take([Arrived("orders.log", 0, 0, *a_record(an_entry(order, 1)), [])])
    await store.take([Arrived("orders.log", 0, 1, *a_record(an_entry(order, 1)), [])])
    assert await reasons(kit) == ["its number was used by another record of the same stream"]
    assert await kit.count("inbox") == 1


async def test_an_old_life_is_quarantined_with_what_was_held_of_it(kit: Kit) -> None:
    order, store = str(uuid4()), IngestStore(kit.pool, ORDERS_LOG, [log])
    documents = [an_entry(order, 1), an_entry(order, 5), an_entry(order, 2, 1_800_000_000), an_entry(order, 3)]
    for n, document in enumerate(documents):
        await store.take([Arrived("orders.log", 0, n, *a_record(document), [])])
    assert await inbox(kit, order) == ["01", "02"]
    assert [reason[:8] for reason in await reasons(kit)] == ["old life", "old life"]


async def test_everything_that_was_held_of_an_old_life_is_kept_with_the_offset_it_came_from(kit: Kit) -> None:
    order, store = str(uuid4()), IngestStore(kit.pool, ORDERS_LOG, [log])
    documents = [an_entry(order, 1), an_entry(order, 5), an_entry(order, 6), an_entry(order, 2, 1_800_000_000)]
    for n, document in enumerate(documents):
        await store.take([Arrived("orders.log", 0, n, *a_record(document), [("h", b"\xff")])])
    rows = await kit.pool.fetch('select "offset", value, headers from quarantine order by "offset"')
    assert [(row["offset"], json.loads(row["value"])["sequence"][-1]) for row in rows] == [(1, "5"), (2, "6")]
    assert {bytes(row["headers"]) for row in rows} == {b'[["h", "/w=="]]'}
    assert await kit.count("held") == 0


async def test_a_shadow_is_passed_over_whatever_else_is_in_its_batch(kit: Kit) -> None:
    order, store = str(uuid4()), IngestStore(kit.pool, ORDERS_LOG, [log])
    documents = [an_entry(order, 1), an_entry(order, 2, shadow="true"), an_entry(order, 3)]
    await store.take([Arrived("orders.log", 0, n, *a_record(document), []) for n, document in enumerate(documents)])
    assert await inbox(kit, order) == ["01", "03"]


async def test_an_unknown_type_takes_its_turn_and_is_kept(kit: Kit) -> None:
    order, store = str(uuid4()), IngestStore(kit.pool, ORDERS_LOG, [log])
    documents = [an_entry(order, 1), an_entry(order, 2) | {"type": "parcel.weighed.v1"}, an_entry(order, 3)]
    await store.take([Arrived("orders.log", 0, n, *a_record(document), []) for n, document in enumerate(documents)])
    assert await inbox(kit, order) == ["01", "03"]
    assert await kit.pool.fetchval("select type from passed") == "parcel.weighed.v1"


async def test_commands_are_taken_in_once_per_source_and_id(kit: Kit) -> None:
    command = to_place(an_order())
    store = IngestStore(kit.pool, ORDERS_COMMANDS, [commands])
    record = (command.subject.encode(), write_record(command, command.meta).encode())
    await store.take([Arrived("orders.commands", 0, n, *record, []) for n in range(3)])
    await store.take([Arrived("orders.commands", 0, 3, *record, [])])
    assert await kit.count("inbox") == 1


async def test_a_command_that_comes_again_behind_later_ones_keeps_its_place(kit: Kit) -> None:
    placing, again = to_place(order := an_order()), to_place(order)
    store = IngestStore(kit.pool, ORDERS_COMMANDS, [commands])
    records = [(command.subject.encode(), write_record(command, command.meta).encode()) for command in (placing, again)]
    arrival = [*records, records[0]]
    await store.take([Arrived("orders.commands", 0, n, *record, []) for n, record in enumerate(arrival)])
    rows = await kit.pool.fetch("select id from message order by position")
    assert [row["id"] for row in rows] == [placing.meta.id, again.meta.id]


async def test_a_sequence_of_a_shop_fronts_own_means_nothing_on_the_command_topic(kit: Kit) -> None:
    command = to_place(an_order())
    document = json.loads(write_record(command, command.meta)) | {"sequence": "17"}
    await IngestStore(kit.pool, ORDERS_COMMANDS, [commands]).take(
        [Arrived("orders.commands", 0, 0, *a_record(document), [])]
    )
    assert await kit.count("inbox") == 1


async def test_waiting_for_the_lock_sees_what_the_other_transaction_held_back(kit: Kit) -> None:
    """The race of MESSAGING I3: a reader of `held` with the snapshot of the locking statement misses number 3."""
    order, store = str(uuid4()), IngestStore(kit.pool, ORDERS_LOG, [log])

    def arrived(n: int) -> Arrived:
        return Arrived("orders.log", 0, n, *a_record(an_entry(order, n)), [])

    await store.take([arrived(1)])
    async with kit.pool.acquire() as other:
        holding = other.transaction()
        await holding.start()
        await other.execute("select from cursor where subject = $1 for update", order)
        taking = asyncio.create_task(store.take([arrived(2)]))
        await eventually(lambda: somebody_waits(kit))
        third = understand(arrived(3), ORDERS_LOG)
        assert isinstance(third, Understood)
        await store._take_numbered(other, [third], Counter())  # noqa: SLF001 - in the transaction that holds the lock
        await holding.commit()
        await taking
    assert await inbox(kit, order) == ["01", "02", "03"]


async def somebody_waits(kit: Kit) -> bool:
    return bool(await kit.pool.fetchval("select count(*) from pg_locks where not granted"))


async def test_without_a_row_a_partition_is_read_from_its_beginning_whatever_the_group_says(kit_on_kafka: Kit) -> None:
    kit, order = kit_on_kafka, str(uuid4())
    await kit.publish(ORDERS_LOG, *(a_record(an_entry(order, n)) for n in (1, 2, 3)))
    async with running(an_ingest(kit)):
        await eventually(lambda: inbox_is(kit, order, ["01", "02", "03"]))
    for table in ("consumed", "inbox", "cursor", "lane"):
        await kit.pool.execute(f"delete from {table}")
    async with running(an_ingest(kit)):
        await eventually(lambda: inbox_is(kit, order, ["01", "02", "03"]))


async def committed(kit: Kit, group: str = "test.orders.log") -> dict[int, int]:
    admin = AIOKafkaAdminClient(bootstrap_servers=kit.kafka)
    await admin.start()
    try:
        offsets = await admin.list_consumer_group_offsets(kit.prefix + group)
    finally:
        await admin.close()
    return {partition.partition: offset.offset for partition, offset in offsets.items()}


async def set_group_offsets(kit: Kit, offset: int) -> None:
    """As an operator does; Kafka allows it once the stopped member's session has run out."""
    topic = kit.prefix + "orders.log"
    consumer = AIOKafkaConsumer(
        bootstrap_servers=kit.kafka, group_id=kit.prefix + "test.orders.log", enable_auto_commit=False
    )
    await consumer.start()
    consumer.assign([TopicPartition(topic, number) for number in range(2)])

    async def reset() -> bool:
        try:
            await consumer.commit({TopicPartition(topic, number): offset for number in range(2)})
        except KafkaError:
            return False
        return True

    try:
        await eventually(reset, timeout=20, every=0.5)
    finally:
        await consumer.stop()


async def test_offsets_reset_backwards_are_obeyed_and_repeat_nothing(kit_on_kafka: Kit) -> None:
    kit, order = kit_on_kafka, str(uuid4())
    await kit.publish(ORDERS_LOG, *(a_record(an_entry(order, n)) for n in (1, 2, 3)))
    async with running(an_ingest(kit)):
        await eventually(lambda: inbox_is(kit, order, ["01", "02", "03"]))
        await eventually(lambda: told_kafka(kit, 3))
    await set_group_offsets(kit, 0)
    ingest = an_ingest(kit)
    async with running(ingest):
        await eventually(lambda: ingest.problem() is None)
        await eventually(lambda: told_kafka(kit, 3))
    assert await inbox(kit, order) == ["01", "02", "03"]


async def told_kafka(kit: Kit, offset: int) -> bool:
    return offset in (await committed(kit)).values()


async def test_offsets_reset_forwards_skip_nothing_unread(kit_on_kafka: Kit) -> None:
    kit, order = kit_on_kafka, str(uuid4())
    await kit.publish(ORDERS_LOG, a_record(an_entry(order, 1)))
    async with running(an_ingest(kit)):
        await eventually(lambda: inbox_is(kit, order, ["01"]))
    await kit.publish(ORDERS_LOG, *(a_record(an_entry(order, n)) for n in (2, 3)))
    await set_group_offsets(kit, 3)
    async with running(an_ingest(kit)):
        await eventually(lambda: inbox_is(kit, order, ["01", "02", "03"]))


async def delete_records(kit: Kit, before: int) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=kit.kafka)
    await admin.start()
    partitions = {
        TopicPartition(kit.prefix + "orders.log", number): RecordsToDelete(before_offset=before)
        for number, end in (await committed_ends(kit)).items()
        if end >= before
    }
    await admin.delete_records(partitions)
    await admin.close()


async def committed_ends(kit: Kit) -> dict[int, int]:
    consumer = AIOKafkaConsumer(bootstrap_servers=kit.kafka)
    await consumer.start()
    try:
        ends = await consumer.end_offsets([TopicPartition(kit.prefix + "orders.log", number) for number in range(2)])
    finally:
        await consumer.stop()
    return {partition.partition: end for partition, end in ends.items()}


async def test_a_log_that_was_cut_before_it_was_read_stops_ingest_until_somebody_accepts_it(kit_on_kafka: Kit) -> None:
    kit, order = kit_on_kafka, str(uuid4())
    await kit.publish(ORDERS_LOG, a_record(an_entry(order, 1)))
    async with running(an_ingest(kit)):
        await eventually(lambda: inbox_is(kit, order, ["01"]))
    await kit.publish(ORDERS_LOG, *(a_record(an_entry(order, n)) for n in (2, 3)))
    await delete_records(kit, 2)
    ingest = an_ingest(kit)
    async with running(ingest):
        await eventually(lambda: "log truncated" in (ingest.problem() or ""))
        assert await inbox(kit, order) == ["01"]
        await kit.pool.execute("update consumed set next = 2 where next = 1")
        await eventually(lambda: ingest.problem() is None)
        await eventually(lambda: kit.count("held"))
    assert await inbox(kit, order) == ["01"]


async def test_a_stream_whose_beginning_was_gone_before_we_came_begins_where_it_can(kit_on_kafka: Kit) -> None:
    kit, order = kit_on_kafka, str(uuid4())
    await kit.publish(ORDERS_LOG, *(a_record(an_entry(order, n)) for n in (1, 2, 3)))
    await delete_records(kit, 2)
    async with running(an_ingest(kit)):
        await eventually(lambda: kit.count("held"))
        await kit.pool.execute("update held set at = at - interval '2 min'")
        await eventually(lambda: inbox_is(kit, order, ["03"]))


async def test_a_missing_beginning_of_a_log_that_we_read_whole_stays_a_gap(kit: Kit) -> None:
    order, store = str(uuid4()), IngestStore(kit.pool, ORDERS_LOG, [log])
    await store.take([Arrived("orders.log", 0, 0, *a_record(an_entry(order, 2)), [])])
    await kit.pool.execute("update held set at = at - interval '2 min'")
    assert await store.take_baselines() == 0
    assert await kit.count("held") == 1


async def test_a_member_that_is_killed_and_started_again_goes_on_within_three_seconds(kit_on_kafka: Kit) -> None:
    kit, order = kit_on_kafka, str(uuid4())
    killed = an_ingest(kit)
    task = asyncio.create_task(killed.run(asyncio.Event()))
    await kit.publish(ORDERS_LOG, a_record(an_entry(order, 1)))
    await eventually(lambda: inbox_is(kit, order, ["01"]))
    task.cancel()
    await asyncio.wait([task])
    await kit.publish(ORDERS_LOG, a_record(an_entry(order, 2)))
    async with running(an_ingest(kit)):
        await eventually(lambda: inbox_is(kit, order, ["01", "02"]), timeout=3)


async def test_ingest_waits_for_a_database_that_is_away_and_loses_nothing(kit_on_kafka: Kit) -> None:
    kit, order = kit_on_kafka, str(uuid4())
    async with running(an_ingest(kit)):
        await kit.publish(ORDERS_LOG, a_record(an_entry(order, 1)))
        await eventually(lambda: inbox_is(kit, order, ["01"]))
        await kit.pool.execute("alter table inbox rename to inbox_away")
        await kit.publish(ORDERS_LOG, a_record(an_entry(order, 2)))
        await eventually(lambda: kit.pool.fetchval("select 1"))
        await kit.pool.execute("alter table inbox_away rename to inbox")
        await eventually(lambda: inbox_is(kit, order, ["01", "02"]), timeout=15)


async def test_what_this_database_wrote_itself_in_its_present_life_is_counted_and_not_handled_again(kit: Kit) -> None:
    own_log = Group("orders.log", reads=ORDERS_LOG, inside=True, knows="/orders")
    own_log.on(LogEntry)(read_entry)
    life, order, of_before = await kit.pool.fetchval("select incarnation from relay"), str(uuid4()), str(uuid4())
    documents = [
        an_entry(order, 1, life, source="/orders"),
        an_entry(order, 1, life),
        an_entry(of_before, 1, life - 1, source="/orders"),
    ]
    arrived = [Arrived(ORDERS_LOG.name, 0, offset, *a_record(each), ()) for offset, each in enumerate(documents)]
    fates = await IngestStore(kit.pool, ORDERS_LOG, [own_log]).take(arrived)
    assert (fates["known"], fates["taken in"]) == (1, 2)
    waiting = await kit.pool.fetch("select m.source, i.subject from inbox i join message m using (position) order by 1")
    assert [tuple(row) for row in waiting] == [("/notifications", order), ("/orders", of_before)]
    assert await kit.count("cursor", "last = 1") == 3

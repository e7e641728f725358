"""Nothing that a writer can put on a topic stops ingest; what the broker's disk has damaged stops it, and is told."""

import asyncio
import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from uuid import uuid4

import asyncpg
import pytest
from structlog.testing import capture_logs

from shared.contracts.message import Sequence as Number
from shared.contracts.message import write_record
from shared.contracts.shop_facts import ShopSettings
from shared.contracts.topics import ORDERS_LOG, SHOPS_FACTS
from shared.messaging.facts import Facts, read_to_the_end
from shared.messaging.ingest import Ingest
from shared.messaging.intake import headers_from_bytes
from shared.messaging.tolerant_records import name_as_written
from shared.ops.records import Reading, tell_of_records
from tests.builders import a_shop, stamped
from tests.integration.test_kit_ingest import a_record, an_entry, an_ingest, delete_records, inbox_is, reasons
from tests.plugins.hand_made import batch, produce, record
from tests.plugins.kit import Kit, running
from tests.plugins.local_servers import LocalServers
from tests.plugins.operator import ops
from tests.plugins.servers import CreateTopics
from tests.plugins.waiting import eventually

Headers = Sequence[tuple[bytes, bytes | None]]

POISON = [(b"\xff", b"1")]
GOOD = [(b"ce_id", b"1")]


@pytest.fixture
async def kit_as_written(kit: Kit, kafka: str, topic_prefix: str, create_topics: CreateTopics) -> Kit:
    """A kit whose order log keeps batches as their writers compress them; as declared, the broker makes them anew."""
    await create_topics([ORDERS_LOG.name], settings={"compression.type": "producer"})
    kit.kafka, kit.prefix = kafka, topic_prefix
    return kit


async def write_one(kit: Kit, order: str, n: int) -> None:
    await kit.publish(ORDERS_LOG, a_record(an_entry(order, n)), partition=0)


async def write_batch(kit: Kit, made: bytes) -> int:
    return await produce(kit.kafka, kit.prefix + ORDERS_LOG.name, made)


def entry_at(place: int, order: str, n: int, headers: Headers = GOOD) -> bytes:
    return record(place, *a_record(an_entry(order, n)), headers)


async def quarantined(kit: Kit) -> list[asyncpg.Record]:
    return await kit.pool.fetch('select * from quarantine order by "offset"')


async def read_up_to(kit: Kit) -> int:
    rows = await kit.pool.fetch("select next from consumed where topic = $1 and partition = 0", ORDERS_LOG.name)
    following: int = rows[0]["next"]
    return following


async def test_a_header_whose_name_is_not_utf_8_costs_its_own_record_only(kit_on_kafka: Kit) -> None:
    await only_the_poison_is_kept(kit_on_kafka, "lz4")


async def test_the_same_in_a_batch_without_compression(kit_as_written: Kit) -> None:
    await only_the_poison_is_kept(kit_as_written, "none")


async def only_the_poison_is_kept(kit: Kit, compression: str) -> None:
    order, other = str(uuid4()), str(uuid4())
    headers = [(b"before", b"\x00\xff"), (b"\xc3(\xe5", None), (b"\xc3\xa5", b"1"), (b"\xff\xfe", b"")]
    await write_one(kit, order, 1)
    poisons = [entry_at(1, other, 1, headers), record(3, None, None, POISON)]
    goods = [entry_at(place, order, n) for place, n in ((0, 2), (2, 3), (4, 4))]
    await write_batch(kit, batch([goods[0], poisons[0], goods[1], poisons[1], goods[2]], compression))
    await write_batch(kit, batch([record(0, b"\xff", b"\xff", POISON)], compression))
    await write_one(kit, order, 5)
    async with running(an_ingest(kit)):
        await eventually(lambda: inbox_is(kit, order, ["01", "02", "03", "04", "05"]))

    rows = await quarantined(kit)
    assert [row["offset"] for row in rows] == [2, 4, 6]
    assert [row["reason"] for row in rows] == [
        r"the name of a header is not UTF-8: \xc3(\xe5",
        r"the name of a header is not UTF-8: \xff",
        r"the name of a header is not UTF-8: \xff",
    ]
    first = rows[0]
    assert (first["key"].decode(), json.loads(first["value"])["subject"]) == (other, other)
    assert [(name_as_written(name), value) for name, value in headers_from_bytes(first["headers"])] == headers
    assert [(row["key"], row["value"]) for row in rows[1:]] == [(None, None), (b"\xff", b"\xff")]
    assert await read_up_to(kit) == 8


async def test_an_operator_is_shown_the_bytes_of_such_a_name(kit_on_kafka: Kit) -> None:
    kit = kit_on_kafka
    await write_batch(kit, batch([record(0, b"k", b"v", [(b"\xffn\xc3\xa5", b"1")])]))
    async with running(an_ingest(kit)):
        await eventually(lambda: kit.count("quarantine"))
    for words in ((), ("--raw",), ("--json",)):
        shown = await ops("quarantine", "show", "1", "-d", f"orders={kit.dsn}", *words)
        assert shown.code == 0, shown.err
        assert r"\xff" in shown.out.replace("\\\\", "\\")


async def test_kcat_can_write_one(kit_on_kafka: Kit) -> None:
    if shutil.which("kcat") is None:
        pytest.skip("kcat is not on this machine")
    kit, order = kit_on_kafka, str(uuid4())
    await write_one(kit, order, 1)
    words = ["kcat", "-P", "-b", kit.kafka, "-t", kit.prefix + ORDERS_LOG.name, "-p", "0", "-z", "lz4", "-k", "k", "-H"]
    process = await asyncio.create_subprocess_exec(*words, b"\xff=1", stdin=asyncio.subprocess.PIPE)
    await process.communicate(b"v" * 1_000)
    assert process.returncode == 0
    await write_one(kit, order, 2)
    async with running(an_ingest(kit)):
        await eventually(lambda: inbox_is(kit, order, ["01", "02"]))
    assert await reasons(kit) == [r"the name of a header is not UTF-8: \xff"]


READABLE: dict[str, Callable[[str], bytes]] = {
    "a record that says it is longer": lambda order: batch(
        [entry_at(0, order, 2), record(1, *a_record(an_entry(order, 3)), longer=9), entry_at(2, order, 4)]
    ),
    "attributes that look like a longer number": lambda order: batch(
        [entry_at(0, order, 2), record(1, *a_record(an_entry(order, 3)), attributes=0x80), entry_at(2, order, 4)]
    ),
    "a frame behind the frame": lambda order: batch(
        [entry_at(place, order, place + 2) for place in range(3)], behind=batch([entry_at(0, order, 9)])[61:]
    ),
}


@pytest.mark.parametrize("case", READABLE)
async def test_what_kafka_took_in_can_be_read(kit_on_kafka: Kit, case: str) -> None:
    kit, order = kit_on_kafka, str(uuid4())
    await write_one(kit, order, 1)
    await write_batch(kit, READABLE[case](order))
    await write_one(kit, order, 5)
    async with running(an_ingest(kit)):
        await eventually(lambda: inbox_is(kit, order, ["01", "02", "03", "04", "05"]))
    assert await reasons(kit) == []
    assert await read_up_to(kit) == 5


async def test_a_batch_that_cannot_be_decompressed_is_quarantined_whole(kit_on_kafka: Kit) -> None:
    kit, order, lost = kit_on_kafka, str(uuid4()), str(uuid4())
    await write_one(kit, order, 1)
    made = batch([entry_at(place, lost, place + 1) for place in range(3)], behind=b"garbage")
    await write_batch(kit, made)
    await write_one(kit, order, 2)
    async with running(an_ingest(kit)):
        await eventually(lambda: inbox_is(kit, order, ["01", "02"]))
    (row,) = await quarantined(kit)
    assert (row["offset"], row["key"]) == (3, None)
    assert row["reason"].startswith("a batch is kept whole, 3 of its records cannot be read: ")
    assert row["value"][61:] == made[61:]
    assert await read_up_to(kit) == 5


async def test_a_record_that_names_an_offset_further_on_lets_nobody_be_passed_over(kit_as_written: Kit) -> None:
    kit, order = kit_as_written, str(uuid4())
    await write_batch(kit, batch([entry_at(0, order, 1), entry_at(1_000, order, 2)], "none"))
    async with running(an_ingest(kit)):
        await eventually(lambda: inbox_is(kit, order, ["01", "02"]))
    assert await read_up_to(kit) == 2
    await write_one(kit, order, 3)
    async with running(an_ingest(kit)):
        await eventually(lambda: inbox_is(kit, order, ["01", "02", "03"]))
    assert await read_up_to(kit) == 3


async def test_facts_are_read_to_the_end_past_such_records(kit_on_kafka: Kit) -> None:
    kit, topic = kit_on_kafka, kit_on_kafka.prefix + SHOPS_FACTS.name
    fact = stamped(a_shop(name="new"), shop="nordic-tea")
    fact = fact.stamped(fact.meta.numbered(Number(1, 1)))
    written = record(1, fact.subject.encode(), write_record(fact, fact.meta).encode())
    await produce(kit.kafka, topic, batch([record(0, b"k", b"v", POISON), written]))
    await produce(kit.kafka, topic, batch([record(0, b"k", b"v", POISON)]))
    ingest = Ingest(kit.pool, kit.kafka, SHOPS_FACTS, [], kit.bell, service="test", prefix=kit.prefix)
    async with running(ingest), asyncio.timeout(20):
        await read_to_the_end(kit.pool, kit.kafka, kit.prefix, asyncio.Event())
    assert (await Facts(kit.pool).of("nordic-tea", ShopSettings)).name == "new"
    assert await kit.count("quarantine") == 2


async def test_the_story_of_an_order_is_told_past_such_records(kit_on_kafka: Kit) -> None:
    kit, order = kit_on_kafka, str(uuid4())
    await write_batch(kit, batch([entry_at(0, order, 1), entry_at(1, order, 2, POISON), entry_at(2, order, 3)]))
    told = await tell_of_records(order, Reading(kit.kafka, kit.prefix, everywhere=True))
    assert told.missing == []
    assert [entry.what for entry in told.entries] == ["orders.log 0/0", "orders.log 0/1", "orders.log 0/2"]


def on_disk(topic: str, partition: int) -> Path:
    """The file in which the broker keeps the partition."""
    found = list(LocalServers().folder.glob(f"kafka/data/{topic}-{partition}/*.log"))
    if len(found) != 1:
        pytest.skip("the broker's disk is not on this machine")
    return found[0]


def change_last_byte(log: Path) -> None:
    with log.open("r+b") as file:
        file.seek(-1, 2)
        (byte,) = file.read(1)
        file.seek(-1, 2)
        file.write(bytes([byte ^ 1]))


async def test_damage_on_the_brokers_disk_is_told_until_an_operator_gives_it_up(kit_on_kafka: Kit) -> None:
    kit, behind, well = kit_on_kafka, str(uuid4()), str(uuid4())
    await kit.publish(ORDERS_LOG, a_record(an_entry(str(uuid4()), 1)), partition=0)
    await kit.publish(ORDERS_LOG, a_record(an_entry(well, 1)), partition=1)
    change_last_byte(on_disk(kit.prefix + ORDERS_LOG.name, 0))
    await kit.publish(ORDERS_LOG, a_record(an_entry(behind, 1)), partition=0)
    ingest = an_ingest(kit)
    with capture_logs() as said:
        async with running(ingest):
            await eventually(lambda: "orders.log cannot be read" in (ingest.problem() or ""), timeout=20)
            assert "Invalid CRC" in (ingest.problem() or "")
            assert any(entry["event"] == "records cannot be read" for entry in said)
            await eventually(lambda: inbox_is(kit, well, ["01"]), timeout=60)
            assert await kit.count("inbox") == 1
            assert await kit.count("quarantine") == 0
            await delete_records(kit, 1)
            await eventually(lambda: "log truncated" in (ingest.problem() or ""), timeout=20)
            assert await kit.count("inbox") == 1
            await kit.pool.execute("update consumed set next = 1 where partition = 0")
            await eventually(lambda: inbox_is(kit, behind, ["01"]))

"""A reader whose source was set back takes the new life in, loses nothing of the old one, and says what it saw."""

import itertools
import json
from collections.abc import Sequence
from typing import Any
from uuid import uuid4

import pytest
from structlog.testing import capture_logs

from services.orders.timeline import record
from shared.contracts.message import Message
from shared.contracts.order_log import LogEntry
from shared.contracts.topics import ORDERS_LOG, SHOPS_FACTS
from shared.messaging.groups import Group
from shared.messaging.ingest import Ingest
from shared.messaging.ingest_store import IngestStore
from shared.messaging.intake import Arrived
from shared.messaging.outbox import Outbox
from shared.messaging.wakeup import Bell
from tests.builders import a_shop, stamped
from tests.integration.test_kit_ingest import a_record, an_entry, inbox, inbox_is, reasons
from tests.plugins.kit import Kit, running
from tests.plugins.lanes import said
from tests.plugins.orders import OrdersAlone
from tests.plugins.waiting import eventually

OLD, NEW = 1_700_000_000, 1_700_000_500
log = Group("orders.log", reads=ORDERS_LOG, inside=True)


@log.on(LogEntry)
async def read_entry(entry: LogEntry) -> list[Message]:
    raise NotImplementedError(entry)


def a_store(kit: Kit, *, outbox: bool = True) -> IngestStore:
    return IngestStore(kit.pool, ORDERS_LOG, [log], Outbox("/reader", kit.bell) if outbox else None)


def arrived(documents: Sequence[dict[str, Any]], first: int = 0) -> list[Arrived]:
    return [Arrived("orders.log", 0, n, *a_record(each), []) for n, each in enumerate(documents, first)]


async def test_a_fork_is_taken_in_counted_logged_and_said_once_on_the_order_log(kit: Kit) -> None:
    order, store = str(uuid4()), a_store(kit)
    await store.take(arrived([an_entry(order, n, OLD) for n in (1, 2, 3)]))
    first = an_entry(order, 2, NEW)
    with capture_logs() as logs:
        fates = await store.take(arrived([first, an_entry(order, 3, NEW)], 3))
        await store.take(arrived([an_entry(order, 4, NEW)], 5))
    assert (fates["forked"], fates["taken in"], fates["duplicate"]) == (1, 2, 0)
    assert await inbox(kit, order) == ["01", "02", "03", "02", "03", "04"]
    assert [entry["streams"] for entry in logs if entry["log_level"] == "error"] == [1]
    [document] = await said(kit, "stream.forked.v1")
    assert (document["source"], document["subject"], document["causationid"]) == ("/reader", order, first["id"])
    assert document["data"] == {
        "order_id": order,
        "outcome": "unknown",
        "summary": "stream.forked",
        "parameters": {"source": "/notifications", "topic": "orders.log"},
        "stream_source": "/notifications",
        "stream_topic": "orders.log",
        "incarnation": NEW,
        "n": 2,
        "known": 3,
    }


async def test_a_reader_without_an_outbox_takes_a_fork_in_all_the_same(kit: Kit) -> None:
    order, store = str(uuid4()), a_store(kit, outbox=False)
    fates = await store.take(arrived([an_entry(order, 1, OLD), an_entry(order, 1, NEW)]))
    assert (fates["forked"], fates["taken in"]) == (1, 2)
    assert await kit.count("outbox") == 0


async def test_facts_that_count_again_are_no_fork_of_an_order(kit: Kit) -> None:
    store = IngestStore(kit.pool, SHOPS_FACTS, [], Outbox("/reader", kit.bell))
    shop = stamped(a_shop())
    document = json.loads(json.dumps({"data": shop.model_dump(mode="json")}))
    for n, (life, number) in enumerate([(OLD, 1), (OLD, 2), (NEW, 2)]):
        fact = an_entry("nordic-tea/orders", number, life, type="shop.settings.v1", source="/orders", **document)
        await store.take([Arrived("shops.facts", 0, n, *a_record(fact), [])])
    assert await kit.pool.fetchval("select incarnation from fact") == NEW
    assert await kit.count("outbox") == 0


async def test_in_orders_the_fork_stands_on_the_timeline(orders_alone: OrdersAlone) -> None:
    order = str(uuid4())
    outbox = Outbox("/orders", orders_alone.outbox._bell, appended=record)  # noqa: SLF001 - as the service has it
    store = IngestStore(orders_alone.pool, ORDERS_LOG, [log], outbox)
    await store.take(arrived([an_entry(order, 1, OLD), an_entry(order, 1, NEW)]))
    rows = await orders_alone.pool.fetch("select source, type, outcome, order_id::text from timeline")
    assert [tuple(row) for row in rows] == [("/orders", "stream.forked.v1", "unknown", order)]


class CountedBell(Bell):
    """A bell that knows how often it was rung."""

    rung = 0

    def ring(self) -> None:
        self.rung += 1


async def test_ingest_says_what_its_store_saw_and_wakes_the_relay(kit_on_kafka: Kit) -> None:
    kit, order, relay = kit_on_kafka, str(uuid4()), CountedBell()
    ingest = Ingest(
        kit.pool,
        kit.kafka,
        ORDERS_LOG,
        [log],
        kit.bell,
        service="test",
        prefix=kit.prefix,
        session_seconds=6,
        outbox=Outbox("/reader", relay),
    )
    await kit.publish(ORDERS_LOG, a_record(an_entry(order, 1, OLD)), a_record(an_entry(order, 1, NEW)))
    async with running(ingest):
        await eventually(lambda: inbox_is(kit, order, ["01", "01"]))
        await kit.publish(ORDERS_LOG, a_record(an_entry(order, 2, NEW)))
        await eventually(lambda: inbox_is(kit, order, ["01", "01", "02"]))
    assert len(await said(kit, "stream.forked.v1")) == 1
    assert relay.rung == 1


async def test_an_old_life_after_a_new_one_is_a_duplicate_or_is_kept_aside(kit: Kit) -> None:
    order, store = str(uuid4()), a_store(kit)
    await store.take(arrived([an_entry(order, 1, OLD), an_entry(order, 2, NEW)]))
    fates = await store.take(arrived([an_entry(order, 2, OLD), an_entry(order, 3, OLD)], 2))
    assert (fates["duplicate"], fates["quarantined"]) == (1, 1)
    assert [reason.partition(":")[0] for reason in await reasons(kit)] == ["old life"]
    assert await inbox(kit, order) == ["01", "02"]


async def test_what_is_held_of_an_old_life_is_kept_aside_when_the_new_one_passes_it(kit: Kit) -> None:
    order, store = str(uuid4()), a_store(kit)
    await store.take(arrived([an_entry(order, n, OLD) for n in (1, 3, 5)]))
    assert await kit.count("held") == 2
    await store.take(arrived([an_entry(order, n, NEW) for n in (2, 3, 4)], 3))
    assert await kit.count("held") == 0
    assert [reason.partition(":")[0] for reason in await reasons(kit)] == ["old life"] * 2
    assert await inbox(kit, order) == ["01", "02", "03", "04"]


HISTORY = [(OLD, 1), (OLD, 3), (OLD, 2), (NEW, 3), (NEW, 4)]


@pytest.mark.parametrize("cuts", [(), *itertools.combinations(range(1, len(HISTORY)), 1), (1, 2, 3, 4)])
async def test_however_the_records_are_cut_into_batches_the_same_comes_of_them(kit: Kit, cuts: Sequence[int]) -> None:
    """Read in one batch, the new life must not pass over what waits of the old one and can go on by now."""
    order, store = str(uuid4()), a_store(kit)
    documents = [an_entry(order, n, life) for life, n in HISTORY]
    for start, end in itertools.pairwise([0, *cuts, len(HISTORY)]):
        await store.take(arrived(documents[start:end], start))
    assert await inbox(kit, order) == ["01", "02", "03", "03", "04"]
    assert await reasons(kit) == []
    assert len(await said(kit, "stream.forked.v1")) == 1


async def test_a_new_life_that_is_held_waits_for_its_own(kit: Kit) -> None:
    order, store = str(uuid4()), a_store(kit)
    await store.take(arrived([an_entry(order, 1, OLD), an_entry(order, 3, NEW)]))
    assert await kit.count("held") == 1
    await store.take(arrived([an_entry(order, 2, NEW)], 2))
    assert await inbox(kit, order) == ["01", "02", "03"]
    assert await kit.count("outbox") == 0


async def test_a_stream_begun_at_a_baseline_keeps_what_it_refuses_and_says_its_fork(kit: Kit) -> None:
    order, store = str(uuid4()), a_store(kit)
    await kit.pool.execute("insert into consumed (topic, partition, next, first) values ('orders.log', 0, 5, 5)")
    await store.take(arrived([an_entry(order, n, life) for life, n in ((OLD, 5), (NEW, 4), (OLD, 8))], 5))
    assert await kit.count("held") == 3
    await kit.pool.execute("update held set at = at - interval '2 minutes'")
    assert await store.take_baselines() == 1
    assert await inbox(kit, order) == ["05", "04"]
    assert [reason.partition(":")[0] for reason in await reasons(kit)] == ["old life"]
    assert await kit.count("held") == 0
    assert len(await said(kit, "stream.forked.v1")) == 1


async def test_a_batch_that_is_not_committed_says_no_fork(kit: Kit) -> None:
    order, store = str(uuid4()), a_store(kit)
    await store.take(arrived([an_entry(order, 1, OLD)]))
    await kit.pool.execute("alter table consumed rename to away")
    with pytest.raises(Exception, match="consumed"):
        await store.take(arrived([an_entry(order, 1, NEW)], 1))
    assert await kit.count("outbox") == 0
    await kit.pool.execute("alter table away rename to consumed")
    await store.take(arrived([an_entry(order, 1, NEW)], 1))
    assert len(await said(kit, "stream.forked.v1")) == 1

"""The relay of a database that was set back publishes nothing until a new life was begun; then nothing is lost."""

import asyncio
import json
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import asyncpg
import pytest
from aiokafka.errors import TopicAuthorizationFailedError
from structlog.testing import capture_logs

from shared.contracts.message import Sequence as Number
from shared.contracts.message import new_id
from shared.contracts.order import OrderSnapshot
from shared.contracts.order_events import OrderPlaced
from shared.contracts.topics import ORDERS_EVENTS, ORDERS_LOG, SHOPS_FACTS
from shared.messaging import metrics
from shared.messaging.incarnations import open_next, present_life
from shared.messaging.outbox import Outbox
from shared.messaging.relay import Relay
from shared.messaging.relay_consent import Consent
from shared.messaging.tails import Tails, read_tails
from tests.builders import a_shop, an_order, placed, stamped, to_place
from tests.plugins.kit import Kit, running
from tests.plugins.waiting import eventually

OF_ORDERS = (ORDERS_EVENTS, ORDERS_LOG, SHOPS_FACTS)


def a_relay(kit: Kit) -> Relay:
    consent = Consent(kit.kafka, kit.prefix, OF_ORDERS, "/orders")
    return Relay(kit.dsn, kit.kafka, kit.bell, prefix=kit.prefix, consent=consent, poll=0.05)


async def place(kit: Kit, *orders: OrderSnapshot) -> None:
    for order in orders:
        await kit.say(to_place(order).meta, [OrderPlaced(order=order)])


async def published(kit: Kit) -> bool:
    return await kit.count("outbox") == 0


def refused(relay: Relay) -> str:
    """The sentence with which it refuses; empty where it does not."""
    problem = relay.problem() or ""
    return problem if "ops restored" in problem else ""


def refuses() -> float:
    return float(next(iter(metrics.relay_refuses.collect())).samples[0].value)


async def set_back(kit: Kit) -> "SetBack":
    """Remembers the database's streams and outbox as they are; `.now()` brings them back, as a copied disk does."""
    return SetBack(kit, *[await kit.pool.fetch(f"select * from {table}") for table in ("stream", "outbox")])


class SetBack:
    """A copy of what the relay looks at."""

    def __init__(self, kit: Kit, streams: Sequence[asyncpg.Record], outbox: Sequence[asyncpg.Record]) -> None:
        self._kit, self._streams, self._outbox = kit, streams, outbox

    async def now(self) -> None:
        async with self._kit.pool.acquire() as connection, connection.transaction():
            await connection.execute("truncate stream, outbox")
            await connection.copy_records_to_table("stream", records=[tuple(row) for row in self._streams])
            await connection.executemany(
                "insert into outbox overriding system value values ($1,$2,$3,$4,$5,$6,$7,$8,$9,$10)",
                [tuple(row) for row in self._outbox],
            )


async def begin_a_life(kit: Kit) -> int:
    async with kit.pool.acquire() as connection:
        life = await present_life(connection)
        assert life is not None
        present = await open_next(connection, life)
    assert present is not None
    return present


async def numbers(kit: Kit, order: OrderSnapshot) -> list[Number]:
    documents = [json.loads(record.value) for record in await kit.records(ORDERS_EVENTS)]
    return [Number.parse(each["sequence"]) for each in documents if each["subject"] == str(order.id)]


async def test_a_relay_whose_topics_know_no_more_than_its_database_publishes(kit_on_kafka: Kit) -> None:
    kit, order = kit_on_kafka, an_order()
    async with running(a_relay(kit)):
        await place(kit, order)
        await eventually(lambda: published(kit))
    async with running(a_relay(kit)):
        await place(kit, order)
        await eventually(lambda: published(kit))
    assert [number.n for number in await numbers(kit, order)] == [1, 2]


async def test_a_relay_refuses_when_its_topics_know_more_and_goes_on_in_a_new_life(kit_on_kafka: Kit) -> None:
    kit, order = kit_on_kafka, an_order()
    await place(kit, order)
    copy = await set_back(kit)
    async with running(a_relay(kit)):
        await place(kit, order, order)
        await eventually(lambda: published(kit))
    await copy.now()
    relay = a_relay(kit)
    with capture_logs() as logs:
        async with running(relay):
            refusal = await eventually(lambda: refused(relay))
            assert "orders.events knows" in refusal or "orders.log knows" in refusal
            assert str(order.id) in refusal
            assert refuses() == 1
            began = relay.last_tick()
            await eventually(lambda: relay.last_tick() > began + 1)
            assert len(await numbers(kit, order)) == 3
            assert await kit.count("outbox") == 2, "an event and its note"
            present = await begin_a_life(kit)
            await place(kit, order)
            await eventually(lambda: published(kit))
            assert relay.problem() is None
    assert refuses() == 0
    assert [entry["event"] for entry in logs if entry["log_level"] == "error"] == ["the database was set back"]
    old = present_before(await numbers(kit, order))
    assert await numbers(kit, order) == [*(Number(old, n) for n in (1, 2, 3, 1)), Number(present, 2)]


def present_before(numbers: Sequence[Number]) -> int:
    return min(number.incarnation for number in numbers)


async def test_what_was_said_between_the_restore_and_the_new_life_is_published_as_of_it(kit_on_kafka: Kit) -> None:
    """Else its numbers, which were used before, would be dropped as seen by every reader."""
    kit, order = kit_on_kafka, an_order()
    await place(kit, order)
    copy = await set_back(kit)
    async with running(a_relay(kit)):
        await place(kit, order, order)
        await eventually(lambda: published(kit))
    await copy.now()
    await place(kit, order)
    present = await begin_a_life(kit)
    await place(kit, order)
    async with running(a_relay(kit)):
        await eventually(lambda: published(kit))
    found = await numbers(kit, order)
    old = present_before(found)
    assert found == [*(Number(old, n) for n in (1, 2, 3, 1)), Number(present, 2), Number(present, 3)]
    record = (await kit.records(ORDERS_EVENTS))[-2]
    assert dict(record.headers)["ce_sequence"].decode() == json.loads(record.value)["sequence"] == str(found[-2])


async def test_a_backlog_that_nobody_had_published_before_a_failover_keeps_its_order(kit_on_kafka: Kit) -> None:
    kit, order = kit_on_kafka, an_order()
    async with running(a_relay(kit)):
        await place(kit, order)
        await eventually(lambda: published(kit))
    await place(kit, order, order)
    await begin_a_life(kit)
    await place(kit, order)
    async with running(a_relay(kit)):
        await eventually(lambda: published(kit))
    found = await numbers(kit, order)
    assert [number.n for number in found] == [1, 2, 3, 4]
    assert found == sorted(found)


async def test_a_database_older_than_a_life_that_its_topics_know_is_refused_too(kit_on_kafka: Kit) -> None:
    kit, order = kit_on_kafka, an_order()
    await kit.publish_messages(placed_in(order, 4_000_000_000))
    relay = a_relay(kit)
    async with running(relay):
        await eventually(lambda: refused(relay))


def placed_in(order: OrderSnapshot, incarnation: int, **meta: object) -> OrderPlaced:
    return stamped(OrderPlaced(order=order), sequence=Number(incarnation, 1), **meta)


async def test_records_of_others_of_older_lives_and_of_nobody_are_no_reason_to_refuse(kit_on_kafka: Kit) -> None:
    kit, order = kit_on_kafka, an_order()
    await kit.publish_messages(placed(order), placed_in(order, 4_000_000_000, source="/somebody-else"))
    await kit.publish(ORDERS_EVENTS, (b"x", None), (None, b"{"), (b"y", b'{"source": "/orders"}'))
    await kit.publish(ORDERS_EVENTS, (b"x", b"{"), headers=[("ce_source", None)])
    async with running(a_relay(kit)):
        await place(kit, order)
        await eventually(lambda: published(kit))


async def test_who_takes_the_lease_over_asks_again(kit_on_kafka: Kit) -> None:
    kit, order, standby = kit_on_kafka, an_order(), a_relay(kit_on_kafka)
    async with running(a_relay(kit)):
        await place(kit, order, order)
        await eventually(lambda: published(kit))
        await kit.pool.execute("update stream set last = 1")
        other = asyncio.create_task(standby.run(stopping := asyncio.Event()))
        await eventually(lambda: standby.problem() is None)
    await eventually(lambda: refused(standby))
    stopping.set()
    await other


async def test_what_was_published_but_not_forgotten_keeps_its_number(kit_on_kafka: Kit) -> None:
    """A failover in the middle: under a number of the new life every reader would take it in once more."""
    kit, order = kit_on_kafka, an_order()
    await place(kit, order)
    copy = await set_back(kit)
    async with running(a_relay(kit)):
        await eventually(lambda: published(kit))
    await copy.now()
    await begin_a_life(kit)
    async with running(a_relay(kit)):
        await eventually(lambda: published(kit))
    first, again = await numbers(kit, order)
    assert first == again


async def test_a_topic_that_is_not_there_tells_nothing_and_keeps_nobody_waiting(kit_on_kafka: Kit) -> None:
    kit, order = kit_on_kafka, an_order()
    await kit.publish_messages(placed_in(order, 4_000_000_000))
    nowhere = replace(SHOPS_FACTS, name="nowhere")
    loop = asyncio.get_running_loop()
    began = loop.time()
    told = await read_tails(kit.kafka, kit.prefix, [*OF_ORDERS, nowhere], {"/orders"})
    assert list(told.latest) == [("/orders", "orders.events", str(order.id))]
    assert loop.time() - began < 5


class MayNotRead(Consent):
    """As where the service may write its topics, and not read them."""

    async def _tails(self) -> Tails:
        raise TopicAuthorizationFailedError("orders.events")


async def test_who_may_not_read_its_own_topics_works_and_says_what_it_cannot_see(kit: Kit) -> None:
    consent = MayNotRead(kit.kafka, "", OF_ORDERS, "/orders")
    with capture_logs() as logs:
        async with kit.pool.acquire() as connection:
            assert await consent.refusal(connection, uuid4()) is None
    assert consent.given.is_set()
    assert [entry["topic"] for entry in logs if entry["log_level"] == "error"] == [
        str(TopicAuthorizationFailedError("orders.events"))
    ]


async def test_the_tails_are_read_far_enough_to_find_what_others_have_written_over(kit_on_kafka: Kit) -> None:
    kit, order = kit_on_kafka, an_order()
    await kit.publish_messages(placed_in(order, 4_000_000_000))
    others = [placed_in(an_order(), 1, source="/others") for _ in range(300)]
    await kit.publish_messages(*(stamped(each, source="/others") for each in others))
    told = await read_tails(kit.kafka, kit.prefix, OF_ORDERS, {"/orders"})
    assert told.latest == {("/orders", "orders.events", str(order.id)): Number(4_000_000_000, 1)}


@pytest.mark.parametrize("lives", [(1_790_000_000, 1_790_000_001), (1_790_000_001, 1_790_000_000)])
async def test_of_each_stream_the_highest_number_counts(kit_on_kafka: Kit, lives: Sequence[int]) -> None:
    kit, order = kit_on_kafka, an_order()
    at = datetime(2026, 11, 24, 18, 30, tzinfo=UTC)
    await kit.publish_messages(
        *(placed_in(order, life, time=at + timedelta(seconds=n), id=new_id()) for n, life in enumerate(lives)),
        stamped(a_shop(), time=at),
    )
    told = await read_tails(kit.kafka, kit.prefix, OF_ORDERS, {"/orders"})
    assert told.latest == {
        ("/orders", "orders.events", str(order.id)): Number(1_790_000_001, 1),
        ("/orders", "shops.facts", "nordic-tea/orders"): Number(1_790_000_000, 1),
    }
    assert told.ended_before(1_790_000_001) == at + timedelta(seconds=lives.index(1_790_000_000))
    assert told.ended_before(1_790_000_000) is None


async def test_asking_costs_a_warm_start_less_than_a_second(kit_on_kafka: Kit) -> None:
    kit = kit_on_kafka
    await kit.publish_messages(*(placed(an_order()) for _ in range(400)))
    began = time.process_time()
    assert len((await read_tails(kit.kafka, kit.prefix, OF_ORDERS, {"/orders"})).latest) >= 200
    assert time.process_time() - began < 1.0


@pytest.mark.parametrize("behind", ["/orders", "/orders/second"])
async def test_each_source_that_a_database_speaks_for_is_asked_about(kit_on_kafka: Kit, behind: str) -> None:
    kit, order, sources = kit_on_kafka, an_order(), ("/orders", "/orders/second")

    async def say(source: str) -> None:
        async with kit.pool.acquire() as connection, connection.transaction():
            said = [(to_place(order).meta, [OrderPlaced(order=order)])]
            await Outbox(source, kit.bell).append(connection, said)

    for source in sources:
        await say(source)
    copy = await set_back(kit)
    await say(behind)
    consent = Consent(kit.kafka, kit.prefix, OF_ORDERS, *sources)
    async with running(Relay(kit.dsn, kit.kafka, kit.bell, prefix=kit.prefix, consent=consent, poll=0.05)):
        await eventually(lambda: published(kit))
    await copy.now()
    asked = Consent(kit.kafka, kit.prefix, OF_ORDERS, *sources)
    async with kit.pool.acquire() as connection:
        assert await asked.ask(connection) is None
    assert str(order.id) in asked.refused

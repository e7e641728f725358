"""A broker of a test's own, which goes away or is slow: what waits is sent in order, what was given up never later."""

import asyncio
import contextlib
import json
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from shared.contracts.order_events import OrderPlaced
from shared.contracts.topics import ORDERS_EVENTS
from shared.messaging.ingest import Ingest
from shared.messaging.producer import DisposableProducer, Outgoing
from shared.messaging.relay import Relay
from tests.builders import an_order, to_place
from tests.integration.test_kit_lanes import events_group
from tests.plugins.brokers import Broker
from tests.plugins.kit import Kit, running
from tests.plugins.waiting import eventually

pytestmark = pytest.mark.timeout(240)


async def test_the_relay_waits_for_the_broker_and_then_publishes_all_in_order(kit: Kit, broker: Broker) -> None:
    order, relay = an_order(), Relay(kit.dsn, kit.kafka, kit.bell, keeps=True)
    async with running(relay):
        await kit.say(to_place(order).meta, [OrderPlaced(order=order)])
        await eventually(lambda: drained(kit))
        await broker.stop()
        for _ in range(5):
            await kit.say(to_place(order).meta, [OrderPlaced(order=order)])
        await eventually(lambda: "waits" in (relay.problem() or ""), timeout=60)
        assert await kit.count("outbox") == 10
        await broker.start()
        await eventually(lambda: drained(kit), timeout=60)
    numbers = [int(json.loads(record.value)["sequence"][11:]) for record in await kit.records(ORDERS_EVENTS)]
    assert sorted(set(numbers)) == [1, 2, 3, 4, 5, 6]
    first_seen = [number for place, number in enumerate(numbers) if number not in numbers[:place]]
    assert first_seen == [1, 2, 3, 4, 5, 6]


async def drained(kit: Kit) -> bool:
    return await kit.count("outbox") == 0


async def test_what_an_abandoned_producer_had_in_hand_is_never_sent(kit: Kit, broker: Broker) -> None:
    producer = DisposableProducer(kit.kafka, "test")
    await producer.start()
    await (await producer.send(Outgoing(ORDERS_EVENTS.name, b"a", b"before", {})))
    await broker.stop()
    pending = await producer.send(Outgoing(ORDERS_EVENTS.name, b"a", b"abandoned", {}))
    await producer.discard()
    await broker.start()
    successor = DisposableProducer(kit.kafka, "test")
    await successor.start()
    await (await successor.send(Outgoing(ORDERS_EVENTS.name, b"a", b"after", {})))
    await successor.discard()
    assert [record.value for record in await kit.records(ORDERS_EVENTS)] == [b"before", b"after"]
    assert not pending.done() or pending.exception() is not None


@asynccontextmanager
async def slow(broker: Broker, pause: float = 1.5) -> AsyncIterator[None]:
    """The broker works for a tenth of a second at a time and answers nothing for so long between."""
    over = asyncio.Event()

    async def slow_down() -> None:
        while not over.is_set():
            broker.kafka.process.send(signal.SIGSTOP)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(over.wait(), pause)
            broker.kafka.process.send(signal.SIGCONT)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(over.wait(), 0.1)

    slowing = asyncio.create_task(slow_down())
    try:
        yield
    finally:
        over.set()
        await slowing


async def test_through_a_broker_that_answers_slowly_everything_comes_once_and_in_order(
    kit: Kit, broker: Broker
) -> None:
    orders, group = [an_order() for _ in range(20)], events_group()
    ingest = Ingest(kit.pool, kit.kafka, ORDERS_EVENTS, [group], kit.bell, service="test", session_seconds=6)
    async with running(Relay(kit.dsn, kit.kafka, kit.bell), ingest):
        await eventually(lambda: ingest.problem() is None, timeout=30)
        async with slow(broker):
            for _ in range(5):
                for order in orders:
                    await kit.say(to_place(order).meta, [OrderPlaced(order=order)])
            await eventually(lambda: taken_in(kit, 100), timeout=120)
    rows = await kit.pool.fetch("select subject, sequence from message order by position")
    for order in orders:
        numbers = [int(row["sequence"][11:]) for row in rows if row["subject"] == str(order.id)]
        assert numbers == [1, 2, 3, 4, 5]
    assert (await kit.count("held"), await kit.count("quarantine")) == (0, 0)


async def taken_in(kit: Kit, count: int) -> bool:
    return await kit.count("inbox") == count

"""A broker of a test's own, which goes away: what was given up is never sent later, what waits is sent in order."""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from deploy.local import kafka as local_kafka
from deploy.local.ports import take_port
from shared.contracts.order_events import OrderPlaced
from shared.contracts.topics import ORDERS_EVENTS, TOPICS
from shared.messaging.producer import DisposableProducer, Outgoing
from shared.messaging.relay import Relay
from shared.messaging.topics_on_broker import TopicsOnBroker
from tests.builders import an_order, to_place
from tests.plugins.kit import Kit, running
from tests.plugins.waiting import eventually

pytestmark = pytest.mark.timeout(240)


@dataclass
class Broker:
    """A real Kafka that this test may stop and start."""

    folder: Path
    ports: tuple[int, int]
    kafka: local_kafka.Kafka

    async def stop(self) -> None:
        await self.kafka.stop()

    async def start(self) -> None:
        self.kafka = await local_kafka.start(self.folder / "kafka", *self.ports, self.folder / "kafka.log")


@pytest.fixture
async def broker(kit: Kit, tmp_path: Path) -> AsyncIterator[Broker]:
    taken: set[int] = set()
    ports = (take_port(taken=taken), take_port(taken=taken))
    kafka = await local_kafka.start(tmp_path / "kafka", *ports, tmp_path / "kafka.log")
    kit.kafka = kafka.bootstrap
    async with TopicsOnBroker(kit.kafka) as topics:
        await topics.create(TOPICS, partitions=2)
    made = Broker(tmp_path, ports, kafka)
    yield made
    await made.stop()


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

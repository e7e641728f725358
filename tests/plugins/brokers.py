"""A Kafka of a test's own, which may be away."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from deploy.local import kafka as local_kafka
from deploy.local.ports import take_port
from shared.contracts.topics import TOPICS
from shared.messaging.topics_on_broker import TopicsOnBroker
from tests.plugins.kit import Kit


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

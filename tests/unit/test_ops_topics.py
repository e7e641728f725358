"""Whoever makes topics may use them at once: a broker hears of them some time after they were made."""

from collections.abc import Sequence
from typing import Any

from aiokafka.errors import UnknownTopicOrPartitionError

from shared.contracts.topics import TOPICS, Topic
from shared.messaging.topics_on_broker import TopicsOnBroker
from shared.ops.topics import create_topics


class SlowBroker(TopicsOnBroker):
    """Tells of the topics that were made only when it is asked for the third time."""

    def __init__(self) -> None:
        self.asked = 0

    async def create(self, topics: Sequence[Topic] = TOPICS, **_: Any) -> list[str]:
        return [topic.name for topic in topics]

    async def describe(self, topics: Sequence[Topic] = TOPICS) -> dict[str, dict[str, str]]:
        self.asked += 1
        if self.asked == 2:
            raise UnknownTopicOrPartitionError(topics[-1].name)
        return {topic.name: {} for topic in topics if self.asked > 2}


async def test_topics_that_were_made_are_waited_for_until_the_broker_knows_them() -> None:
    broker = SlowBroker()
    assert await create_topics(broker) == [topic.name for topic in TOPICS]
    assert broker.asked == 3

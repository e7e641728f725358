"""The demo's reader of the order log begins at its end and hears whatever is written after that."""

import asyncio
from datetime import date

import pytest
from aiokafka import AIOKafkaProducer

from deploy.local.demo.follow import open_log
from deploy.local.demo.orders_of_nordic_shops import nordic_orders
from deploy.local.demo.stories import State, Stories
from deploy.local.failure import LocalStackError
from shared.contracts.message import new_id, write_record
from shared.contracts.order_log import OrderNoted
from tests.builders import stamped
from tests.plugins.servers import CreateTopics
from tests.plugins.waiting import eventually

EARLIER, LATER = nordic_orders(2, seed=1, today=date(2026, 11, 24))


def record_about(order_id: object) -> bytes:
    entry = OrderNoted.model_validate(
        {"order_id": order_id, "outcome": "done", "summary": "order-placed"}
        | {"event_type": "order.placed.v1", "event_id": new_id()}
    )
    entry = stamped(entry)
    return write_record(entry, entry.meta).encode()


async def test_the_reader_hears_what_is_written_after_it_has_opened(
    kafka: str, topic_prefix: str, create_topics: CreateTopics
) -> None:
    [topic] = await create_topics(["orders.log"], partitions=3)
    stories = Stories()
    earlier, later = stories.begin(EARLIER, "topic"), stories.begin(LATER, "topic")
    async with AIOKafkaProducer(bootstrap_servers=kafka) as producer:
        await producer.send_and_wait(topic, record_about(earlier.order_id), partition=0)
        async with open_log(kafka, topic_prefix) as log:
            reading = asyncio.create_task(log.read(stories.hear))
            await producer.send_and_wait(topic, b"not a message", partition=1)
            await producer.send_and_wait(topic, None, key=b"tombstone", partition=1)
            await producer.send_and_wait(topic, record_about(later.order_id), partition=2)
            await eventually(lambda: later.state is State.ACCEPTED and log.not_understood == 2)
            reading.cancel()
    assert earlier.state is State.ASKED
    assert log.last_at is not None


async def test_a_missing_topic_is_named(kafka: str, topic_prefix: str) -> None:
    with pytest.raises(LocalStackError, match=f"{topic_prefix}orders.log is missing"):
        async with open_log(kafka, topic_prefix):
            pass

"""What every test that needs a server relies on."""

import asyncpg
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient

from tests.plugins.servers import CreateDatabase, CreateTopics
from tests.plugins.waiting import eventually


async def test_every_test_has_an_empty_database_of_its_own(database_url: str, create_database: CreateDatabase) -> None:
    other_url = await create_database()
    assert other_url != database_url
    connection = await asyncpg.connect(database_url)
    try:
        assert await connection.fetchval("select count(*) from pg_tables where schemaname = 'public'") == 0
        assert await connection.fetchval("show fsync") == "on"
    finally:
        await connection.close()


async def test_topics_get_the_tests_prefix_and_take_records(
    kafka: str, create_topics: CreateTopics, topic_prefix: str
) -> None:
    [topic] = await create_topics(["orders.events"], partitions=3)
    assert topic == f"{topic_prefix}orders.events"
    async with AIOKafkaProducer(bootstrap_servers=kafka) as producer:
        await producer.send_and_wait(topic, b"hello", key=b"a")
    async with AIOKafkaConsumer(topic, bootstrap_servers=kafka, auto_offset_reset="earliest") as consumer:
        record = await consumer.getone()
    assert record.value == b"hello"
    assert record.timestamp_type == 1, "the broker's clock, not the client's"


async def test_the_broker_makes_no_topic_that_nobody_declared(kafka: str, topic_prefix: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka)
    await admin.start()
    try:
        await admin.describe_topics([f"{topic_prefix}never"])
        assert f"{topic_prefix}never" not in await admin.list_topics()
    finally:
        await admin.close()


async def test_waiting_tells_the_last_answer_when_it_gives_up() -> None:
    with pytest.raises(AssertionError, match="the last answer was: 0"):
        await eventually(lambda: 0, timeout=0.05)


async def test_waiting_returns_the_first_true_answer() -> None:
    answers = iter([0, None, 7])
    assert await eventually(lambda: next(answers)) == 7

"""Operators make topics, and see how they differ from what is declared."""

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from shared.contracts.topics import SHOPS_FACTS, TOPICS
from tests.plugins.operator import ops
from tests.plugins.waiting import eventually


async def test_topics_are_created_once_and_then_are_as_declared(kafka: str, topic_prefix: str) -> None:
    create = ("topics", "create", "--kafka", kafka, "--prefix", topic_prefix, "--partitions", "2", "--replicas", "1")
    first = await ops(*create)
    assert first.code == 0, first.err
    assert first.out.splitlines() == [f"created {topic_prefix}{topic.name}" for topic in TOPICS]
    again = await ops(*create)
    assert again.code == 0
    assert again.out.startswith(f"{len(TOPICS)} existed")
    compared = await ops("topics", "compare", env={"OPS_KAFKA": kafka, "OPS_TOPIC_PREFIX": topic_prefix})
    assert (compared.code, compared.out) == (0, f"{len(TOPICS)} topics are as declared\n")


async def test_a_topic_that_differs_or_is_missing_is_named_and_the_exit_code_is_1(
    kafka: str, topic_prefix: str
) -> None:
    where = ("--kafka", kafka, "--prefix", topic_prefix)
    missing = await ops("topics", "compare", *where)
    assert missing.code == 1
    assert missing.out.splitlines()[0] == f"topic {topic_prefix}orders.commands does not exist"
    described = await ops("topics", "describe", *where)
    assert described.code == 1
    assert "does not exist" in described.out

    await ops("topics", "create", *where, "--partitions", "1", "--replicas", "1")
    await set_retention(kafka, f"{topic_prefix}orders.log", "86400000")

    async def named(difference: str) -> bool:
        answer = await ops("topics", "compare", *where, "--json")
        assert answer.code == 1, answer.out
        return difference in answer.document["differences"]

    expected = f"topic {topic_prefix}orders.log: retention.ms is 86400000, declared 3024000000"
    await eventually(lambda: named(expected))


async def test_topics_are_described_with_what_is_declared_of_them(kafka: str, topic_prefix: str) -> None:
    where = ("--kafka", kafka, "--prefix", topic_prefix)
    await ops("topics", "create", *where, "--partitions", "3", "--replicas", "1")
    shown = await ops("topics", "describe", *where)
    assert shown.code == 0, shown.err
    (facts,) = (line.split("  ") for line in shown.out.splitlines() if line.strip().startswith("shops.facts"))
    *columns, writers, readers = [word.strip() for word in facts if word.strip()]
    assert columns == ["shops.facts", "3", "1", "1", "the last of each key", "<shop>/<owner>"]
    for shown_names, names in ((writers, SHOPS_FACTS.writers), (readers, SHOPS_FACTS.readers)):
        assert ", ".join(names).startswith(shown_names), "a narrow terminal breaks the line"
    described = (await ops("topics", "describe", *where, "--json")).document
    assert described[f"{topic_prefix}orders.commands"]["retention.ms"] == "1209600000"


async def test_more_replicas_than_brokers_are_refused_in_one_sentence(kafka: str, topic_prefix: str) -> None:
    answer = await ops("topics", "create", "--kafka", kafka, "--prefix", topic_prefix, "--replicas", "100")
    assert answer.code == 3
    assert f"Kafka at {kafka} refuses" in answer.err


async def set_retention(kafka: str, topic: str, milliseconds: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka)
    await admin.start()
    try:
        await admin.alter_configs(
            [ConfigResource(ConfigResourceType.TOPIC, topic, configs={"retention.ms": milliseconds})]
        )
    finally:
        await admin.close()

"""Topics as they are on the broker, beside what is declared; made by operators, never by a service."""

from collections.abc import Sequence
from typing import Self

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaError, TopicAlreadyExistsError, for_code

from shared.contracts.topics import PARTITIONS, TOPICS, Topic


class TopicsOnBroker:
    """Creates and compares the declared topics under a prefix; use as an async context manager."""

    def __init__(self, kafka: str, prefix: str = "") -> None:
        self._prefix = prefix
        self._admin = AIOKafkaAdminClient(bootstrap_servers=kafka.split(","), request_timeout_ms=10_000)

    async def __aenter__(self) -> Self:
        await self._admin.start()
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._admin.close()

    async def create(
        self, topics: Sequence[Topic] = TOPICS, *, partitions: int = PARTITIONS, replicas: int = 1, min_insync: int = 1
    ) -> list[str]:
        """Creates those that do not exist, with their declared settings. Returns the names of the created ones."""
        existing = set(await self._admin.list_topics())
        missing = [topic for topic in topics if self._prefix + topic.name not in existing]
        created = []
        if missing:
            answer = await self._admin.create_topics(
                [
                    NewTopic(
                        name=self._prefix + topic.name,
                        num_partitions=partitions,
                        replication_factor=replicas,
                        topic_configs=topic.broker_settings(min_insync),
                    )
                    for topic in missing
                ]
            )
            for name, code, *message in answer.topic_errors:
                if code == 0:
                    created.append(name)
                elif code != TopicAlreadyExistsError.errno:  # somebody else was a moment faster
                    raise for_code(code)(f"{name}: {message}")
        return created

    async def differences(self, topics: Sequence[Topic] = TOPICS) -> list[str]:
        """One sentence for each way in which the broker differs from the declaration; empty when it does not."""
        existing = set(await self._admin.list_topics())
        missing = [topic for topic in topics if self._prefix + topic.name not in existing]
        sentences = [f"topic {self._prefix}{topic.name} does not exist" for topic in missing]
        for topic in topics:
            if topic not in missing:
                sentences += await self._compare(topic)
        return sentences

    async def describe(self, topics: Sequence[Topic] = TOPICS) -> dict[str, dict[str, str]]:
        """The broker's settings of each existing topic, by its name, with `partitions` and `replicas` among them."""
        existing = set(await self._admin.list_topics())
        return {
            self._prefix + topic.name: await self._settings(self._prefix + topic.name)
            for topic in topics
            if self._prefix + topic.name in existing
        }

    async def _compare(self, topic: Topic) -> list[str]:
        name = self._prefix + topic.name
        actual = await self._settings(name)
        # How many copies must be in sync is the cluster's own decision: one broker cannot have two.
        expected = topic.broker_settings(int(actual.get("min.insync.replicas", "1")))
        return [
            f"topic {name}: {setting} is {actual.get(setting)}, declared {value}"
            for setting, value in expected.items()
            if actual.get(setting) != value
        ]

    async def _settings(self, name: str) -> dict[str, str]:
        (described,) = await self._admin.describe_topics([name])
        if described["error_code"]:
            raise for_code(described["error_code"])(name)
        answers = await self._admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, name)])
        settings: dict[str, str] = {}
        for answer in answers:
            for code, message, _, _, entries in answer.resources:
                if code:
                    raise KafkaError(f"{name}: {message}")
                settings |= {entry[0]: entry[1] for entry in entries}
        partitions = described["partitions"]
        settings["partitions"] = str(len(partitions))
        settings["replicas"] = str(len(partitions[0]["replicas"]))
        return settings

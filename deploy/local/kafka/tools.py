"""Kafka's stock tools run from the same jars, under the names they have in Kafka's own `bin` folder."""

from collections.abc import Sequence
from pathlib import Path

from deploy.local.kafka.jars import java_command

TOOLS = {
    "kafka-topics": "org.apache.kafka.tools.TopicCommand",
    "kafka-console-consumer": "org.apache.kafka.tools.consumer.ConsoleConsumer",
    "kafka-console-producer": "org.apache.kafka.tools.ConsoleProducer",
    "kafka-consumer-groups": "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand",
    "kafka-get-offsets": "org.apache.kafka.tools.GetOffsetShell",
    "kafka-configs": "kafka.admin.ConfigCommand",
    "kafka-delete-records": "org.apache.kafka.tools.DeleteRecordsCommand",
    "kafka-dump-log": "org.apache.kafka.tools.DumpLogSegments",
    "kafka-log-dirs": "org.apache.kafka.tools.LogDirsCommand",
    "kafka-producer-perf-test": "org.apache.kafka.tools.ProducerPerformance",
}
_OFFLINE = {"kafka-dump-log"}


def tool_command(tool: str, arguments: Sequence[str], bootstrap: str) -> list[str | Path]:
    """The command that runs a stock tool; `--bootstrap-server` is added where it is not among the arguments."""
    given = list(arguments)
    if tool not in _OFFLINE and "--bootstrap-server" not in given:
        given = ["--bootstrap-server", bootstrap, *given]
    return [*java_command("256m"), TOOLS[tool], *given]

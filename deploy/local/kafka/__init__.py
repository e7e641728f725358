"""Real Apache Kafka from Maven's jars: one node in KRaft mode, started and stopped as a plain process."""

from deploy.local.kafka.server import Kafka, start
from deploy.local.kafka.tools import TOOLS, tool_command

__all__ = ["TOOLS", "Kafka", "start", "tool_command"]

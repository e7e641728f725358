"""Real Apache Kafka from Maven's jars: one node in KRaft mode, started and stopped as a plain process."""

from deploy.local.kafka.jars import jars_folder
from deploy.local.kafka.server import Kafka, forget, leftover, start
from deploy.local.kafka.tools import TOOLS, tool_command

__all__ = ["TOOLS", "Kafka", "forget", "jars_folder", "leftover", "start", "tool_command"]

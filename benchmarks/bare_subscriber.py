"""One idle batch subscriber: `python -m benchmarks.bare_subscriber KAFKA TOPIC` waits for records that never come."""

import logging
import sys
from typing import Any

import uvloop
from faststream import FastStream
from faststream.kafka import KafkaBroker


async def run(kafka: str, topic: str) -> None:
    """Until the process is ended."""
    broker = KafkaBroker(kafka, log_level=logging.DEBUG)
    subscriber = broker.subscriber(topic, batch=True, batch_timeout_ms=10, group_id=f"{topic}.bare")

    @subscriber
    async def take(_records: list[Any]) -> None:
        pass

    await FastStream(broker).run()


if __name__ == "__main__":
    uvloop.run(run(*sys.argv[1:]))

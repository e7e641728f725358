"""The least possible reaction: `python -m benchmarks.bare_reaction KAFKA EVENTS LOG DSN` answers each event on the log
and inserts what comes from there, no more.
"""

import asyncio
import sys

import uvloop
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from benchmarks.bare_pipeline import run as insert_what_comes
from shared.contracts.topics import PARTITIONS


async def run(kafka: str, events: str, log: str, dsn: str) -> None:
    """Until the process is ended."""
    await asyncio.gather(_answer(kafka, events, log), insert_what_comes(kafka, log, dsn))


async def _answer(kafka: str, events: str, log: str) -> None:
    async with (
        AIOKafkaProducer(bootstrap_servers=kafka, enable_idempotence=True, acks="all") as producer,
        AIOKafkaConsumer(bootstrap_servers=kafka, enable_auto_commit=False) as consumer,
    ):
        partitions = [TopicPartition(events, number) for number in range(PARTITIONS)]
        consumer.assign(partitions)
        await consumer.seek_to_beginning(*partitions)
        while True:
            batches = await consumer.getmany(timeout_ms=1000)
            for record in (record for batch in batches.values() for record in batch):
                await producer.send(log, record.value, key=record.key)


if __name__ == "__main__":
    uvloop.run(run(*sys.argv[1:]))

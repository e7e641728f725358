"""The least possible pipeline: `python -m benchmarks.bare_pipeline KAFKA TOPIC DSN` consumes and inserts, no more."""

import sys
from uuid import UUID

import asyncpg
import uvloop
from aiokafka import AIOKafkaConsumer, TopicPartition

from shared.contracts.topics import PARTITIONS

INSERT = "insert into bare (subject, record) select * from unnest($1::uuid[], $2::bytea[])"


async def run(kafka: str, topic: str, dsn: str) -> None:
    """Until the process is ended."""
    connection = await asyncpg.connect(dsn)
    async with AIOKafkaConsumer(bootstrap_servers=kafka, enable_auto_commit=False) as consumer:
        partitions = [TopicPartition(topic, number) for number in range(PARTITIONS)]
        consumer.assign(partitions)
        await consumer.seek_to_beginning(*partitions)
        while True:
            batches = await consumer.getmany(timeout_ms=1000)
            records = [record for batch in batches.values() for record in batch]
            if records:
                subjects = [UUID(record.key.decode()) for record in records]
                await connection.execute(INSERT, subjects, [record.value for record in records])


if __name__ == "__main__":
    uvloop.run(run(*sys.argv[1:]))

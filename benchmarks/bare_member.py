"""A plain member of a consumer group: `python -m benchmarks.bare_member KAFKA TOPIC DSN` inserts what it reads."""

import sys
from uuid import UUID

import asyncpg
import uvloop
from aiokafka import AIOKafkaConsumer

from benchmarks.bare_pipeline import INSERT

INSERT_AGAIN = f"{INSERT} on conflict do nothing"
"""What a killed member had read and not committed is read again by whoever has its partitions next."""


async def run(kafka: str, topic: str, dsn: str) -> None:
    """Until the process is ended."""
    connection = await asyncpg.connect(dsn)
    async with AIOKafkaConsumer(
        topic, bootstrap_servers=kafka, group_id=topic, auto_offset_reset="earliest"
    ) as consumer:
        while True:
            batches = await consumer.getmany(timeout_ms=1000)
            records = [record for batch in batches.values() for record in batch]
            if records:
                subjects = [UUID(record.key.decode()) for record in records]
                await connection.execute(INSERT_AGAIN, subjects, [record.value for record in records])


if __name__ == "__main__":
    uvloop.run(run(*sys.argv[1:]))

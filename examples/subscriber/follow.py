"""Another team's service: what orders come to, per shop and currency, kept up to date from the topic `orders.events`.

Where to read on is kept in the transaction that keeps what was read, so each record counts exactly once.
"""

import asyncio
import json
import os
import signal
import sqlite3
from collections.abc import Iterable
from itertools import chain
from typing import Any

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition

KAFKA = os.environ.get("KAFKA", "127.0.0.1:19092")
TOPIC = os.environ.get("TOPIC_PREFIX", "") + "orders.events"
STATE = os.environ.get("STATE", "subscriber.sqlite")
# The order in these is the order as it is now; order.confirmation-requested may carry it as it was.
KNOWN = {"order.placed.v1", "order.processed.v1", "order.units-moved.v1", "order.payment-status-changed.v1"}

SCHEMA = """
create table if not exists orders (
  source text, subject text, sequence text, shop text, currency text, cost integer, primary key (source, subject)
);
create table if not exists place (partition integer primary key, next_offset integer);
create view if not exists totals as
  select shop, currency, count(*) as orders, sum(cost) as cost from orders group by shop, currency;
"""
KEEP = """
insert into orders values (?, ?, ?, ?, ?, ?)
on conflict do update set sequence = excluded.sequence, currency = excluded.currency, cost = excluded.cost
where excluded.sequence > sequence
"""
READ_ON_AT = "insert into place values (?, ?) on conflict do update set next_offset = excluded.next_offset"


def open_state() -> sqlite3.Connection:
    """The state, made where there is none."""
    state = sqlite3.connect(STATE)
    state.executescript(SCHEMA)
    return state


def places(state: sqlite3.Connection) -> dict[int, int]:
    """Where to read on, by partition; a partition that is not in it is read from its beginning."""
    return dict(state.execute("select partition, next_offset from place"))


class PassedOver(Exception):
    """Records were deleted or passed over unread: a person has to know."""


def take(state: sqlite3.Connection, records: Iterable[ConsumerRecord]) -> None:
    """Takes the records in, all or none. Raises what is wrong with one that is no event, and PassedOver."""
    with state:
        read_on = places(state)
        for record in records:
            # The offsets of this topic have no holes: it is neither compacted nor written in transactions.
            expected = read_on.get(record.partition, record.offset)
            if record.offset > expected:
                raise PassedOver(f"partition {record.partition}: {expected} is the next one, {record.offset} has come")
            keep(state, json.loads(record.value))
            read_on[record.partition] = record.offset + 1
        state.executemany(READ_ON_AT, read_on.items())


def keep(state: sqlite3.Connection, event: dict[str, Any]) -> None:
    """Keeps what the order is now, unless the event is a duplicate or of a type that means nothing to us."""
    if event["type"] in KNOWN:
        stream = event["source"], event["subject"], event["sequence"]
        totals = event["data"]["order"]["totals"]
        to_pay = totals["incl_vat"]["amount"] + totals.get("rounding", 0)
        state.execute(KEEP, (*stream, event["shop"], totals["incl_vat"]["currency"], to_pay))


async def follow() -> None:
    """Reads until SIGTERM or SIGINT. Without a group the consumer has all partitions, also those that are added."""
    stopping, state = asyncio.Event(), open_state()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    async with AIOKafkaConsumer(
        TOPIC,
        bootstrap_servers=KAFKA,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        isolation_level="read_committed",
    ) as consumer:
        placed: set[TopicPartition] = set()
        while not stopping.is_set():
            if placed != consumer.assignment():
                placed, known = consumer.assignment(), places(state)
                for partition in placed:
                    if partition.partition in known:
                        consumer.seek(partition, known[partition.partition])
            batches = await consumer.getmany(timeout_ms=1000)
            take(state, chain(*batches.values()))


if __name__ == "__main__":
    asyncio.run(follow())

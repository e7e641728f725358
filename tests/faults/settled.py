"""A run is settled when nothing is left that could be done: nothing unread, unsent, unhandled, or under way."""

import asyncio
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

import asyncpg
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from shared.contracts.topics import BY_NAME
from tests.faults.history import Left
from tests.faults.world import PARTITIONS, World

WAITED_FOR = 60.0
"""Seconds: what is due later than this is listed, and not waited for."""
STALLED_AFTER = 60.0
"""Seconds without any progress."""
LONGEST = 300.0
"""Seconds after which whatever is left is stuck, though it moves."""

LANES = """
select l."group", l.subject, l.state, l.error, extract(epoch from l.due - clock_timestamp())::float8 as due_in,
  (select count(*) from inbox i where i."group" = l."group" and i.subject = l.subject and i.state = 'ready') as ready,
  (select count(*) from inbox i where i."group" = l."group" and i.subject = l.subject and i.state = 'dead') as dead
from lane l where exists (select from inbox i where i."group" = l."group" and i.subject = l.subject)
"""
REST = """
select 'outbox' as what, aggregateid as subject, type as words from outbox
union all select 'started effect', subject, key from effect where state = 'started'
union all select 'held', subject, source from held
union all select 'passed', subject, type from passed
union all select 'timer', subject, key from timer
union all select 'parked', aggregateid, error from parked
union all select 'quarantine', coalesce(convert_from(key, 'UTF8'), ''), reason from quarantine
"""
CONSUMED = "select topic, partition, next from consumed"


@dataclass(frozen=True)
class Settled:
    """What was left at the end, and how many seconds it took."""

    left: Sequence[Left]
    seconds: float


async def settled(
    world: World, tell: Callable[[str], None], poison: Collection[str] = (), longest: float = LONGEST
) -> Settled:
    """Waits until nothing is left but what is due later than in a minute, or was given up as poison.

    Stops waiting when nothing moves, or after `longest` seconds.
    """
    began = moved = time.monotonic()
    before: list[Left] = []
    while True:
        left = await what_is_left(world)
        if left != before:
            moved = time.monotonic()
        soon = [one for one in left if not one.waits and not (one.given_up and one.subject in poison)]
        tell(f"settling: {len(soon)} to do, {len(left) - len(soon)} wait")
        now = time.monotonic()
        if not soon or now - moved > STALLED_AFTER or now - began > longest:
            return Settled(left, time.monotonic() - began)
        before = left
        await asyncio.sleep(0.5)


async def what_is_left(world: World) -> list[Left]:
    """Everything that is unread, unsent, unhandled or under way, in all services and on its way to them."""
    found = await _untold(world)
    for service, url in world.place.databases.items():
        connection = await asyncpg.connect(url)
        try:
            found += [_of_lane(service, row) for row in await connection.fetch(LANES)]
            found += [Left(service, row["what"], row["subject"], row["words"]) for row in await connection.fetch(REST)]
            found += await _unread(world, service, await connection.fetch(CONSUMED))
        finally:
            await connection.close()
    return found


async def _untold(world: World) -> list[Left]:
    """What providers are about to tell: it is heard before anybody judges what was said."""
    reports = await world.untold()
    return [Left("provider", "report", "", f"{reports} on their way")] if reports else []


def _of_lane(service: str, row: asyncpg.Record) -> Left:
    waits = row["state"] == "ready" and row["due_in"] > WAITED_FOR
    due = f", due in {row['due_in']:.0f} s" if waits else ""
    words = f"lane {row['state']}, {row['ready']} ready, {row['dead']} dead{due}: {row['error']}"
    return Left(service, row["group"], row["subject"], words, waits, given_up=row["state"] == "blocked")


async def _unread(world: World, service: str, rows: Sequence[asyncpg.Record]) -> list[Left]:
    taken = {TopicPartition(world.topic(row["topic"]), row["partition"]): row["next"] for row in rows}
    topics = {row["topic"] for row in rows}
    partitions = [TopicPartition(world.topic(topic), n) for topic in topics for n in range(PARTITIONS)]
    consumer = AIOKafkaConsumer(bootstrap_servers=world.place.kafka, enable_auto_commit=False)
    try:
        await consumer.start()
        ends = await consumer.end_offsets(partitions)
    except KafkaError as error:
        return [Left(service, "kafka", "", str(error))]
    finally:
        await consumer.stop()
    return [
        Left(service, "unread", partition.topic, f"{end - taken.get(partition, 0)} records")
        for partition, end in ends.items()
        if end > taken.get(partition, 0) and not BY_NAME[partition.topic.removeprefix(world.place.prefix)].compacted
    ]

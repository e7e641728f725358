"""A member of a consumer group that is killed silences nobody, and has its partitions back when it is there again."""

import signal
import sys
import time
from datetime import datetime

import asyncpg
import pytest
from aiokafka import AIOKafkaProducer

from deploy.local.processes import Process
from shared.contracts.message import write_record
from shared.contracts.topics import ORDERS_EVENTS
from tests.builders import an_order, placed
from tests.plugins.system import System
from tests.plugins.waiting import eventually

pytestmark = pytest.mark.timeout(240)
TAKEN_IN = "select at from message where subject = $1"
WITHIN = 10.0
"""Seconds; three on a machine that has nothing else to do."""


async def publish(system: System, partition: int) -> str:
    """An event in this partition; returns what it is about."""
    event = placed(an_order())
    async with AIOKafkaProducer(bootstrap_servers=system.kafka) as producer:
        record = write_record(event, event.meta).encode()
        topic = system.prefix + ORDERS_EVENTS.name
        await producer.send_and_wait(topic, record, key=event.subject.encode(), partition=partition)
    return event.subject


def assigned(system: System, name: str) -> list[int]:
    """The partitions that this process was given last."""
    lines = [line for line in system.lines(name) if line["message"] == "partitions assigned"]
    return next((line["partitions"] for line in reversed(lines) if line["topic"] == ORDERS_EVENTS.name), [])


def serving_since(system: System, name: str) -> datetime:
    """When the process had its settings, its database and its schema, and began to read."""
    moment = [line["timestamp"] for line in system.lines(name) if line["message"] == "serving"][-1]
    return datetime.fromisoformat(moment)


async def test_a_killed_member_has_its_partitions_back_and_meanwhile_the_others_go_on(
    system: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def member(number: int) -> Process:
        monkeypatch.setenv("NOTIFICATIONS_INSTANCE", str(number))
        return await system.start("notifications", name=f"member-{number}", roles="ingest")

    members = {f"member-{number}": await member(number) for number in range(2)}
    await eventually(lambda: all(len(assigned(system, name)) == 1 for name in members), timeout=60, every=0.2)
    (theirs,) = assigned(system, "member-1")
    async with asyncpg.create_pool(system.databases["notifications"], min_size=1, max_size=1) as pool:

        async def taken_in(subject: str) -> datetime | None:
            return await pool.fetchval(TAKEN_IN, subject)  # type: ignore[no-any-return]

        async def comes_through(partition: int) -> None:
            subject = await publish(system, partition)
            await eventually(lambda: taken_in(subject), timeout=60)

        for partition in range(2):
            await comes_through(partition)
        members["member-1"].send(signal.SIGKILL)
        await members["member-1"].ended(5)
        waiting, killed_at = await publish(system, theirs), time.monotonic()
        await comes_through(1 - theirs)
        silence = time.monotonic() - killed_at
        assert await taken_in(waiting) is None, "the killed member's own records wait for it"
        await member(1)
        moment = await eventually(lambda: taken_in(waiting), timeout=60)
        back = (moment - serving_since(system, "member-1")).total_seconds()
    words = f"{silence:.2f} s for a record of the others' partition, {back:.2f} s from its start for one of its own"
    sys.stdout.write(words)
    assert max(silence, back) < WITHIN, words

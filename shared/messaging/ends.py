"""What comes to topics from now on, for whoever may miss something and ask again: no group is joined, nothing is kept.

PostgreSQL's NOTIFY could tell the same, and is not used: a transaction that notifies takes one lock of the whole server
before its commit and keeps it until after (`PreCommit_Notify` in src/backend/commands/async.c, "serialize writers by
acquiring a special lock"), so that commits go one by one, and no two share a write to the disk.
"""

import asyncio
import time
from collections.abc import Coroutine, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any, Self, TypeVar

from aiokafka import AIOKafkaConsumer

from shared.contracts.topics import Topic
from shared.messaging.tolerant_records import fault, read_tolerantly

START_WITHIN = 15.0
LOOK_EVERY = 2.0
"""Seconds between two questions for the ends, because the client says nothing of a broker that is away."""
ANSWER_WITHIN = 3.0
STOP_WITHIN = 5.0
MOST = 500
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Said:
    """A record's value, and the declared name of its topic."""

    topic: str
    value: bytes


class Ends:
    """The ends of these topics, as they are when the context is entered; partitions that are added are read too.

    Raises KafkaError, OSError or TimeoutError where the broker does not answer: then begin anew, and take it that
    something was missed.
    """

    def __init__(self, kafka: str, prefix: str, topics: Sequence[Topic]) -> None:
        self._kafka, self._names = kafka, {prefix + topic.name: topic.name for topic in topics}
        self._looked_at = 0.0

    async def __aenter__(self) -> Self:
        read_tolerantly()
        self._consumer = AIOKafkaConsumer(
            *self._names,
            bootstrap_servers=self._kafka.split(","),
            client_id="ends",
            auto_offset_reset="latest",
            enable_auto_commit=False,
        )
        async with AsyncExitStack() as undo:
            undo.push_async_callback(self.__aexit__)
            async with asyncio.timeout(START_WITHIN):
                await self._consumer.start()
                await self._consumer.seek_to_end()
                await asyncio.gather(*(self._consumer.position(place) for place in self._consumer.assignment()))
            undo.pop_all()
        self._looked_at = time.monotonic()
        return self

    async def __aexit__(self, *error: object) -> None:
        stopping = asyncio.create_task(self._consumer.stop())
        await asyncio.wait({stopping}, timeout=STOP_WITHIN)
        if not stopping.done() or stopping.cancelled() or stopping.exception():
            # With a request under way to a broker that is away the client cancels its own closing half-way.
            stopping.cancel()
            await self._consumer._client.close()  # noqa: SLF001 - stopping it a second time does nothing

    async def read(self, seconds: float) -> list[Said]:
        """What has come, as soon as something has; nothing after so many seconds. Damaged records are passed over."""
        found = await self._consumer.getmany(timeout_ms=int(seconds * 1000), max_records=MOST)
        if time.monotonic() - self._looked_at > LOOK_EVERY:
            async with asyncio.timeout(ANSWER_WITHIN):
                await self._consumer.end_offsets(self._consumer.assignment())
            self._looked_at = time.monotonic()
        return [
            Said(self._names[record.topic], record.value)
            for records in found.values()
            for record in records
            if record.value is not None and fault(record.value, record.headers) is None
        ]


async def uncancelled(work: Coroutine[Any, Any, T]) -> T:
    """The outcome of the work. A cancellation in it that is none of ours raises ConnectionError."""
    task = asyncio.create_task(work)
    try:
        await asyncio.wait({task})
    finally:
        task.cancel()
    if task.cancelled():
        raise ConnectionError("the client has cancelled itself")
    return task.result()

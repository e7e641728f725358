"""Handlers that may touch the world: each message finishes by itself, and the lane is kept while they run."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from typing import Any

import asyncpg
import structlog

from shared.contracts.message import Message, NotUnderstood, UnknownType
from shared.messaging import lanes, metrics
from shared.messaging.claims import CRASHED, CRASHES_DEAD, Claims, Hands
from shared.messaging.commits import GroupCommit
from shared.messaging.crash_points import crash_point
from shared.messaging.database import DATABASE_ERRORS, LOST, OutcomeUnknown, transaction
from shared.messaging.effects import current_lane
from shared.messaging.facts import read_to_the_end
from shared.messaging.failures import Failure, LaneLost, attempt
from shared.messaging.finish import Ending, settle
from shared.messaging.groups import Group
from shared.messaging.inside import QUICK, not_handled
from shared.messaging.lanes import Lane, Waiting
from shared.messaging.outbox import Outbox
from shared.messaging.part import Part
from shared.messaging.spans import handling
from shared.messaging.timers import Later, set_timers
from shared.messaging.wakeup import Bell, pause

log = structlog.get_logger(__name__)


class OutsideWorker(Part):
    """A component: works the lanes of groups whose handlers call the outside world.

    Each group has at most `most_lanes` in hand. `provided` gives, by type, what the handlers need. `facts_of`, a Kafka
    address and a topic prefix: the first claim waits until the shops' facts that are there now are known.
    """

    def __init__(
        self,
        pool: asyncpg.Pool,
        dsn: str,
        groups: Sequence[Group],
        outbox: Outbox,
        bell: Bell,
        provided: Mapping[type, Any],
        *,
        most_lanes: int = lanes.MOST_LANES,
        lease_seconds: float = lanes.LEASE_SECONDS,
        poll: float = 0.25,
        facts_of: tuple[str, str] | None = None,
        hands: Hands | None = None,
    ) -> None:
        missing = {kind for group in groups for kind in group.needs()} - set(provided)
        if missing:
            raise TypeError(f"nobody provides {missing}")
        super().__init__("work:" + ",".join(group.name for group in groups))
        self._pool, self._dsn, self._outbox, self._bell, self._provided = pool, dsn, outbox, bell, provided
        self._groups = {group.name: group for group in groups}
        self._most, self._lease, self._poll = most_lanes, lease_seconds, poll
        self._hands = hands or Hands()
        self._claims = {name: Claims(name, self._hands, lease_seconds) for name in self._groups}
        self._abandoned: list[Lane] = []
        self._facts_of = facts_of
        self._finishes: GroupCommit[Ending, bool] = GroupCommit(self._write_endings)
        self._running: dict[asyncio.Task[None], Lane] = {}
        self._stopping = asyncio.Event()

    async def run(self, stopping: asyncio.Event) -> None:
        """Works until `stopping`, then finishes the messages in hand and gives the lanes back."""
        self._stopping = stopping
        await self._until_facts_are_known(stopping)
        while not stopping.is_set():
            try:
                async with asyncpg.create_pool(self._dsn, min_size=1, max_size=2, server_settings=QUICK) as quick:
                    self._reached()
                    await self._work(quick, stopping)
            except DATABASE_ERRORS as error:
                log.warning("worker interrupted", worker=self.name, error=str(error))
                await self._wait_for_server(stopping, f"PostgreSQL cannot be reached: {error}")
        if self._running:
            await asyncio.wait(self._running)

    async def _until_facts_are_known(self, stopping: asyncio.Event) -> None:
        if self._facts_of is None:
            return
        self._problem = "the shops' facts have not been read to the end yet"
        reading = asyncio.create_task(read_to_the_end(self._pool, *self._facts_of, stopping))
        while not reading.done():
            self._tick = time.monotonic()
            await asyncio.wait([reading], timeout=1.0)
        await reading

    async def _work(self, quick: asyncpg.Pool, stopping: asyncio.Event) -> None:
        renew_at = 0.0  # at once: after a lost connection much of the leases may be gone
        while not stopping.is_set():
            self._turn()
            if self._abandoned:
                abandoned, self._abandoned = self._abandoned, []
                await lanes.give_back(quick, abandoned)
            if self._tick >= renew_at:
                renew_at = self._tick + self._lease / 3
                await self._renew(quick)
            for claims in self._claims.values():
                await self._claim(quick, claims)
            await pause(min(self._poll, self._lease / 10), stopping, self._bell)
        await self._renew(quick)

    def _turn(self) -> None:
        self._tick = time.monotonic()

    async def _claim(self, quick: asyncpg.Pool, claims: Claims) -> None:
        free = self._most - sum(lane.group == claims.group for lane in self._running.values())
        for lane in await claims.next(quick, free):
            self._begin(lane)
        async with claims.suspect(quick, self._turn) as suspect:
            if suspect is not None:
                self._hands.take(1)
                task = self._begin(suspect)
                while not task.done():
                    self._turn()
                    await asyncio.wait([task], timeout=self._lease / 3)
                    await self._renew(quick)

    def _begin(self, lane: Lane) -> "asyncio.Task[None]":
        task = asyncio.create_task(self._through(lane), name=f"lane {lane.group} {lane.subject}")
        self._running[task] = lane
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: "asyncio.Task[None]") -> None:
        lane = self._running.pop(task)
        self._hands.give(1)
        self._bell.ring()
        if not task.cancelled() and (error := task.exception()) is not None:
            self._abandoned.append(lane)
            log.error("nobody knows how a lane ended; it is given back", task=task.get_name(), exc_info=error)

    async def _renew(self, quick: asyncpg.Pool) -> None:
        held = [lane for lane in self._running.values() if not lane.lost]
        if held:
            await lanes.renew(quick, held, self._lease)

    async def _through(self, lane: Lane) -> None:
        current_lane.set(lane)
        remaining = list(lane.waiting)
        whole = lane.whole
        if not remaining:
            await self._finishes.submit(Ending(lane, "finished"))
        while remaining and not lane.lost:
            lane.at = waiting = remaining.pop(0)
            started = time.perf_counter()
            with handling(lane.group, waiting.record):
                ending = await self._handled(lane, waiting)
            if ending is None:
                return
            if ending.verdict == "leased" and (not remaining or self._stopping.is_set()):
                ending.verdict = "finished" if whole and not remaining else "ready"
            if not await self._finished(ending, waiting) or ending.verdict != "leased":
                return
            metrics.handling_seconds.labels(lane.group).observe(time.perf_counter() - started)
            lane.attempts, lane.crashes, lane.crashed, lane.failing_since = 1, 0, False, None

    async def _finished(self, ending: Ending, waiting: Waiting) -> bool:
        """Whether the ending was written and is what it was: one that cannot be written is a failed attempt."""
        written = await attempt(lambda: self._finishes.submit(ending))
        if not isinstance(written, Failure):
            return written
        if isinstance(written.error, LOST):
            raise written.error
        log.warning("message failed", group=ending.lane.group, order_id=ending.lane.subject, error=str(written))
        failed = Ending(ending.lane, "leased")
        failed.failed(waiting, written, self._groups[ending.lane.group])
        await self._finishes.submit(failed)
        return False

    async def _handled(self, lane: Lane, waiting: Waiting) -> Ending | None:
        """How this message ended; None when the lane was lost over it."""
        ending = Ending(lane, "leased")
        outcome: Sequence[Message | Later] | Failure
        try:
            if lane.crashes >= CRASHES_DEAD:
                raise NotUnderstood(CRASHED)  # noqa: TRY301
            message = waiting.read()
            reaction = self._groups[lane.group].reaction_to(type(message))
            if reaction is None:
                raise UnknownType(f"group {lane.group} has no handler for {message.type}")
        except NotUnderstood as error:
            outcome = Failure(not_handled(error))
        else:
            outcome = await attempt(lambda: reaction(message, self._provided))
        if isinstance(outcome, Failure) and isinstance(outcome.error, LaneLost):
            lane.lost = True
            metrics.lost_lanes.labels(lane.group).inc()
            return None
        if isinstance(outcome, Failure):
            ending.failed(waiting, outcome, self._groups[lane.group])
            log.warning(
                "message failed",
                group=lane.group,
                attempts=lane.attempts,
                error=str(outcome),
                exc_info=outcome.error,
            )
            return ending
        crash_point("outside.handled")
        ending.done.append(waiting.position)
        ending.said.append((message.meta, outcome))
        metrics.handled.labels(lane.group, "done").inc()
        return ending

    async def _write_endings(self, endings: Sequence[Ending]) -> list[bool]:
        """Whether each was written: False where another worker has claimed the lane."""
        ordered = sorted(endings, key=lambda ending: ending.lane.key)
        try:
            async with transaction(self._pool) as connection:
                await lanes.lock(connection, [ending.lane for ending in ordered])
                mine = [ending for ending in ordered if not ending.lane.lost]
                said = [each for ending in mine for each in ending.said]
                await self._outbox.append(connection, said, [each for ending in mine for each in ending.letters])
                for ending in mine:
                    await set_timers(connection, self._outbox.source, ending.lane.group, ending.said)
                crash_point("finish.appended")
                await settle(connection, mine)
                crash_point("finish.settled")
            crash_point("finish.committed")
        except OutcomeUnknown:
            # Finishing twice is harmless: the token is gone if it was written, and the inbox row is read again if not.
            log.warning("finish unknown, the lanes' leases will run out", lanes=len(endings))
            return [False] * len(endings)
        self._outbox.committed()
        return [not ending.lane.lost for ending in endings]

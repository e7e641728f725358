"""Handlers that run inside the finishing transaction: what they change and what they say commit as one."""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from uuid import UUID

import asyncpg
import structlog

from shared.contracts.message import (
    Head,
    InvalidData,
    Message,
    Meta,
    NotUnderstood,
    UnknownType,
)
from shared.contracts.order_log import CommandRejected
from shared.contracts.reading import read_head
from shared.contracts.refusal import Refused
from shared.messaging import lanes, metrics
from shared.messaging.claims import CRASHED, CRASHES_DEAD, Claims, Hands
from shared.messaging.crash_points import crash_point
from shared.messaging.database import DATABASE_ERRORS, KEYS_ONLY, Connection, OutcomeUnknown, transaction
from shared.messaging.failures import Failure, Reject, Retry, attempt
from shared.messaging.finish import Ending, ended, settle
from shared.messaging.groups import Group, Reaction, Workspace
from shared.messaging.lanes import Lane, Waiting
from shared.messaging.outbox import Outbox, Said
from shared.messaging.part import Part
from shared.messaging.spans import handling
from shared.messaging.timers import Later, set_timers
from shared.messaging.wakeup import Bell, pause

log = structlog.get_logger(__name__)

QUICK = {"application_name": "lanes", "synchronous_commit": "off", **KEYS_ONLY}
"""A lost claim or renewal is found by its lease; waiting for the disk would only make it slower."""


def rejection(meta: Meta, command_type: str, refusal: Refused) -> CommandRejected:
    """The answer on the order log to a command that was refused."""
    return CommandRejected(
        order_id=UUID(meta.subject),
        outcome="failed",
        summary="command.rejected",
        command_type=command_type,
        command_id=meta.id,
        reason=refusal.reason,
        detail=refusal.detail[:500],
        errors=[error[:500] for error in refusal.errors[:20]],
    )


def not_handled(error: NotUnderstood) -> Retry | Reject:
    """What becomes of a message that this process cannot read.

    One of a type that it does not know was taken in by a newer version beside it, or before it: that one handles it.
    """
    return Retry(error.reason) if isinstance(error, UnknownType) else Reject(error.reason)


class Answer:
    """One waiting message with what it is, or why it is refused or can never be handled."""

    def __init__(self, group: Group, waiting: Waiting) -> None:
        self.position, self.type = waiting.position, waiting.type
        self.message: Message | None = None
        self.reaction: Reaction | None = None
        self.refusal: Refused | None = None
        try:
            self.message = waiting.read()
            self.meta: Meta = self.message.meta
            self.reaction = group.reaction_to(type(self.message))
            if self.reaction is None:
                raise UnknownType(f"{self.type} is not accepted on {group.reads.name}")
        except NotUnderstood as error:
            if not group.answers:
                raise not_handled(error) from error
            self.meta = _head(waiting).meta()
            errors = error.errors if isinstance(error, InvalidData) else []
            self.refusal = Refused(error.refused_as, error.reason, errors)


def _head(waiting: Waiting) -> Head:
    try:
        return read_head(waiting.record)
    except NotUnderstood as error:
        raise Reject(error.reason) from error


class InsideWorker(Part):
    """A component: works one inside group's lanes, up to fifty in one transaction.

    `workspaces` makes, from the transaction's connection, what the handlers need. A handler raises Refused before it
    changes anything.
    """

    def __init__(
        self,
        pool: asyncpg.Pool,
        dsn: str,
        group: Group,
        outbox: Outbox,
        bell: Bell,
        workspaces: Mapping[type, Callable[[Connection], Any]],
        *,
        hands: Hands | None = None,
        poll: float = 0.25,
    ) -> None:
        missing = group.needs() - set(workspaces)
        if missing:
            raise TypeError(f"group {group.name} needs {missing}, which nobody provides")
        super().__init__(f"work:{group.name}")
        self._pool, self._dsn, self._group, self._outbox, self._bell = pool, dsn, group, outbox, bell
        self._workspaces, self._poll = {kind: workspaces[kind] for kind in group.needs()}, poll
        self._hands = hands or Hands()
        self._claims = Claims(group.name, self._hands)
        self._abandoned: list[Lane] = []

    async def run(self, stopping: asyncio.Event) -> None:
        """Works until `stopping`; a lost database is waited for."""
        while not stopping.is_set():
            try:
                async with asyncpg.create_pool(self._dsn, min_size=1, max_size=1, server_settings=QUICK) as quick:
                    self._reached()
                    await self._work(quick, stopping)
            except (*DATABASE_ERRORS, OutcomeUnknown) as error:
                log.warning("worker interrupted", group=self._group.name, error=str(error))
                await self._wait_for_server(stopping, f"PostgreSQL cannot be reached: {error}")

    async def _work(self, quick: asyncpg.Pool, stopping: asyncio.Event) -> None:
        await lanes.give_back(quick, self._abandoned)
        self._abandoned.clear()
        while not stopping.is_set():
            self._turn()
            claimed = await self._claims.next(quick, lanes.MOST_LANES)
            try:
                if claimed:
                    await self.work_through(claimed)
            finally:
                self._hands.give(len(claimed))
            async with self._claims.suspect(quick, self._turn) as suspect:
                if suspect is not None:
                    await self.work_through([suspect])
            if len(claimed) < lanes.MOST_LANES:
                await pause(self._poll, stopping, self._bell)

    def _turn(self) -> None:
        self._tick = time.monotonic()

    async def work_through(self, claimed: Sequence[Lane]) -> None:
        """All of it in one transaction; where a handler fails, or may have ended its process, one message at a time.

        Lanes of which is not known how they ended, because a connection was lost, are given back with the next one.
        """
        started = time.perf_counter()
        self._abandoned = list(claimed)
        quiet, outcome = [lane for lane in claimed if not lane.crashes], None
        if quiet:
            outcome = await attempt(lambda: self._together(quiet))
        if isinstance(outcome, Failure):
            log.info("batch broken up", group=self._group.name, lanes=len(quiet), error=str(outcome))
        for lane in claimed:
            if lane.crashes or isinstance(outcome, Failure):
                await self._one_by_one(lane)
        self._abandoned.clear()
        self._outbox.committed()
        count = max(1, sum(len(lane.waiting) for lane in claimed))
        metrics.handling_seconds.labels(self._group.name).observe((time.perf_counter() - started) / count)

    async def _together(self, claimed: Sequence[Lane]) -> None:
        async with transaction(self._pool) as connection:
            held = await lanes.lock(connection, claimed)
            answers = {lane.key: [Answer(self._group, waiting) for waiting in lane.waiting] for lane in held}
            said = await self._react(connection, [answer for lane in held for answer in answers[lane.key]])
            await self._write(connection, said, [ended(lane) for lane in held])
        crash_point("inside.committed")
        metrics.handled.labels(self._group.name, "done").inc(sum(map(len, answers.values())))

    async def _one_by_one(self, lane: Lane) -> None:
        if not lane.waiting:
            await self._end(Ending(lane, "finished"))
        while lane.waiting and not lane.lost:
            waiting, *rest = lane.waiting
            with handling(lane.group, waiting.record):
                outcome: Failure | None = Failure(Reject(CRASHED))
                if lane.crashes < CRASHES_DEAD:
                    outcome = await attempt(lambda first=waiting, after=rest: self._alone(lane, first, after))  # type: ignore[misc]
                if outcome is not None:
                    await self._failed(lane, waiting, rest, outcome)
                    return
            lane.waiting, lane.attempts, lane.crashes, lane.failing_since = rest, 1, 0, None

    async def _alone(self, lane: Lane, waiting: Waiting, rest: Sequence[Waiting]) -> None:
        async with transaction(self._pool) as connection:
            if not await lanes.lock(connection, [lane]):
                return
            said = await self._react(connection, [Answer(self._group, waiting)])
            ending = Ending(lane, "leased" if rest else "ready", done=[waiting.position])
            await self._write(connection, said, [ending])
        metrics.handled.labels(self._group.name, "done").inc()

    async def _write(self, connection: Connection, said: Said, endings: Sequence[Ending]) -> None:
        crash_point("inside.handled")
        await self._outbox.append(connection, said)
        await set_timers(connection, self._outbox.source, self._group.name, said)
        crash_point("inside.appended")
        await settle(connection, endings)
        crash_point("inside.settled")

    async def _failed(self, lane: Lane, waiting: Waiting, rest: Sequence[Waiting], failure: Failure) -> None:
        ending = Ending(lane, "retry")
        ending.failed(waiting, failure, self._group)
        await self._end(ending)
        log.warning("message failed", group=lane.group, error=str(failure), behind=len(rest), exc_info=failure.error)

    async def _end(self, ending: Ending) -> None:
        async with transaction(self._pool) as connection:
            if await lanes.lock(connection, [ending.lane]):
                await self._outbox.append(connection, ending.said, ending.letters)
                await settle(connection, [ending])

    async def _react(self, connection: Connection, answers: Sequence[Answer]) -> Said:
        provided = {kind: make(connection) for kind, make in self._workspaces.items()}
        workspaces = [thing for thing in provided.values() if isinstance(thing, Workspace)]
        messages = [answer.message for answer in answers if answer.message is not None]
        for workspace in workspaces:
            await workspace.open(messages)
        said = [(answer.meta, await _answered(answer, provided)) for answer in answers]
        for workspace in workspaces:
            await workspace.flush()
        return said


async def _answered(answer: Answer, provided: Mapping[type, Any]) -> Sequence[Message | Later]:
    if answer.message is None or answer.reaction is None:
        return [rejection(answer.meta, answer.type, answer.refusal or Refused("unknown-command"))]
    try:
        return await answer.reaction(answer.message, provided)
    except Refused as refusal:
        return [rejection(answer.meta, answer.type, refusal)]

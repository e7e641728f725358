"""The world is called once per cause: a second call with a key is made only where it can make nothing happen twice.

Who finds `started` past its deadline knows that nobody can say whether it happened, and says `unknown`; the other side
is asked where it can be asked, and else a person.
"""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, TypeVar

import asyncpg
import structlog

from shared.contracts.message import NotUnderstood, now
from shared.contracts.reading import read_head
from shared.messaging import effect_rows as rows
from shared.messaging import metrics
from shared.messaging.breaker import Breaker, Breakers, LeftAlone
from shared.messaging.commits import GroupCommit
from shared.messaging.crash_points import crash_point
from shared.messaging.database import DATABASE_ERRORS, OutcomeUnknown
from shared.messaging.effect_rows import Record, Start, Started
from shared.messaging.failures import Failure, LaneLost, Retry, attempt
from shared.messaging.lanes import Lane
from shared.messaging.sealing import Seal

START_ALLOWANCE = 5.0
"""Seconds between asking for `started` and the first byte; later, another worker may have reported it unknown."""
LOOK_AFTER = (5.0, 15.0, 45.0, 120.0, 600.0, 900.0)
"""Seconds after the first answer that did not come, the second, and so on, the last one again and again."""

T = TypeVar("T")
current_lane: ContextVar[Lane] = ContextVar("current_lane")
log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Done:
    """It happened."""

    result: dict[str, Any]


@dataclass(frozen=True)
class Failed:
    """A clear no: it did not happen, and asking again will not help."""

    reason: str
    detail: str


@dataclass(frozen=True)
class Unknown:
    """Nobody can say whether it happened."""

    detail: str


Outcome = Done | Failed | Unknown


class NotSent(Exception):
    """Certainly not sent: nothing has happened, and it may be tried again."""


class PutOff(NotSent):
    """The same, said by the other side of this call alone: its connection works."""


class Permit:
    """The right to make one call, which ends when the start allowance is over."""

    def __init__(self, asked_at: float, allowance: float) -> None:
        self._until = asked_at + allowance

    def check(self) -> None:
        """To be called when connected, immediately before the first byte that could make it happen.

        Raises NotSent when the allowance is over.
        """
        if time.monotonic() > self._until:
            raise NotSent("connecting took longer than the start allowance")


Call = Callable[[Permit, bytes], Awaitable[Done | Failed]]
"""Makes the call with the request that it is given, which is the one of the first attempt, byte for byte."""
LookUp = Callable[[], Awaitable[Done | Failed | None]]
"""Asks the other side what became of the call; None: it knows of none."""


@dataclass(frozen=True)
class WhenUnknown:
    """What may be done where nobody can say whether a call happened; nothing, as it stands: a person is asked.

    `look_up` asks the other side. What it has not heard of is called for again with the same key while it still
    remembers keys, `remembers` seconds after the first call. `repeats`: how often the call is made once more where
    nobody can be asked and twice does no harm. The order's next messages wait for an answer until `holds` seconds after
    the first call; then it is reported as unknown, and a person or a webhook settles it.
    """

    look_up: LookUp | None = None
    remembers: float = 0.0
    repeats: int = 0
    holds: float = 900.0


ASK_A_PERSON = WhenUnknown()


@dataclass(frozen=True)
class _Asked:
    """One call of `once`."""

    key: str
    kind: str
    call: Call
    seconds: float
    when_unknown: WhenUnknown
    lane: Lane
    breaker: Breaker
    at: float
    before: str | None = None
    """What was not known of an earlier call, where this one repeats it."""
    unanswered: int = 0
    """How many calls and look-ups there were before it."""
    age: float = 0.0
    """Seconds since the first call."""


class Effects:
    """Makes calls to the outside world, at most one per key for ever, with its recorded outcome.

    Without a `seal` requests are not kept, and a call that is made again is made with what the handler says then.
    """

    def __init__(
        self, pool: asyncpg.Pool, *, seal: Seal | None = None, start_allowance: float = START_ALLOWANCE
    ) -> None:
        self._pool, self._seal, self._allowance = pool, seal, start_allowance
        self._breakers = Breakers()
        self._starts: GroupCommit[Start, Started] = GroupCommit(lambda starts: rows.write_starts(pool, starts))
        self._records: GroupCommit[Record, None] = GroupCommit(lambda records: rows.write_records(pool, records))

    async def once(
        self,
        *,
        key: str,
        kind: str,
        call: Call,
        timeout: float,  # noqa: ASYNC109 - a rule of the call, not of this function
        request: bytes = b"",
        connection: str = "",
        when_unknown: WhenUnknown = ASK_A_PERSON,
    ) -> Outcome:
        """The outcome of the call that this key names; makes the call only if it was never started.

        `timeout`: seconds that the call may take in all. Any exception of `call` but NotSent means that nobody knows.
        `connection` names what breaks as one: a server, or one shop's account there.
        Raises Retry when it was certainly not sent, another worker's call is under way, the other side is to be asked
        later or left alone; LaneLost when the lane is no longer ours.
        """
        lane = current_lane.get()
        breaker = self._breakers.of(lane.group, connection or kind)
        asked = _Asked(key, kind, call, timeout, when_unknown, lane, breaker, time.monotonic())
        sealed = self._seal.seal(request) if self._seal and request else None
        breaker.enter()
        try:
            start = Start(key, kind, self._allowance + timeout + 1, lane, sealed, _caused_at(lane))
            started = await self._starts.submit(start)
            if started.granted:
                crash_point("effects.started")
                return await self._make(asked, request, started.request)
            return await self._found(asked, request)
        finally:
            breaker.leave()

    def left_alone(self) -> list[LeftAlone]:
        """The connections that this process leaves alone because they mostly fail."""
        return self._breakers.left_alone()

    async def _make(self, asked: _Asked, request: bytes, kept: bytes | None) -> Outcome:
        if kept is not None and self._seal is not None:
            request = self._seal.open(kept)
        permit = Permit(asked.at, self._allowance)
        answer = await attempt(lambda: _in_time(asked.call(permit, request), asked.seconds))
        asked.breaker.record(worked=not isinstance(answer, Failure) or isinstance(answer.error, PutOff))
        crash_point("effects.called")
        if not isinstance(answer, Failure):
            await self._known(asked, answer)
            crash_point("effects.recorded")
            return answer
        if isinstance(answer.error, NotSent):
            metrics.effects.labels(asked.kind, "not sent").inc()
            await self._not_sent(asked)
            raise Retry(f"not sent: {answer.error}") from answer.error
        log.error("effect unknown", key=asked.key, kind=asked.kind, error=str(answer), exc_info=answer.error)
        unknown = Unknown(str(answer)[:500])
        await self._known(asked, unknown)
        if asked.when_unknown.look_up or asked.when_unknown.repeats:
            raise Retry(
                f"it is looked into: {unknown.detail}",
                after=_look_after(asked.unanswered, asked.age, asked.when_unknown),
            )
        return unknown

    async def _not_sent(self, asked: _Asked) -> None:
        if asked.before is None:
            await self._write(Record(asked.key, asked.lane, "planned", {}))
        else:  # where this cannot be written, it is found unknown after its deadline
            await self._pool.execute(rows.NOT_AGAIN, asked.key, asked.lane.token, asked.before)

    async def _known(self, asked: _Asked, outcome: Outcome, settled_by: str | None = None) -> None:
        state = type(outcome).__name__.lower()
        await self._write(Record(asked.key, asked.lane, state, _as_result(outcome), settled_by))
        metrics.effects.labels(asked.kind, state).inc()

    async def _found(self, asked: _Asked, request: bytes) -> Outcome:
        row = await self._pool.fetchrow(rows.LOOK, asked.key)
        if row is None:
            raise LaneLost(f"the lane was lost before {asked.key} was started")
        if row["state"] == "started" and row["running"]:
            left = row["left"]
            raise Retry(f"another worker's call may still be under way for {left:.1f} s", after=left)
        if row["state"] == "started":
            if await self._pool.execute(rows.GIVE_UP, asked.key, rows.AFTER_CRASH) == "UPDATE 1":
                metrics.effects.labels(asked.kind, "unknown").inc()
            return await self._found(asked, request)
        if row["state"] == "planned":
            raise Retry("it was given back a moment ago", after=1.0)
        if row["state"] == "unknown":
            return await self._looked_into(asked, row, request)
        return from_result(row["state"], json.loads(row["result"]))

    async def _looked_into(self, asked: _Asked, row: asyncpg.Record, request: bytes) -> Outcome:
        unknown, rule = from_result("unknown", json.loads(row["result"])), asked.when_unknown
        if row["first_age"] > rule.holds:
            return unknown
        later = _look_after(row["attempts"] + row["looks"], row["first_age"], rule)
        if rule.look_up is None:
            return await self._again(asked, row, request) if row["attempts"] <= rule.repeats else unknown
        look_up = rule.look_up
        answer = await attempt(lambda: _in_time(look_up(), asked.seconds))
        if isinstance(answer, Failure):
            await self._pool.execute(rows.LOOKED, asked.key)
            raise Retry(f"the other side cannot be asked what became of it: {answer}", after=later)
        crash_point("effects.looked-up")
        if answer is not None:
            await self._known(asked, answer, settled_by="look-up")
            return await self._found(asked, request)  # what is recorded counts: a person may have been faster
        if row["first_age"] < rule.remembers:
            return await self._again(asked, row, request)
        await self._pool.execute(rows.LOOKED, asked.key)
        raise Retry("the other side does not know of it, or not yet", after=later)

    async def _again(self, asked: _Asked, row: asyncpg.Record, request: bytes) -> Outcome:
        lane, seconds = asked.lane, self._allowance + asked.seconds + 1
        at = time.monotonic()
        kept = await self._pool.fetchrow(
            rows.AGAIN, asked.key, row["token"], lane.group, lane.subject, lane.token, seconds
        )
        if kept is None:
            raise Retry("another worker, or a person, was faster", after=1.0)
        anew = replace(
            asked,
            at=at,
            before=json.loads(row["result"])["detail"],
            unanswered=kept["attempts"] - 1 + kept["looks"],
            age=kept["first_age"],
        )
        return await self._make(anew, request, kept["request"])

    async def _write(self, record: Record) -> None:
        """Until it is written, for as long as the process lives: a known answer must not become unknown."""
        while True:
            try:
                await self._records.submit(record)
            except (*DATABASE_ERRORS, OutcomeUnknown) as error:
                log.warning("answer not recorded yet", key=record.key, error=str(error))
                await asyncio.sleep(0.5)
            else:
                return


def _look_after(unanswered: int, age: float, rule: WhenUnknown) -> float:
    """Longer and longer, but no longer than until it is reported."""
    pause = LOOK_AFTER[min(unanswered, len(LOOK_AFTER) - 1)]
    return min(pause, max(1.0, rule.holds - age))


async def _in_time(work: Awaitable[T], seconds: float) -> T:
    async with asyncio.timeout(seconds):
        return await work


def _caused_at(lane: Lane) -> datetime:
    """When the message in hand was said; now, where it does not say."""
    try:
        return read_head(lane.at.record).meta().time if lane.at else now()
    except NotUnderstood:
        return now()


def _as_result(outcome: Outcome) -> dict[str, Any]:
    if isinstance(outcome, Done):
        return outcome.result
    if isinstance(outcome, Failed):
        return {"reason": outcome.reason, "detail": outcome.detail}
    return {"detail": outcome.detail}


def from_result(state: str, result: dict[str, Any]) -> Outcome:
    """The outcome that a row of the table says."""
    if state == "done":
        return Done(result)
    if state == "failed":
        return Failed(result["reason"], result["detail"])
    return Unknown(result["detail"])

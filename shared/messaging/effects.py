"""The world is called once per cause: whatever crashes, a second call with the same key is never made by itself.

`started` is on disk before the first byte leaves. Who finds it there past its deadline knows that nobody can say
whether it happened, and says `unknown`.
"""

import asyncio
import json
import math
import time
from collections.abc import Awaitable, Callable, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

import asyncpg
import structlog

from shared.messaging import metrics
from shared.messaging.commits import GroupCommit
from shared.messaging.database import DATABASE_ERRORS, OutcomeUnknown
from shared.messaging.failures import Failure, LaneLost, Retry, attempt
from shared.messaging.lanes import Lane

START_ALLOWANCE = 5.0
"""Seconds between asking for `started` and the first byte; later, another worker may have reported it unknown."""

START = """
insert into effect as e (key, "group", subject, kind, state, attempts, token, started_at, deadline)
select k.key, l."group", l.subject, k.kind, 'started', 1, l.token, clock_timestamp(),
  clock_timestamp() + make_interval(secs => k.seconds)
from unnest($1::text[], $2::text[], $3::float8[], $4::text[], $5::text[], $6::uuid[]) k(key, kind, seconds, g, s, t)
join lane l on l."group" = k.g and l.subject = k.s and l.token = k.t
where l.state = 'leased' and l.due > clock_timestamp()
order by k.key
on conflict (key) do update set state = 'started', attempts = e.attempts + 1, token = excluded.token,
  started_at = excluded.started_at, deadline = excluded.deadline where e.state = 'planned'
returning key
"""
LOOK = """
select state, result, deadline > clock_timestamp() as running, extract(epoch from deadline - clock_timestamp()) as left
from effect where key = $1
"""
GIVE_UP = """
update effect set state = 'unknown', result = $2 where key = $1 and state = 'started' and deadline <= clock_timestamp()
"""
RECORD = """
update effect e set state = k.state, result = k.result::jsonb
from unnest($1::text[], $2::uuid[], $3::text[], $4::text[]) k(key, token, state, result)
where e.key = k.key and (e.state = 'started' and e.token = k.token or e.state = 'unknown' and k.state <> 'planned')
"""

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


Call = Callable[[Permit], Awaitable[Done | Failed]]


@dataclass(frozen=True)
class _Start:
    key: str
    kind: str
    seconds: float
    lane: Lane


@dataclass(frozen=True)
class _Record:
    key: str
    lane: Lane
    state: str
    result: dict[str, Any]


class Effects:
    """Makes calls to the outside world, at most one per key for ever, with its recorded outcome."""

    def __init__(self, pool: asyncpg.Pool, *, start_allowance: float = START_ALLOWANCE) -> None:
        self._pool = pool
        self._allowance = start_allowance
        self._starts: GroupCommit[_Start, bool] = GroupCommit(self._write_starts)
        self._records: GroupCommit[_Record, None] = GroupCommit(self._write_records)

    async def once(self, *, key: str, kind: str, call: Call, timeout: float) -> Outcome:  # noqa: ASYNC109 - a rule of the call, not of this function
        """The outcome of the call that this key names; makes the call only if it was never started.

        `timeout`: seconds that the call may take in all. Any exception of `call` but NotSent means that nobody knows.
        Raises Retry when it was certainly not sent or another worker's call is under way, LaneLost when the lane is
        no longer ours.
        """
        lane = current_lane.get()
        asked_at = time.monotonic()
        seconds = self._allowance + timeout + 1
        if not await self._starts.submit(_Start(key, kind, seconds, lane)):
            return await self._found(key, kind)
        outcome = await attempt(lambda: self._call(call, Permit(asked_at, self._allowance), timeout))
        return await self._known(key, kind, lane, outcome)

    async def _call(self, call: Call, permit: Permit, seconds: float) -> Done | Failed:
        async with asyncio.timeout(seconds):
            return await call(permit)

    async def _known(self, key: str, kind: str, lane: Lane, outcome: Done | Failed | Failure) -> Outcome:
        if isinstance(outcome, Failure) and isinstance(outcome.error, NotSent):
            await self._write(_Record(key, lane, "planned", {}))
            metrics.effects.labels(kind, "not sent").inc()
            raise Retry(f"not sent: {outcome.error}") from outcome.error
        if isinstance(outcome, Failure):
            log.error("effect unknown", key=key, kind=kind, error=str(outcome), exc_info=outcome.error)
        known = Unknown(str(outcome)[:500]) if isinstance(outcome, Failure) else outcome
        record = _Record(key, lane, type(known).__name__.lower(), _as_result(known))
        await self._write(record)
        metrics.effects.labels(kind, record.state).inc()
        return known

    async def _found(self, key: str, kind: str) -> Outcome:
        row = await self._pool.fetchrow(LOOK, key)
        if row is None:
            raise LaneLost(f"the lane was lost before {key} was started")
        if row["state"] == "started" and row["running"]:
            left = float(row["left"])
            raise Retry(f"another worker's call may still be under way for {left:.1f} s", after=left)
        if row["state"] == "started":
            detail = "the worker that made the call ended before it could record the answer"
            if await self._pool.execute(GIVE_UP, key, json.dumps({"detail": detail})) == "UPDATE 1":
                metrics.effects.labels(kind, "unknown").inc()
            return await self._found(key, kind)
        if row["state"] == "planned":
            raise Retry("it was given back a moment ago")
        return _from_result(row["state"], json.loads(row["result"]))

    async def _write(self, record: _Record) -> None:
        """Until it is written, for as long as the process lives: a known answer must not become unknown."""
        while True:
            try:
                await self._records.submit(record)
            except (*DATABASE_ERRORS, OutcomeUnknown) as error:
                log.warning("answer not recorded yet", key=record.key, error=str(error))
                await asyncio.sleep(0.5)
            else:
                return

    async def _write_starts(self, starts: Sequence[_Start]) -> list[bool]:
        ordered = sorted(starts, key=lambda start: start.key)
        rows = await self._pool.fetch(
            START,
            [start.key for start in ordered],
            [start.kind for start in ordered],
            [start.seconds for start in ordered],
            [start.lane.group for start in ordered],
            [start.lane.subject for start in ordered],
            [start.lane.token for start in ordered],
        )
        started = {row["key"] for row in rows}
        return [start.key in started for start in starts]

    async def _write_records(self, records: Sequence[_Record]) -> list[None]:
        await self._pool.execute(
            RECORD,
            [record.key for record in records],
            [record.lane.token for record in records],
            [record.state for record in records],
            [json.dumps(_storable(record.result)) for record in records],
        )
        return [None] * len(records)


def _storable(value: Any) -> Any:
    """What the world answered, without what PostgreSQL cannot store: NUL, lone surrogates, numbers without end."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode().replace("\x00", " ")
    if isinstance(value, dict):
        return {_storable(name): _storable(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_storable(item) for item in value]
    return value if value is None or isinstance(value, int) or _is_finite(value) else _storable(str(value))


def _is_finite(value: Any) -> bool:
    return isinstance(value, float) and math.isfinite(value)


def _as_result(outcome: Outcome) -> dict[str, Any]:
    if isinstance(outcome, Done):
        return outcome.result
    if isinstance(outcome, Failed):
        return {"reason": outcome.reason, "detail": outcome.detail}
    return {"detail": outcome.detail}


def _from_result(state: str, result: dict[str, Any]) -> Outcome:
    if state == "done":
        return Done(result)
    if state == "failed":
        return Failed(result["reason"], result["detail"])
    return Unknown(result["detail"])

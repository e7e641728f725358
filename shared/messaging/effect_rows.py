"""The table of effects: `started` is on disk before the first byte leaves, and only one attempt may hold it."""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import asyncpg

from shared.messaging.lanes import Lane

BEFORE_RESTORE = "its cause is older than the restore of this database: it may have been done before"
AFTER_CRASH = "the worker that made the call ended before it could record the answer"

START = """
insert into effect as e (key, "group", subject, shop, kind, state, attempts, token, started_at, deadline, position,
  request, result)
select k.key, l."group", l.subject, l.shop, k.kind,
  case when o.maybe_done then 'unknown' else 'started' end, 1, l.token, clock_timestamp(),
  clock_timestamp() + make_interval(secs => k.seconds), k.position, k.request,
  case when o.maybe_done then jsonb_build_object('detail', $10::text) end
from unnest($1::text[], $2::text[], $3::float8[], $4::text[], $5::text[], $6::uuid[], $7::bigint[], $8::bytea[],
  $9::timestamptz[]) k(key, kind, seconds, g, s, t, position, request, caused_at)
join lane l on l."group" = k.g and l.subject = k.s and l.token = k.t
cross join lateral (
  select restored and k.caused_at < to_timestamp(incarnation) + interval '1 minute' as maybe_done from relay) o
where l.state = 'leased' and l.due > clock_timestamp()
order by k.key
on conflict (key) do update set attempts = 1, looks = 0, first_at = excluded.first_at, token = excluded.token,
  state = case when e.settled_by is null then excluded.state else 'started' end,
  started_at = excluded.started_at, deadline = excluded.deadline, position = excluded.position,
  request = coalesce(e.request, excluded.request),
  result = case when e.settled_by is null then excluded.result end where e.state = 'planned'
returning key, state, request
"""
"""What is `planned` was certainly not sent, so that its time begins with this attempt.

A cause from before a restore may have had its effect in the life that was lost; a minute for clocks that differ.

So may one that was planned when the copy was made, until somebody says that it had not.
"""
AGAIN = """
update effect e set state = 'started', attempts = e.attempts + 1, token = l.token, started_at = clock_timestamp(),
  deadline = clock_timestamp() + make_interval(secs => $6), result = null
from lane l
where e.key = $1 and e.state = 'unknown' and e.token = $2
  and l."group" = $3 and l.subject = $4 and l.token = $5 and l.state = 'leased' and l.due > clock_timestamp()
returning e.request, e.attempts, e.looks, extract(epoch from clock_timestamp() - e.first_at)::float8 as first_age
"""
LOOK = """
select state, result, attempts, looks, token, request, deadline > clock_timestamp() as running,
  extract(epoch from deadline - clock_timestamp())::float8 as left,
  extract(epoch from clock_timestamp() - first_at)::float8 as first_age
from effect where key = $1
"""
GIVE_UP = """
update effect set state = 'unknown', result = jsonb_build_object('detail', $2::text)
where key = $1 and state = 'started' and deadline <= clock_timestamp()
"""
LOOKED = "update effect set looks = looks + 1 where key = $1"
NOT_AGAIN = """
update effect set state = 'unknown', attempts = attempts - 1, result = jsonb_build_object('detail', $3::text)
where key = $1 and token = $2 and state = 'started'
"""
"""What was certainly not sent this time is as unknown as it was before."""
RECORD = """
update effect e set state = k.state, result = k.result::jsonb, settled_by = coalesce(k.settled_by, e.settled_by),
  request = case when k.state in ('planned', 'unknown') then e.request end
from unnest($1::text[], $2::uuid[], $3::text[], $4::text[], $5::text[]) k(key, token, state, result, settled_by)
where e.key = k.key and (e.state = 'started' and e.token = k.token or e.state = 'unknown' and k.state <> 'planned')
"""


@dataclass(frozen=True)
class Start:
    """What is written before a call: by whose lane, for how long it may take in all, and what it will say."""

    key: str
    kind: str
    seconds: float
    lane: Lane
    request: bytes | None
    caused_at: datetime


@dataclass(frozen=True)
class Started:
    """Whether the call may be made, and the request that is kept, sealed: an earlier one where there was one."""

    granted: bool
    request: bytes | None = None


@dataclass(frozen=True)
class Record:
    """What is written after a call."""

    key: str
    lane: Lane
    state: str
    result: dict[str, Any]
    settled_by: str | None = None


async def write_starts(pool: asyncpg.Pool, starts: Sequence[Start]) -> list[Started]:
    """Starts those that may start: their lanes are still held, and nobody has started them before."""
    ordered = sorted(starts, key=lambda start: start.key)
    rows = await pool.fetch(
        START,
        [start.key for start in ordered],
        [start.kind for start in ordered],
        [start.seconds for start in ordered],
        [start.lane.group for start in ordered],
        [start.lane.subject for start in ordered],
        [start.lane.token for start in ordered],
        [start.lane.at.position if start.lane.at else 0 for start in ordered],
        [start.request for start in ordered],
        [start.caused_at for start in ordered],
        BEFORE_RESTORE,
    )
    granted = {row["key"]: Started(granted=True, request=row["request"]) for row in rows if row["state"] == "started"}
    return [granted.get(start.key, Started(granted=False)) for start in starts]


async def write_records(pool: asyncpg.Pool, records: Sequence[Record]) -> list[None]:
    """Writes outcomes; one of an attempt that lost its lane is as true as any."""
    await pool.execute(
        RECORD,
        [record.key for record in records],
        [record.lane.token for record in records],
        [record.state for record in records],
        [json.dumps(storable(record.result)) for record in records],
        [record.settled_by for record in records],
    )
    return [None] * len(records)


def storable(value: Any) -> Any:
    """What the world answered, without what PostgreSQL cannot store: NUL, lone surrogates, numbers without end."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode().replace("\x00", " ")
    if isinstance(value, dict):
        return {storable(name): storable(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [storable(item) for item in value]
    return value if value is None or isinstance(value, int) or _is_finite(value) else storable(str(value))


def _is_finite(value: Any) -> bool:
    return isinstance(value, float) and math.isfinite(value)

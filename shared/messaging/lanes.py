"""A lane is the messages of one order waiting in one group: leased, worked through in order, given back.

Claiming and reading are two statements: in one, a message that arrives between its snapshot and its lock is missed
while the lane's `wake` is already counted, and the lane goes idle over it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID, uuid4

from asyncpg import Record

from shared.contracts.message import Message
from shared.contracts.reading import read_record
from shared.messaging.database import Connection, Executor

LEASE_SECONDS = 15.0
MOST_LANES = 50
MOST_MESSAGES = 50

CLAIM = """
with candidate as materialized ({candidates})
update lane l set state = 'leased', token = $1, due = clock_timestamp() + make_interval(secs => $2),
  attempts = l.attempts + 1, crashes = l.crashes + (c.state = 'leased')::int
from candidate c where l."group" = c."group" and l.subject = c.subject
returning l."group", l.subject, l.shop, l.wake, l.attempts, l.failing_since, clock_timestamp() as claimed_at, l.crashes,
  c.state = 'leased' as crashed
"""
"""A lease that ran out was not given back, so it counts as a crash; the attempt counts whatever becomes of us."""
DUE = """
select "group", subject, state from lane
where "group" = $4 and due <= now() and crashes + (state = 'leased')::int < 2 {further}
order by due limit $3 for update skip locked
"""
GIVE_BACK = """
with mine as (
  select l."group", l.subject from lane l join unnest($1::text[], $2::text[], $3::uuid[]) k(g, s, t)
    on l."group" = k.g and l.subject = k.s and l.token = k.t
  where l.state = 'leased' order by 1, 2 for update of l)
update lane l set state = 'ready', token = null, due = clock_timestamp(), attempts = greatest(0, attempts - 1)
from mine where l."group" = mine."group" and l.subject = mine.subject
"""
READ = """
select l."group", l.subject, i.position, i.type, i.record
from unnest($1::text[], $2::text[]) l("group", subject)
cross join lateral (
  select x.position, m.type, m.record from inbox x join message m on m.position = x.position
  where x."group" = l."group" and x.subject = l.subject and x.state = 'ready' order by x.position limit $3) i
order by l."group", l.subject, i.position
"""
RENEW = """
with mine as (
  select l."group", l.subject from lane l join unnest($1::text[], $2::text[], $3::uuid[]) k(g, s, t)
    on l."group" = k.g and l.subject = k.s and l.token = k.t
  where l.due > clock_timestamp() and l.state = 'leased' order by 1, 2 for update of l)
update lane l set due = clock_timestamp() + make_interval(secs => $4) from mine
where l."group" = mine."group" and l.subject = mine.subject returning l."group", l.subject, l.token
"""
LOCK = """
select l."group", l.subject, l.token from lane l join unnest($1::text[], $2::text[], $3::uuid[]) k(g, s, t)
  on l."group" = k.g and l.subject = k.s and l.token = k.t
order by 1, 2 for update of l
"""


@dataclass(frozen=True, slots=True)
class Waiting:
    """A message in its place in a lane."""

    position: int
    type: str
    record: bytes

    def read(self) -> Message:
        """The message. Raises NotUnderstood where no contract fits it."""
        return read_record(self.record, self.type)


@dataclass(slots=True)
class Lane:
    """A claimed lane, as this process knows it; `lost` once another worker has claimed it."""

    group: str
    subject: str
    shop: str
    token: UUID
    wake: int
    attempts: int
    failing_since: datetime | None
    claimed_at: datetime
    """By the database's clock, as `failing_since`: a process's own may be days off."""
    crashes: int = 0
    """How often in a row its lease ran out, this claim's finding included."""
    crashed: bool = False
    """Whether this claim found that the lease before it had run out."""
    waiting: Sequence[Waiting] = ()
    at: Waiting | None = None
    """The message in hand."""
    lost: bool = False

    @property
    def key(self) -> tuple[str, str]:
        return self.group, self.subject

    @property
    def whole(self) -> bool:
        """Whether everything that waited was read."""
        return len(self.waiting) < MOST_MESSAGES


async def claim(
    connection: Executor,
    group: str,
    limit: int,
    lease_seconds: float = LEASE_SECONDS,
    *more: object,
    candidates: str = DUE.format(further=""),
) -> list[Lane]:
    """Claims up to so many of a group's due lanes under a new token.

    `candidates` is a query for them, of which `$4` is the group, `$3` the limit, and `$5` and so on stand in `more`.
    """
    token = uuid4()
    rows = await connection.fetch(CLAIM.format(candidates=candidates), token, lease_seconds, limit, group, *more)
    return sorted((_claimed(row, token) for row in rows), key=lambda lane: lane.key)


def _claimed(row: Record, token: UUID) -> Lane:
    return Lane(
        row["group"],
        row["subject"],
        row["shop"],
        token,
        row["wake"],
        row["attempts"],
        row["failing_since"],
        row["claimed_at"],
        row["crashes"],
        row["crashed"],
    )


async def read(connection: Executor, lanes: Sequence[Lane]) -> None:
    """Gives each claimed lane its waiting messages, oldest first."""
    rows = await connection.fetch(READ, *_keys(lanes), MOST_MESSAGES)
    found: dict[tuple[str, str], list[Waiting]] = {lane.key: [] for lane in lanes}
    for row in rows:
        found[row["group"], row["subject"]].append(Waiting(row["position"], row["type"], row["record"]))
    for lane in lanes:
        lane.waiting = found[lane.key]


async def renew(connection: Executor, lanes: Sequence[Lane], lease_seconds: float = LEASE_SECONDS) -> None:
    """Extends the leases that still hold and marks the others lost."""
    rows = await connection.fetch(RENEW, *_keys(lanes), [lane.token for lane in lanes], lease_seconds)
    _mark_lost(lanes, rows)


async def give_back(connection: Executor, lanes: Sequence[Lane]) -> None:
    """Makes those that are still ours due at once, as if this attempt had not been: nobody knows how it ended."""
    await connection.execute(GIVE_BACK, *_keys(lanes), [lane.token for lane in lanes])


async def lock(connection: Connection, lanes: Sequence[Lane]) -> list[Lane]:
    """Locks, sorted, those that are still ours, until the transaction ends; marks the others lost."""
    rows = await connection.fetch(LOCK, *_keys(lanes), [lane.token for lane in lanes])
    _mark_lost(lanes, rows)
    return [lane for lane in lanes if not lane.lost]


def _mark_lost(lanes: Sequence[Lane], rows: Sequence[Record]) -> None:
    # By token too: a worker may claim again what it lost itself, and hold both claims for a while.
    held = {(row["group"], row["subject"], row["token"]) for row in rows}
    for lane in lanes:
        lane.lost = lane.lost or (*lane.key, lane.token) not in held


def _keys(lanes: Sequence[Lane]) -> tuple[list[str], list[str]]:
    return [lane.group for lane in lanes], [lane.subject for lane in lanes]

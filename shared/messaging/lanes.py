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
update lane set state = 'leased', token = $1, due = clock_timestamp() + make_interval(secs => $2),
  attempts = attempts + 1
where ("group", subject) in
  (select "group", subject from lane where "group" = $4 and due <= now()
   order by due limit $3 for update skip locked)
returning "group", subject, shop, wake, attempts, failing_since
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
    waiting: Sequence[Waiting] = ()
    lost: bool = False

    @property
    def key(self) -> tuple[str, str]:
        return self.group, self.subject

    @property
    def whole(self) -> bool:
        """Whether everything that waited was read."""
        return len(self.waiting) < MOST_MESSAGES


async def claim(connection: Executor, group: str, limit: int, lease_seconds: float = LEASE_SECONDS) -> list[Lane]:
    """Claims up to so many due lanes of a group under a new token.

    It counts the attempt: a message that kills us must count.
    """
    token = uuid4()
    rows = await connection.fetch(CLAIM, token, lease_seconds, limit, group)
    lanes = [
        Lane(row["group"], row["subject"], row["shop"], token, row["wake"], row["attempts"], row["failing_since"])
        for row in rows
    ]
    return sorted(lanes, key=lambda lane: lane.key)


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

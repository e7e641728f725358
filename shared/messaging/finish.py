"""How an attempt ends: what is done leaves the inbox, what it caused enters the outbox, the lane says what is next."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from shared.contracts.message import Message, Meta
from shared.messaging import metrics
from shared.messaging.database import Connection
from shared.messaging.failures import GIVE_UP_AFTER, Failure, Reject, Retry, delay
from shared.messaging.lanes import Lane

SETTLE = """
with gone as (
  delete from inbox i using unnest($1::text[], $2::text[], $3::bigint[]) d(g, s, p)
  where i."group" = d.g and i.subject = d.s and i.position = d.p),
dead as (
  update inbox i set state = 'dead', error = d.e, attempts = d.n, died_at = clock_timestamp()
  from unnest($4::text[], $5::text[], $6::bigint[], $7::text[], $8::int[]) d(g, s, p, e, n)
  where i."group" = d.g and i.subject = d.s and i.position = d.p)
update lane l set
  state = case when k.verdict = 'finished' and l.wake = k.wake then 'idle'
               when k.verdict in ('finished', 'ready', 'retry') then 'ready'
               else k.verdict end,
  due = case when k.verdict = 'leased' then l.due
             when k.verdict = 'blocked' or (k.verdict = 'finished' and l.wake = k.wake) then null
             else clock_timestamp() + make_interval(secs => k.delay) end,
  token = case when k.verdict = 'leased' then l.token end,
  attempts = k.attempts, failing_since = k.failing_since, error = k.error, touched = clock_timestamp()
from unnest($9::text[], $10::text[], $11::text[], $12::bigint[], $13::float8[], $14::int[], $15::timestamptz[],
  $16::text[]) k(g, s, verdict, wake, delay, attempts, failing_since, error)
where l."group" = k.g and l.subject = k.s
"""

KEEPS_COUNTERS = frozenset({"retry", "blocked"})


@dataclass
class Ending:
    """What one attempt at a lane came to.

    `verdict`: `finished` (nothing that was read is left), `ready` (go on at once), `retry` (after `delay`),
    `blocked`, or `leased` (this worker goes on).
    """

    lane: Lane
    verdict: str
    done: list[int] = field(default_factory=list)
    dead: list[tuple[int, str]] = field(default_factory=list)
    said: list[tuple[Meta, Sequence[Message]]] = field(default_factory=list)
    delay: float = 0.0
    error: str | None = None
    blocks: bool = True
    """Whether the message at hand holds up what comes after it, where it turns out that it can never be handled."""

    @property
    def attempts(self) -> int:
        return self.lane.attempts if self.verdict in KEEPS_COUNTERS else 0

    def failed(self, position: int, failure: Failure, *, blocks: bool) -> None:
        """The message at this position ended so: it is tried again later, or it is dead in its place."""
        lane, now = self.lane, datetime.now(UTC)
        self.error = str(failure)
        if isinstance(failure.error, Retry) and failure.error.after is not None:
            self.verdict, self.delay = "retry", failure.error.after
            lane.attempts -= 1
            metrics.handled.labels(lane.group, "not tried").inc()
            return
        lane.failing_since = lane.failing_since or now
        if isinstance(failure.error, Reject) or now - lane.failing_since > GIVE_UP_AFTER:
            self.dead.append((position, self.error))
            self.verdict = "blocked" if blocks else "ready"
            outcome = "dead"
        else:
            self.verdict, self.delay = "retry", delay(lane.attempts)
            outcome = "retry"
        metrics.handled.labels(lane.group, outcome).inc()


def ended(lane: Lane) -> Ending:
    """The ending of a lane all of whose messages were finished."""
    return Ending(lane, "finished" if lane.whole else "ready", done=[waiting.position for waiting in lane.waiting])


async def settle(connection: Connection, endings: Sequence[Ending]) -> None:
    """Writes how these attempts ended; their lanes are locked in this transaction, with their tokens checked."""
    done = [(e.lane.group, e.lane.subject, position) for e in endings for position in e.done]
    dead = [
        (e.lane.group, e.lane.subject, position, error, e.lane.attempts) for e in endings for position, error in e.dead
    ]
    lanes = [
        (
            e.lane.group,
            e.lane.subject,
            e.verdict,
            e.lane.wake,
            e.delay,
            e.attempts,
            e.lane.failing_since if e.verdict in KEEPS_COUNTERS else None,
            e.error,
        )
        for e in endings
    ]
    columns = (*_transposed(done, 3), *_transposed(dead, 5), *_transposed(lanes, 8))
    await connection.execute(SETTLE, *columns)


def _transposed(rows: Sequence[tuple[object, ...]], width: int) -> list[list[object]]:
    return [[row[column] for row in rows] for column in range(width)]

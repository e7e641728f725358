"""How an attempt ends: what is done leaves the inbox, what it caused enters the outbox, the lane says what is next."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from shared.contracts.message import Message, Meta
from shared.contracts.order_log import ReactionDead, ReactionWaiting
from shared.messaging import metrics
from shared.messaging.database import Connection
from shared.messaging.dead_letters import DeadLetter, dead_letter, who_says
from shared.messaging.failures import GIVE_UP_AFTER, Failure, Reject, Retry, delay
from shared.messaging.groups import Group
from shared.messaging.lanes import Lane, Waiting
from shared.messaging.timers import Later

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
  attempts = k.attempts, crashes = k.crashes, failing_since = k.failing_since, error = k.error,
  touched = clock_timestamp()
from unnest($9::text[], $10::text[], $11::text[], $12::bigint[], $13::float8[], $14::int[], $15::int[],
  $16::timestamptz[], $17::text[]) k(g, s, verdict, wake, delay, attempts, crashes, failing_since, error)
where l."group" = k.g and l.subject = k.s
"""

SAID_AFTER = 3
"""Failed attempts after which the order log says that a reaction waits, so that people see it before it is given up."""


@dataclass
class Ending:
    """What one attempt at a lane came to.

    `verdict`: `finished` (nothing that was read is left), `ready` (go on at once), `retry` (after `delay`),
    `blocked`, or `leased` (this worker goes on). The counters are 0 after any finished message.
    """

    lane: Lane
    verdict: str
    done: list[int] = field(default_factory=list)
    dead: list[tuple[int, str, int]] = field(default_factory=list)
    """Position, error and number of attempts of what is given up."""
    said: list[tuple[Meta, Sequence[Message | Later]]] = field(default_factory=list)
    letters: list[DeadLetter] = field(default_factory=list)
    delay: float = 0.0
    attempts: int = 0
    crashes: int = 0
    failing_since: datetime | None = None
    error: str | None = None

    def failed(self, waiting: Waiting, failure: Failure, group: Group) -> None:
        """The message in hand ended so: it is tried again later, or it is dead in its place, with a copy elsewhere."""
        lane = self.lane
        self.error = str(failure)
        since = lane.failing_since or lane.claimed_at
        if isinstance(failure.error, Retry) and failure.error.after is not None:
            self._not_tried(failure.error.after)
        elif isinstance(failure.error, Reject) or lane.claimed_at - since > GIVE_UP_AFTER:
            self._give_up(waiting, failure, group)
        else:
            self._try_again(waiting, failure, since)

    def _not_tried(self, after: float) -> None:
        self.verdict, self.delay = "retry", after
        self.attempts, self.failing_since = self.lane.attempts - 1, self.lane.failing_since
        self.crashes = self.lane.crashes - self.lane.crashed
        metrics.handled.labels(self.lane.group, "not tried").inc()

    def _try_again(self, waiting: Waiting, failure: Failure, since: datetime) -> None:
        self.verdict, self.delay = "retry", delay(self.lane.attempts)
        self.attempts, self.crashes, self.failing_since = self.lane.attempts, self.lane.crashes, since
        metrics.handled.labels(self.lane.group, "retry").inc()
        cause = who_says(waiting) if self.lane.attempts == SAID_AFTER else None
        if cause is None:
            return
        entry = ReactionWaiting(
            order_id=cause.order_id,
            outcome="waiting",
            summary="reaction.waiting",
            parameters={"group": self.lane.group, "attempts": self.lane.attempts},
            group=self.lane.group,
            message_type=waiting.type,
            message_id=cause.meta.id,
            message_source=cause.meta.source,
            attempts=self.lane.attempts,
            next_try=datetime.now(UTC) + timedelta(seconds=self.delay),
            detail=str(failure)[:500],
        )
        self.said.append((cause.meta, [entry]))

    def _give_up(self, waiting: Waiting, failure: Failure, group: Group) -> None:
        blocks = group.blocks(waiting.type)
        self.dead.append((waiting.position, str(failure), self.lane.attempts))
        self.verdict = "blocked" if blocks else "ready"
        metrics.handled.labels(self.lane.group, "dead").inc()
        self.letters.append(dead_letter(self.lane, waiting, failure, group.dead_letters))
        cause = who_says(waiting)
        if cause is None:
            return
        entry = ReactionDead(
            order_id=cause.order_id,
            outcome="failed",
            summary="reaction.dead",
            parameters={"group": self.lane.group},
            group=self.lane.group,
            message_type=waiting.type,
            message_id=cause.meta.id,
            message_source=cause.meta.source,
            blocks=blocks,
            detail=str(failure)[:500],
        )
        self.said.append((cause.meta, [entry]))


def ended(lane: Lane) -> Ending:
    """The ending of a lane all of whose messages were finished."""
    return Ending(lane, "finished" if lane.whole else "ready", done=[waiting.position for waiting in lane.waiting])


async def settle(connection: Connection, endings: Sequence[Ending]) -> None:
    """Writes how these attempts ended; their lanes are locked in this transaction, with their tokens checked."""
    done = [(e.lane.group, e.lane.subject, position) for e in endings for position in e.done]
    dead = [(e.lane.group, e.lane.subject, *each) for e in endings for each in e.dead]
    lanes = [
        (
            e.lane.group,
            e.lane.subject,
            e.verdict,
            e.lane.wake,
            e.delay,
            e.attempts,
            e.crashes,
            e.failing_since,
            e.error,
        )
        for e in endings
    ]
    columns = (*_transposed(done, 3), *_transposed(dead, 5), *_transposed(lanes, 9))
    await connection.execute(SETTLE, *columns)


def _transposed(rows: Sequence[tuple[object, ...]], width: int) -> list[list[object]]:
    return [[row[column] for row in rows] for column in range(width)]

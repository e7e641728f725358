"""The desk where operators leave what they want: it is done by a process of the service, each once, and answered."""

from collections.abc import Sequence
from dataclasses import dataclass

import asyncpg
import structlog

from shared.contracts.refusal import Refused
from shared.messaging.database import LOST, Connection, Executor, transaction
from shared.messaging.failures import Failure, attempt
from shared.messaging.part import Periodic
from shared.messaging.repairs import Operator, Repairs
from shared.messaging.wanted import AskedOnOrder, Wanted, wanted_from

EVERY_SECONDS = 1.0

ASK = """
insert into repair (actor, action, arguments, reason)
select $1, action, arguments::jsonb, $2
from unnest($3::text[], $4::text[]) with ordinality u(action, arguments, ord) order by ord returning position
"""
ANSWERS = "select position, state, answer from repair where position = any($1::bigint[]) and state <> 'asked'"
NEXT = """
select r.*, (select restored and r.asked_at < to_timestamp(incarnation) from relay) as of_another_life
from repair r where r.state = 'asked' order by r.position limit 1 for update of r skip locked
"""
ANSWER = "update repair set state = $2, answer = $3, answered_at = clock_timestamp() where position = $1"
WITHDRAW = """
update repair set state = 'refused', answer = $2, answered_at = clock_timestamp()
where ($1::bigint[] is null or position = any($1)) and position in (
  select position from repair where state = 'asked' order by position for update skip locked) returning position
"""
BEFORE_RESTORE = "it was asked before this database was restored, and may have been done since: ask again"
NOT_NOW = (
    *LOST,
    asyncpg.TransactionRollbackError,
    asyncpg.LockNotAvailableError,
    asyncpg.InsufficientResourcesError,
)
"""What may be otherwise a moment later: it stays asked."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Answered:
    """What came of one thing that was asked."""

    position: int
    done: bool
    answer: str


async def ask(connection: Connection, wanted: Sequence[Wanted], operator: Operator) -> list[int]:
    """Writes down what is wanted, in this order, for a process of the service to do; returns the positions."""
    actions = [each.action for each in wanted]
    arguments = [each.model_dump_json() for each in wanted]
    rows = await connection.fetch(ASK, operator.actor, operator.reason, actions, arguments)
    return [row["position"] for row in rows]


async def answers(connection: Executor, positions: Sequence[int]) -> list[Answered]:
    """Those of them that were answered."""
    rows = await connection.fetch(ANSWERS, positions)
    return [Answered(row["position"], row["state"] == "done", row["answer"]) for row in rows]


async def withdraw(connection: Connection, positions: Sequence[int] | None, actor: str) -> list[int]:
    """Takes back those of them, or all, that nobody has begun; returns their positions."""
    rows = await connection.fetch(WITHDRAW, positions, f"taken back by {actor}")
    return sorted(row["position"] for row in rows)


class RepairDesk(Periodic):
    """A component: does what was asked, the oldest first, each in a transaction of its own with its answer.

    What a lost connection broke off is still asked, and done at a later turn.
    """

    def __init__(self, repairs: Repairs, *, every: float = EVERY_SECONDS) -> None:
        super().__init__("repairs", every)
        self._repairs = repairs

    async def turn(self) -> bool:
        """Does the oldest that nobody else is at; False where there is none."""
        async with transaction(self._repairs.pool) as connection:
            row = await connection.fetchrow(NEXT)
            if row is None:
                return False
            answered = await self._answered(connection, row)
            await connection.execute(ANSWER, answered.position, "done" if answered.done else "refused", answered.answer)
        self._repairs.committed()
        return True

    async def _answered(self, connection: Connection, row: asyncpg.Record) -> Answered:
        outcome = await attempt(lambda: self._done(connection, row))
        if not isinstance(outcome, Failure):
            return outcome
        if isinstance(outcome.error, NOT_NOW):
            raise outcome.error
        refusal = outcome.error
        if not isinstance(refusal, Refused):
            log.error("repair failed", action=row["action"], position=row["position"], exc_info=refusal)
            refusal = Refused("cannot-be-done", f"it cannot be done: {outcome}")
        told = await attempt(lambda: self._tell(connection, row, refusal))
        if isinstance(told, Failure):
            if isinstance(told.error, NOT_NOW):
                raise told.error
            log.error("refusal not told", action=row["action"], position=row["position"], exc_info=told.error)
        return Answered(row["position"], done=False, answer=str(refusal))

    async def _done(self, connection: Connection, row: asyncpg.Record) -> Answered:
        if row["of_another_life"]:
            raise Refused("before-restore", BEFORE_RESTORE)
        async with connection.transaction():
            wanted = wanted_from(row["action"], row["arguments"])
            operator = Operator(actor=row["actor"], reason=row["reason"])
            repaired = await self._repairs.carry_out(connection, wanted, operator)
        return Answered(row["position"], repaired.done, repaired.answer)

    async def _tell(self, connection: Connection, row: asyncpg.Record, refusal: Refused) -> None:
        """Whoever asked on an order looks there for the answer."""
        if row["action"] != AskedOnOrder.action:
            return
        async with connection.transaction():
            wanted = wanted_from(row["action"], row["arguments"])
            operator = Operator(actor=row["actor"], reason=row["reason"])
            if isinstance(wanted, AskedOnOrder):
                await self._repairs.tell(connection, wanted, operator, refusal)

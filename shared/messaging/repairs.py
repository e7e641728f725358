"""What operators put right by hand: the change, who made it and why, and the order log's entry are one transaction.

Locks are taken as everywhere: cursor, lane, order, stream, the rest.
"""

import json
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from typing import Any

import asyncpg

from shared.contracts.refusal import Refused
from shared.contracts.topics import BY_NAME
from shared.messaging import repairs_of_lanes, repairs_of_orders, repairs_of_records
from shared.messaging.database import Connection
from shared.messaging.groups import Group
from shared.messaging.ingest_by_hand import IngestByHand
from shared.messaging.outbox import Outbox
from shared.messaging.repaired import Repaired
from shared.messaging.repairs_told import Operator, asked_by, cause_of, entry_of, refusal_of
from shared.messaging.wakeup import Bell
from shared.messaging.wanted import (
    AcceptGap,
    AskedOnOrder,
    ReleaseKey,
    RetryDead,
    SettleEffect,
    SkipDead,
    TakeAgain,
    Wanted,
)

__all__ = ["Operator", "Repairs", "write_down"]

RECORD = """
insert into repair (actor, action, arguments, reason, state, answer, answered_at)
values ($1, $2, $3::jsonb, $4, $5, $6, clock_timestamp())
"""


Action = Callable[[Connection, Any, Operator], Awaitable[Repaired]]
"""Does one kind of thing that is wanted."""


class Repairs:
    """Does what operators want of one service's database, in a transaction of the caller."""

    def __init__(
        self, pool: asyncpg.Pool, outbox: Outbox, groups: Sequence[Group], bells: Collection[Bell] = ()
    ) -> None:
        self.pool = pool
        self._outbox, self._groups, self._bells = outbox, groups, bells
        self._actions: dict[type[Wanted], Action] = {
            RetryDead: self._retry,
            SkipDead: self._skip,
            ReleaseKey: self._release,
            AcceptGap: self._accept_gap,
            TakeAgain: self._take_again,
            SettleEffect: self._settle,
            AskedOnOrder: self._put_right,
        }

    async def carry_out(self, connection: Connection, wanted: Wanted, operator: Operator) -> Repaired:
        """Does it and tells the order log, in the caller's transaction. Raises Refused where it cannot be done."""
        repaired = await self._actions[type(wanted)](connection, wanted, operator)
        entry = entry_of(wanted, repaired, operator) if repaired.done else None
        if entry is not None:
            await self._outbox.append(connection, [(cause_of(wanted, repaired, operator), [entry])])
        return repaired

    async def tell(self, connection: Connection, wanted: AskedOnOrder, operator: Operator, refusal: Refused) -> None:
        """Tells the order log, in the caller's transaction, that what was asked for there cannot be done."""
        await self._outbox.append(connection, [(asked_by(wanted, operator), [refusal_of(wanted, refusal)])])

    async def record(self, connection: Connection, wanted: Wanted, operator: Operator, repaired: Repaired) -> None:
        """Writes down what was done, in the caller's transaction."""
        arguments = wanted.model_dump(mode="json")
        await write_down(connection, wanted.action, arguments, operator, repaired.answer, done=repaired.done)

    def committed(self) -> None:
        """To be called after the commit: whoever has something to do now looks at once."""
        self._outbox.committed()
        for bell in self._bells:
            bell.ring()

    async def _retry(self, connection: Connection, wanted: RetryDead, _operator: Operator) -> Repaired:
        self._require(wanted.group)
        return await repairs_of_lanes.retry(connection, wanted.group, wanted.position)

    async def _skip(self, connection: Connection, wanted: SkipDead, _operator: Operator) -> Repaired:
        return await repairs_of_lanes.skip(connection, wanted.group, wanted.position)

    async def _settle(self, connection: Connection, wanted: SettleEffect, operator: Operator) -> Repaired:
        return await repairs_of_lanes.settle_by_person(connection, wanted, operator.reason)

    async def _put_right(self, connection: Connection, wanted: AskedOnOrder, operator: Operator) -> Repaired:
        if wanted.group is not None:
            self._require(wanted.group)
        return await repairs_of_orders.put_right(connection, wanted, operator.reason)

    async def _release(self, connection: Connection, wanted: ReleaseKey, _operator: Operator) -> Repaired:
        return await repairs_of_records.release(connection, wanted)

    async def _accept_gap(self, connection: Connection, wanted: AcceptGap, _operator: Operator) -> Repaired:
        return await repairs_of_records.accept_gap(connection, self._store(wanted.topic), wanted)

    async def _take_again(self, connection: Connection, wanted: TakeAgain, _operator: Operator) -> Repaired:
        row = await repairs_of_records.quarantined(connection, wanted)
        return await repairs_of_records.take_again(connection, self._store(row["topic"]), row)

    def _require(self, name: str) -> None:
        if name not in {group.name for group in self._groups}:
            raise Refused("unknown-group", f"no group {name} is worked here")

    def _store(self, name: str) -> IngestByHand:
        topic = BY_NAME.get(name)
        if topic is None or not (topic.compacted or any(group.reads is topic for group in self._groups)):
            raise Refused("unknown-topic", f"{name} is not read here")
        return IngestByHand(self.pool, topic, self._groups, self._outbox)


async def write_down(
    connection: Connection, action: str, arguments: Mapping[str, Any], operator: Operator, answer: str, *, done: bool
) -> None:
    """Keeps, in the caller's transaction, what an operator did or was refused."""
    written = json.dumps(arguments)
    state = "done" if done else "refused"
    await connection.execute(RECORD, operator.actor, action, written, operator.reason, state, answer)

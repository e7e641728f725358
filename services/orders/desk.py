"""The desk: a command by HTTP runs the handler that the topic runs, and its answer is kept in the same transaction."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from services.orders.domain.order import Order
from services.orders.repository import Orders, PlacedMeanwhile
from shared.contracts.order_commands import OrderCommand, PlaceOrder
from shared.contracts.refusal import Refused
from shared.messaging.crash_points import crash_point
from shared.messaging.database import Connection
from shared.messaging.groups import Group
from shared.messaging.outbox import Outbox
from shared.runtime.database import Pool, transaction
from shared.runtime.idempotency import Answer, AnsweredBefore, find, remember
from shared.runtime.problems import Problem

Reply = Callable[[Order, bool], Answer]
"""Makes the answer from the order and whether anything happened to it."""
Beside = Callable[[Connection], Awaitable[None]]
"""What is written beside an order in the transaction that places it."""


@dataclass(frozen=True, slots=True)
class Request:
    """What makes two requests one: the caller's shop, its Idempotency-Key, and a hash of all that it said."""

    shop: str
    key: str
    hash: bytes
    older: Sequence[bytes] = ()
    """Its hashes under keys that were the newest before."""


@dataclass(frozen=True)
class Desk:
    """Takes commands from callers who wait for the answer. `wait` is in seconds, as are the outbox's age and limit."""

    pool: Pool
    group: Group
    outbox: Outbox
    orders: Callable[[Connection], Orders]
    outbox_age: Callable[[], float]
    outbox_age_limit: float = 600.0
    wait: float = 5.0
    refused: Callable[[], str] = str
    """Why the database may say nothing now, or empty."""

    async def carry_out(
        self, command: OrderCommand, request: Request, reply: Reply, beside: Beside | None = None
    ) -> Answer:
        """Run a received command and answer it; a request that was answered before gets its first answer again.

        `beside` is written where anything happened to the order.
        Raises Refused as the handler does, AnsweredBefore and KeyReused as `remember` does, OutcomeUnknown when
        COMMIT got no answer, and a 503 Problem while the outbox is too old or the database was set back.
        """
        self._refuse_while_set_back()
        self._refuse_while_behind()
        try:
            answer = await self._once(command, request, reply, beside, look=not isinstance(command, PlaceOrder))
        except PlacedMeanwhile:
            answer = await self._once(command, request, reply, beside, look=True)
        self.outbox.committed()
        return answer

    async def _once(
        self, command: OrderCommand, request: Request, reply: Reply, beside: Beside | None, *, look: bool
    ) -> Answer:
        """`look`: whether the order is looked for first; one that is placed is nearly always new."""
        reaction = self.group.reaction_to(type(command))
        if reaction is None:
            raise TypeError(f"{self.group.name} has no handler for {command.type}")
        async with transaction(self.pool, wait=self.wait) as connection:
            orders = self.orders(connection)
            if look:
                await orders.open([command])
            try:
                events = await reaction(command, {Orders: orders})
            except Refused:  # what was done once may be refused the second time: it has its answer
                if earlier := await find(connection, request.shop, request.key, request.hash, request.older):
                    raise AnsweredBefore(earlier) from None
                raise
            await orders.flush()
            crash_point("command.handled")
            await self.outbox.append(connection, [(command.meta, events)])
            crash_point("command.appended")
            answer = reply(orders.get(command.order_id, command.meta.shop), bool(events))
            if beside is not None and events:
                await beside(connection)
            await remember(connection, request.shop, request.key, request.hash, answer, request.older)
        crash_point("command.committed")
        return answer

    def _refuse_while_set_back(self) -> None:
        if self.refused():
            title = "The database was set back; nothing is accepted until an operator has looked at it."
            raise Problem(503, "database-set-back", title, headers={"Retry-After": "30"})

    def _refuse_while_behind(self) -> None:
        if self.outbox_age() > self.outbox_age_limit:
            title = "Events have been waiting for Kafka too long; nothing more is accepted until they are out."
            raise Problem(503, "outbox-behind", title, headers={"Retry-After": "30"})

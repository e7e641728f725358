"""What needs a person, made as it comes about: messages that are given up, gaps, records that nobody understands."""

import asyncio
from collections.abc import Sequence
from typing import Any
from uuid import uuid4

import asyncpg

from shared.contracts.message import Message
from shared.contracts.message import Sequence as Number
from shared.contracts.order import OrderSnapshot
from shared.contracts.order_events import ConfirmationRequested, OrderEvent, OrderPlaced
from shared.contracts.topics import ORDERS_EVENTS
from shared.messaging.database import transaction
from shared.messaging.failures import Reject
from shared.messaging.groups import Group
from shared.messaging.outside import OutsideWorker
from shared.messaging.repaired import Repaired
from shared.messaging.repairs import Operator, Repairs
from shared.messaging.wanted import Wanted
from tests.builders import an_order, confirmation_requested, placed
from tests.plugins.kit import Kit, running
from tests.plugins.lanes import arrive
from tests.plugins.waiting import eventually

MARIA = Operator(actor="maria", reason="the template is mended")


class Clerk:
    """Handles events, and rejects those that it is told to; what it handled, it remembers by id."""

    def __init__(self) -> None:
        self.rejects: set[str] = set()
        self.handled: list[str] = []
        self.gate = asyncio.Event()
        self.gate.set()

    async def see(self, event: OrderEvent) -> list[Message]:
        if event.meta.id in self.rejects:
            raise Reject("no such template: asa@example.org")
        await self.gate.wait()
        self.handled.append(event.meta.id)
        return []


def a_group(*, blocks: bool = True) -> Group:
    """A group whose clerk sees every event; confirmations asked for again never block."""
    group = Group("notifications", reads=ORDERS_EVENTS)

    @group.on(OrderPlaced, blocks=blocks)
    async def see_placed(event: OrderPlaced, clerk: Clerk) -> list[Message]:
        return await clerk.see(event)

    @group.on(ConfirmationRequested, blocks=False)
    async def see_asked(event: ConfirmationRequested, clerk: Clerk) -> list[Message]:
        return await clerk.see(event)

    return group


def repairs_of(kit: Kit, *groups: Group) -> Repairs:
    """What a service with these groups repairs with."""
    return Repairs(kit.pool, kit.outbox, groups, [kit.bell])


async def repair(repairs: Repairs, wanted: Wanted, operator: Operator = MARIA) -> Repaired:
    """Does it in a transaction of its own."""
    async with transaction(repairs.pool) as connection:
        repaired = await repairs.carry_out(connection, wanted, operator)
        await repairs.record(connection, wanted, operator, repaired)
    repairs.committed()
    return repaired


def a_worker(kit: Kit, group: Group, clerk: Clerk) -> OutsideWorker:
    return OutsideWorker(kit.pool, kit.dsn, [group], kit.outbox, kit.bell, {Clerk: clerk}, poll=0.05)


def story(order: OrderSnapshot, kinds: str) -> list[OrderEvent]:
    """Events about an order in a row: `p` placed, which blocks, and `c` a confirmation asked for, which does not."""
    made: list[OrderEvent] = [placed(order) if kind == "p" else confirmation_requested(order) for kind in kinds]
    return [event.stamped(event.meta.numbered(Number(1_790_000_000, n))) for n, event in enumerate(made, start=1)]


async def dead(kit: Kit, group: Group, events: Sequence[OrderEvent], *, given_up: Sequence[int]) -> dict[str, int]:
    """Works through these events, of which some are given up; returns the positions of the dead ones by their ids."""
    clerk = Clerk()
    clerk.rejects = {events[n].meta.id for n in given_up}
    before = await kit.count("inbox", "state = 'dead'")
    await arrive(kit, group, events)
    async with running(a_worker(kit, group, clerk)):
        await eventually(lambda: dead_are(kit, before + len(given_up)))
        await eventually(lambda: nothing_runs(kit))
    rows = await kit.pool.fetch("select m.id, position from inbox join message m using (position) where state = 'dead'")
    return {row["id"]: row["position"] for row in rows}


async def dead_are(kit: Kit, count: int) -> bool:
    return await kit.count("inbox", "state = 'dead'") == count


async def nothing_runs(kit: Kit) -> bool:
    return not await kit.count("lane", "state in ('ready', 'leased')")


async def a_dead_message(kit: Kit, group: Group | None = None, **order: Any) -> tuple[OrderSnapshot, int]:
    """An order whose first event was given up, and where that is."""
    about = an_order(**{"id": uuid4()} | order)
    (event,) = story(about, "p")
    return about, (await dead(kit, group or a_group(), [event], given_up=[0]))[event.meta.id]


async def row(kit: Kit, query: str, *arguments: object) -> asyncpg.Record:
    """The one row there is."""
    (found,) = await kit.pool.fetch(query, *arguments)
    return found

"""The promises of each order: what is expected of other services, by when, and what came of it (R201)."""

import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any, Literal, TypeVar
from uuid import UUID

import asyncpg

from services.orders.domain.promises import Known, promised, told
from shared.contracts.message import Message
from shared.contracts.order_events import OrderEvent
from shared.contracts.order_log import LogEntry, PromiseOverdue, RepairMade
from shared.contracts.shop_facts import ShopConnections, ShopFact, ShopLooks, ShopMessages
from shared.messaging.database import Connection

F = TypeVar("F", bound=ShopFact)
Row = tuple[object, ...]
ASKED_AGAIN, LET_BE = "asked-again", "let-be"
"""Why something is expected no longer: a person has asked for it anew, which is a promise of its own, or let it be."""
State = Literal["expected", "waiting", "overdue", "done", "failed", "unknown"]

FACTS = "select shop, type, body from fact where shop = any($1)"
EXPECT = """
insert into promise (order_id, cause, what, by, event_id, shop, due_at)
select order_id, cause, what, by, event_id, shop, clock_timestamp() + make_interval(secs => within)
from unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::int[])
  u(order_id, cause, what, by, event_id, shop, within)
on conflict do nothing
"""
# Entries of a promise that nobody knew of make one: the shop's facts came later than its order, or a restore lost it.
HEAR = """
insert into promise as p (order_id, cause, what, by, event_id, shop, due_at, state, reason, entry_id, told_at)
select order_id, cause, what, by, event_id, shop, clock_timestamp(), state, reason, entry_id, clock_timestamp()
from unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[])
  u(order_id, cause, what, by, event_id, shop, state, reason, entry_id)
order by order_id, cause, what
on conflict (order_id, cause, what) do update
set state = excluded.state, reason = excluded.reason, entry_id = excluded.entry_id, told_at = excluded.told_at
"""
HEAR_OF_ALL = """
update promise p set state = u.state, reason = u.reason, entry_id = u.entry_id, told_at = clock_timestamp()
from (
  select p.order_id, p.cause, p.what, u.state, u.reason, u.entry_id
  from unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[])
    u(order_id, event_id, by, state, reason, entry_id)
  join promise p using (order_id, event_id, by) where p.state in ('expected', 'waiting')
  order by p.order_id, p.cause, p.what for update of p
) u where (p.order_id, p.cause, p.what) = (u.order_id, u.cause, u.what)
"""
CLOSE = """
update promise set state = 'failed', reason = $3, told_at = clock_timestamp()
where order_id = $1 and state <> 'done' and (entry_id = $2 or (event_id, what) = ($4, $5))
"""
OF_ORDER = """
select what, by, reason, event_id, expected_at, due_at, told_at, entry_id,
  case when state in ('expected', 'waiting') and due_at < clock_timestamp() then 'overdue' else state end as state
from promise where order_id = $1 and shop = $2 order by expected_at, what
"""


class Expectations:
    """Notes what is promised when events are announced; a changed fact of a shop is seen within `keep` seconds.

    As long as a service has said nothing of the shop, it is looked for each time: a new shop sells at once.
    """

    def __init__(self, keep: float = 3.0) -> None:
        self._keep = keep
        self._known: dict[str, tuple[Known, float]] = {}

    async def note(self, connection: Connection, stamped: Sequence[Message]) -> None:
        """Keeps what these stamped events promise, in the caller's transaction."""
        events = [message for message in stamped if isinstance(message, OrderEvent)]
        known = {shop: await self._known_of(connection, shop) for shop in {event.order.shop for event in events}}
        rows: list[Row] = []
        for event in events:
            order_id, event_id, shop = event.order.id, event.meta.id, event.order.shop
            rows += [(order_id, p.cause, p.what, p.by, event_id, shop, p.within) for p in promised(event, known[shop])]
        if rows:
            await connection.execute(EXPECT, *columns(rows))

    async def _known_of(self, connection: Connection, shop: str) -> Known:
        known, until = self._known.get(shop, (Known(), 0.0))
        if until < time.monotonic():
            known = (await known_of(connection, [shop])).get(shop, Known())
            if known.messages and known.looks:
                self._known[shop] = known, time.monotonic() + self._keep
        return known


async def known_of(connection: Connection, shops: Collection[str]) -> dict[str, Known]:
    """What services have said of these shops; nothing is in it of one that nobody has said anything of."""
    rows: dict[str, list[asyncpg.Record]] = {}
    for row in await connection.fetch(FACTS, list(shops)):
        rows.setdefault(row["shop"], []).append(row)
    return {shop: known_from(facts) for shop, facts in rows.items()}


def known_from(rows: Sequence[asyncpg.Record]) -> Known:
    """What the facts in these rows say."""
    bodies = {row["type"]: row["body"] for row in rows}

    def read(contract: type[F]) -> F | None:
        body = bodies.get(contract.type)
        return None if body is None else contract.model_validate_json(body)

    return Known(read(ShopMessages), read(ShopLooks), read(ShopConnections))


async def close(connection: Connection, repair: RepairMade, of: LogEntry | None = None) -> None:
    """Expects no longer what a person has let be, or has asked for anew, where the entry tells `of` a promise."""
    overdue = (of.event_id, of.promise) if isinstance(of, PromiseOverdue) else (None, None)
    reason = LET_BE if repair.action == "skip" else ASKED_AGAIN
    await connection.execute(CLOSE, repair.order_id, repair.entry_id, reason, *overdue)


async def hear(connection: Connection, entries: Sequence[LogEntry]) -> None:
    """Keeps what these stamped entries of the order log say of promises: the last word counts."""
    of_one: dict[tuple[UUID, str, str], Row] = {}
    of_all: dict[tuple[UUID, str, str], Row] = {}
    for entry in entries:
        if isinstance(entry, RepairMade) and entry.action == "skip" and entry.entry_id is not None:
            await close(connection, entry)
        said = told(entry)
        if said is None:
            continue
        order_id, meta = entry.order_id, entry.meta
        by = meta.source.strip("/").partition("/")[0]
        if said.what is None:
            of_all[order_id, said.cause, by] = (order_id, said.cause, by, said.state, said.reason, meta.id)
        elif said.cause:
            event_id = meta.causationid or said.cause
            row = (order_id, said.cause, said.what, by, event_id, meta.shop, said.state, said.reason, meta.id)
            of_one[order_id, said.cause, said.what] = row
    if of_all:
        await connection.execute(HEAR_OF_ALL, *columns(list(of_all.values())))
    if of_one:
        await connection.execute(HEAR, *columns(list(of_one.values())))


def columns(rows: Sequence[Row]) -> list[list[Any]]:
    """The rows turned on their side, as unnest takes them."""
    return [list(column) for column in zip(*rows, strict=True)]


@dataclass(frozen=True)
class Expected:
    """One promise as it stands."""

    what: str
    by: str
    state: State
    reason: str
    event_id: str
    expected_at: datetime
    due_at: datetime
    told_at: datetime | None
    entry_id: str | None


async def promises_of(connection: Connection, order_id: UUID, shop: str) -> list[Expected]:
    """The order's promises, oldest first; one that has no outcome in its time is overdue."""
    rows = await connection.fetch(OF_ORDER, order_id, shop)
    return [Expected(**{name: row[name] for name in FIELDS}) for row in rows]


FIELDS = tuple(field.name for field in fields(Expected))

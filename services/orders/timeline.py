"""The timeline: every entry of the order log once, in the order in which it was recorded, chained by hash (R206)."""

import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any, get_args
from uuid import UUID

import asyncpg

from services.orders.domain.chain import digest, first_broken
from services.orders.entry import Entry
from services.orders.promises import hear
from services.orders.troubles import flag
from shared.contracts.message import Message, now
from shared.contracts.order import PaymentAction
from shared.contracts.order_events import PaymentRequested, PaymentStatusChanged
from shared.contracts.order_log import LogEntry, PaymentConfirmed, PaymentEntry, PaymentProviderMessage
from shared.messaging.database import Connection

APPEND = """
with entry as (
  select e.*, decode(e.digest_hex, 'hex') as digest from json_to_recordset($1::json) as e(
    order_id uuid, shop text, id text, source text, incarnation bigint, type text, at timestamptz, actor text,
    causationid text, outcome text, summary text, parameters jsonb, data jsonb, recorded_at timestamptz,
    from_before_restore boolean, digest_hex text
  )
  where (select n from timeline t where t.order_id = e.order_id and t.source = e.source and t.id = e.id limit 1) is null
), head as (
  insert into timeline_head as h (order_id, n, hash) select order_id, 1, digest from entry order by order_id
  on conflict (order_id) do update set n = h.n + 1, hash = sha256(h.hash || excluded.hash)
  returning order_id, n, hash
)
insert into timeline (order_id, n, shop, id, source, incarnation, type, at, actor, causationid, outcome, summary,
                      parameters, data, recorded_at, from_before_restore, hash)
select order_id, n, shop, id, source, incarnation, type, at, actor, causationid, outcome, summary,
       parameters, data, recorded_at, coalesce(from_before_restore, false), hash
from entry join head using (order_id)
"""
PAGE = """
select * from timeline
where order_id = $1 and shop = $2 and n > $3 and ($4::text[] is null or type = any($4)) order by n limit $5
"""
PAYMENT_PAGE = """
select * from timeline
where order_id = $1 and shop = $2 and n > $3 and (type = any($4) or data->>'event_type' = any($5)
  or data->>'effect' = any($6) or (type = 'checkout.step.v1' and data->>'step' like '%payment%'))
order by n limit $7
"""
_OF_PAYMENT: tuple[type[LogEntry], ...] = (*PaymentEntry.__subclasses__(), PaymentProviderMessage, PaymentConfirmed)
ABOUT_PAYMENT = [each.type for each in _OF_PAYMENT]
NOTED_OF_PAYMENT = [PaymentRequested.type, PaymentStatusChanged.type]
PAYMENT_EFFECTS = list(get_args(PaymentAction))
# One statement, so that nobody adds an entry between its rows and the head's.
CHAIN = """
select t.*, h.n as head_n, h.hash as head_hash, exists (select from orders where id = k.id) as placed
from (select $1::uuid as id) k
left join timeline_head h on h.order_id = k.id left join timeline t on t.order_id = k.id order by t.n
"""


class Timeline:
    """The timelines that one transaction adds to."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._entries: list[LogEntry] = []

    async def open(self, messages: Sequence[Message]) -> None:
        """Nothing is locked before the entries are appended: their heads come after the streams and the promises."""

    def add(self, entry: LogEntry) -> None:
        """Keep an entry; whether it is there already is seen when it is written."""
        self._entries.append(entry)

    async def flush(self) -> None:
        """Write what was added, and what it says of promises."""
        await hear(self._connection, self._entries)
        await record(self._connection, self._entries, came_by_topic=True)


async def record(connection: Connection, stamped: Sequence[Message], *, came_by_topic: bool = False) -> None:
    """Append the order log's entries among these stamped messages, each to its order's timeline, in the order given.

    Entries that are there already, by order, source and id, are left as they were recorded: so orders' own ones, which
    are written in their command's transaction, may come back from the topic; one that is new then was lost in a restore
    and is marked. Heads are locked in the order of the ids.
    """
    recorded_at = now()
    entries = [
        Entry.of(message, recorded_at, came_by_topic=came_by_topic)
        for message in stamped
        if isinstance(message, LogEntry)
    ]
    for turn in turns(entries):
        await connection.execute(APPEND, json.dumps([with_digest(entry.document()) for entry in turn]))
    await flag(connection, entries)


def with_digest(entry: dict[str, Any]) -> dict[str, Any]:
    """An entry's document with the digest of all that stands in it."""
    return {**entry, "digest_hex": digest(entry).hex()}


def turns(entries: Sequence[Entry]) -> Iterator[list[Entry]]:
    """The first entry of every order, then the second of those that have one, and so on."""
    of_order: defaultdict[UUID, list[Entry]] = defaultdict(list)
    for entry in entries:
        of_order[entry.order_id].append(entry)
    for nth in zip_longest(*of_order.values()):
        yield [entry for entry in nth if entry is not None]


@dataclass(frozen=True, slots=True)
class Page:
    """Entries with their numbers on the timeline, and whether there are more."""

    entries: list[tuple[int, Entry]]
    more: bool


async def read_page(
    connection: Connection, order_id: UUID, shop: str, *, after: int = 0, types: Sequence[str] | None = None, limit: int
) -> Page:
    """The entries of an order behind number `after`, at most `limit`, of these types or of all."""
    return page_of(await connection.fetch(PAGE, order_id, shop, after, types, limit + 1), limit)


async def read_payment_page(connection: Connection, order_id: UUID, shop: str, *, after: int = 0, limit: int) -> Page:
    """The entries about the order's payment: what the customer, the shop, the provider and we did about it."""
    about = (ABOUT_PAYMENT, NOTED_OF_PAYMENT, PAYMENT_EFFECTS)
    return page_of(await connection.fetch(PAYMENT_PAGE, order_id, shop, after, *about, limit + 1), limit)


def page_of(rows: Sequence[asyncpg.Record], limit: int) -> Page:
    """At most `limit` of these rows, one more than which was asked for."""
    return Page([(row["n"], Entry.read(row)) for row in rows[:limit]], more=len(rows) > limit)


@dataclass(frozen=True, slots=True)
class Verified:
    """How many entries there are, and which is the first that is not what was recorded; None when the chain holds.

    `entry_id` and `type` say what stands at that place now, where something of this shop does.
    """

    entries: int
    broken: int | None
    entry_id: str | None = None
    type: str | None = None


async def verify(connection: Connection, order_id: UUID) -> int | None:
    """The number of the order's first entry that is no longer what was recorded; None when the chain holds."""
    return (await verified(connection, order_id)).broken


async def verified(connection: Connection, order_id: UUID, shop: str | None = None) -> Verified:
    """Looks through the order's whole chain.

    The head knows how many entries there are and the last one's link, so a shortened chain is broken too; an order that
    is there has one entry at least.
    """
    rows = await connection.fetch(CHAIN, order_id)
    first = rows[0]
    found = [row for row in rows if row["n"] is not None]
    broken = first_broken((row["n"], Entry.read(row).document(), row["hash"]) for row in found)
    end = (found[-1]["n"], found[-1]["hash"]) if found else (None, None)
    if broken is None and ((first["head_n"], first["head_hash"]) != end or (first["placed"] and not found)):
        broken = len(found) + 1
    there = [row for row in found if row["n"] == broken and shop in {None, row["shop"]}]
    return Verified(len(found), broken, *((there[0]["id"], there[0]["type"]) if there else (None, None)))

"""Which orders need a person, by what stands open on their logs (R205)."""

from collections.abc import Sequence
from uuid import UUID

from services.orders.domain.troubles import KINDS, Trouble, reasons_in, troubles_of
from services.orders.entry import Entry
from shared.contracts.order_log import CheckoutStepTaken, CommandRejected, LogEntry, OrderNoted
from shared.messaging.database import Connection

ENTRIES = "select * from timeline where order_id = $1 and shop = $2 order by n"
FLAGGED = "select order_id from trouble where order_id = any($1::uuid[])"
FLAG = """
insert into trouble as t (order_id, shop, reasons) values ($1, $2, $3)
on conflict (order_id) do update set reasons = excluded.reasons, shown = false where t.reasons <> excluded.reasons
"""
OPENING = frozenset(contract.type for contract in KINDS)
"""Types of entries that tell of something which needs a person."""
SAY_NOTHING = frozenset(contract.type for contract in (OrderNoted, CheckoutStepTaken, CommandRejected))
"""Types of entries after which an order needs a person as much or as little as before; nearly all are of these."""


async def log_of(connection: Connection, order_id: UUID, shop: str) -> list[LogEntry]:
    """The whole log of an order, as far as this version knows its entries' types."""
    rows = await connection.fetch(ENTRIES, order_id, shop)
    return [message for row in rows if (message := Entry.read(row).message()) is not None]


async def open_on(connection: Connection, order_id: UUID, shop: str) -> dict[str, Trouble]:
    """What stands open on an order's log, by the ids of the entries that tell of it."""
    return troubles_of(await log_of(connection, order_id, shop))


async def flag(connection: Connection, entries: Sequence[Entry]) -> None:
    """Keeps which of the orders that these new entries are about need a person, in the transaction that appended them.

    It holds the heads of their timelines, so that nobody else adds to what is read here.
    """
    shops = {entry.order_id: entry.shop for entry in entries if entry.type not in SAY_NOTHING}
    if not shops:
        return
    opened = {entry.order_id for entry in entries if entry.type in OPENING}
    flagged = {row["order_id"] for row in await connection.fetch(FLAGGED, list(shops))}
    for order_id in sorted(opened | flagged):
        reasons = reasons_in((await open_on(connection, order_id, shops[order_id])).values())
        if reasons or order_id in flagged:
            await connection.execute(FLAG, order_id, shops[order_id], reasons)

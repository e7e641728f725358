"""Orders as one transaction sees them: those it was opened for are locked, and what changed is written at its end."""

from collections.abc import Sequence
from uuid import UUID

import asyncpg
from pydantic import TypeAdapter

from services.orders.domain.order import Order
from services.orders.domain.payments import Payments, Step
from services.orders.domain.promises import Known
from services.orders.domain.repairing import find_trouble
from services.orders.domain.shop import Shop
from services.orders.domain.troubles import Trouble
from services.orders.numbers import Numbers
from services.orders.promises import close, known_of
from services.orders.shops import Shops, find_shop
from services.orders.troubles import log_of
from shared.contracts.message import Message
from shared.contracts.message import now as moment
from shared.contracts.order import OrderSnapshot
from shared.contracts.order_commands import (
    AddComment,
    DeleteComment,
    HandleOrder,
    OrderCommand,
    PlaceOrder,
    RepairEntry,
)
from shared.contracts.order_events import OrderEvent, RepairRequested
from shared.contracts.order_log import LogEntry, RepairMade
from shared.contracts.refusal import Refused
from shared.contracts.shop_facts import ShopConnections, ShopSettings
from shared.messaging.database import Connection
from shared.messaging.repairs_asked import Asked

# Of an order that a restore lost, its log is there still, or again.
HAS_LOG = """
select exists (select from orders where id = $1 and shop = $2)
  or exists (select from timeline where order_id = $1 and shop = $2 and from_before_restore)
"""
FIND = "select body, placed, payments from orders where id = $1 and shop = $2"
LOCK = "select id, shop, body, placed, payments from orders where id = any($1::uuid[]) order by id for update"
INSERT = """
insert into orders (id, shop, number, version, placed_at, body)
select * from unnest($1::uuid[], $2::text[], $3::bigint[], $4::int[], $5::timestamptz[], $6::jsonb[]) order by 1
on conflict (id) do nothing
"""
# What a newer version keeps beside stays while both run.
UPDATE = """
update orders o
set version = u.version, body = o.body || u.body, placed = coalesce(o.placed, o.body), payments = u.payments
from unnest($1::uuid[], $2::int[], $3::jsonb[], $4::jsonb[]) u(id, version, body, payments) where o.id = u.id
"""
COMMENT = """
insert into comment (order_id, id, shop, actor, text)
select * from unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[]) order by 1, 2 on conflict do nothing
"""
DELETE_COMMENT = """
update comment set deleted_at = clock_timestamp(), deleted_by = $3
where order_id = $1 and id = $2 and deleted_at is null returning true
"""
HAS_COMMENT = "select true from comment where order_id = $1 and id = $2"
CURRENCY = "select body->>'currency' from orders where id = $1"
COMMENTS = "select * from comment where order_id = $1 and shop = $2 order by at, id"
STEPS = TypeAdapter(dict[str, Step])


class PlacedMeanwhile(Exception):
    """An order with this id is there and was not seen; roll back and do it again with the order opened."""


class Orders:
    """The orders that one transaction works on."""

    def __init__(self, connection: Connection, shops: Shops, numbers: Numbers) -> None:
        self._connection = connection
        self._shops = shops
        self._numbers = numbers
        self._stored: dict[UUID, asyncpg.Record] = {}
        self._orders: dict[UUID, Order] = {}
        self._added: list[OrderSnapshot] = []
        self._changed: dict[UUID, Order] = {}
        self._known: dict[str, Known] = {}
        self._comments: list[AddComment] = []
        self._repaired: dict[tuple[UUID, str], tuple[RepairEntry, Trouble, Sequence[Message]]] = {}

    async def open(self, messages: Sequence[Message]) -> None:
        """Lock and load the orders that these messages are about, sorted by id, and what is known of their shops."""
        ids = sorted({message.order_id for message in messages if isinstance(message, OrderCommand | LogEntry)})
        self._stored = {row["id"]: row for row in await self._connection.fetch(LOCK, ids)}
        shops = {message.meta.shop for message in messages if not isinstance(message, PlaceOrder)}
        if shops:
            self._known = await known_of(self._connection, shops)

    async def flush(self) -> None:
        """Write what was added and changed. Raises PlacedMeanwhile."""
        if self._added:
            await self._insert(self._added)
        await self._write_comments()
        await self._write_repairs()
        if self._changed:
            changed = self._changed.values()
            await self._connection.execute(
                UPDATE,
                [order.now.id for order in changed],
                [order.now.version for order in changed],
                [order.now.model_dump_json() for order in changed],
                [STEPS.dump_json(dict(order.payments.steps)).decode() for order in changed],
            )

    async def shop(self, shop: str) -> ShopSettings:
        """The settings of a shop. Raises Refused: `unknown-shop`."""
        return await self._shops.get(self._connection, shop)

    async def upcoming_number(self, shop: ShopSettings) -> int:
        """The number that the shop's next order has, if it is added before anything is awaited."""
        return await self._numbers.upcoming(shop)

    def holds(self, order_id: UUID, shop: str) -> bool:
        """Whether the shop has placed this order. Raises Refused, `order-id-taken`, when another shop has."""
        owner = self._owner(order_id)
        if owner not in {None, shop}:
            raise Refused("order-id-taken", "this order id cannot be used")
        return owner is not None

    def get(self, order_id: UUID, shop: str) -> Order:
        """One of the orders that were opened. Raises Refused, `unknown-order`, also when it is another shop's."""
        if self._owner(order_id) != shop:
            raise unknown(order_id)
        if order_id not in self._orders:
            row = self._stored[order_id]
            self._orders[order_id] = order_from(row)
        return self._orders[order_id]

    def to_handle(self, command: HandleOrder) -> Order:
        """The order that a command is about, at the version that it names, where it names one.

        Raises Refused: `unknown-order`, `version-conflict`.
        """
        order = self.get(command.order_id, command.meta.shop)
        if command.if_version not in {None, order.now.version}:
            who, when = order.now.changed_by or "nobody", order.now.changed_at or order.now.placed_at
            words = (
                f"the order is at version {order.now.version}, changed by {who} at {when.isoformat(timespec='seconds')}"
            )
            raise Refused("version-conflict", words)
        return order

    def opened(self, order_id: UUID, shop: str) -> Order | None:
        """One of the orders that were opened, where it is there and is this shop's."""
        return self.get(order_id, shop) if self._owner(order_id) == shop else None

    async def shop_in_full(self, shop: str) -> Shop:
        """A shop and what services have said of it. Raises Refused: `unknown-shop`."""
        return as_known(await self.shop(shop), self._known.get(shop, Known()))

    def add_comment(self, command: AddComment) -> None:
        """Keep an internal comment, whose id is the command's."""
        self._comments.append(command)

    async def delete_comment(self, command: DeleteComment) -> bool:
        """Whether the comment was there and is deleted now. Raises Refused: `unknown-comment`."""
        await self._write_comments()
        wanted = (command.order_id, command.comment_id)
        if await self._connection.fetchval(DELETE_COMMENT, *wanted, command.meta.actor):
            return True
        if await self._connection.fetchval(HAS_COMMENT, *wanted):
            return False
        raise Refused("unknown-comment", f"the order has no comment {command.comment_id}")

    async def trouble(self, command: RepairEntry) -> Trouble:
        """What the command wants put right of an order that was opened. Raises Refused as `find_trouble` does."""
        if (command.order_id, command.entry_id) in self._repaired:
            raise Refused("already-repaired", "somebody has asked for that already; the log says what comes of it")
        return find_trouble(await log_of(self._connection, command.order_id, command.meta.shop), command)

    def put_right(self, command: RepairEntry, trouble: Trouble, said: Sequence[Message]) -> None:
        """Keep that the command has put this right by what it said."""
        self._repaired[command.order_id, command.entry_id] = (command, trouble, said)

    def add(self, placed: OrderSnapshot) -> None:
        """Keep an order that was just placed."""
        self._numbers.used(placed.shop, placed.number)
        self._orders[placed.id] = Order(placed, placed, moment=moment())
        self._added.append(placed)

    def save(self, order: Order) -> None:
        """Keep an order that was changed, beside how it was placed."""
        self._orders[order.now.id] = order
        self._changed[order.now.id] = order

    def saved(self, order: Order, events: list[OrderEvent]) -> list[OrderEvent]:
        """These events, and the order kept where there are any: what says nothing has changed nothing."""
        if events:
            self.save(order)
        return events

    async def _write_comments(self) -> None:
        comments, self._comments = self._comments, []
        if comments:
            await self._connection.execute(
                COMMENT,
                [command.order_id for command in comments],
                [command.meta.id for command in comments],
                [command.meta.shop for command in comments],
                [command.meta.actor for command in comments],
                [command.text for command in comments],
            )

    async def _write_repairs(self) -> None:
        """What orders itself has to do goes to its own desk; what was promised there is expected no longer."""
        for _, (command, trouble, said) in sorted(self._repaired.items()):
            for message in said:
                if isinstance(message, RepairRequested) and message.service == "orders":
                    await Asked(self._connection).leave(message, command.meta)
                if isinstance(message, RepairMade):
                    await close(self._connection, message, trouble.entry)

    def _owner(self, order_id: UUID) -> str | None:
        if order_id in self._orders:
            return self._orders[order_id].now.shop
        return self._stored[order_id]["shop"] if order_id in self._stored else None

    async def _insert(self, added: Sequence[OrderSnapshot]) -> None:
        status = await self._connection.execute(
            INSERT,
            [order.id for order in added],
            [order.shop for order in added],
            [order.number for order in added],
            [order.version for order in added],
            [order.placed_at for order in added],
            [order.model_dump_json() for order in added],
        )
        if status != f"INSERT 0 {len(added)}":
            for order in reversed(added):
                self._numbers.give_back(order.shop, order.number)
            raise PlacedMeanwhile


async def find_order(connection: Connection, order_id: UUID, shop: str) -> Order:
    """An order to look at, not locked. Raises Refused: `unknown-order`."""
    order = await seen(connection, order_id, shop)
    if order is None:
        raise unknown(order_id)
    return order


async def seen(connection: Connection, order_id: UUID, shop: str) -> Order | None:
    """The same, or None."""
    row = await connection.fetchrow(FIND, order_id, shop)
    return None if row is None else order_from(row)


async def shop_of(connection: Connection, shop: str) -> Shop:
    """A shop and what services have said of it, to look at. Raises Refused: `unknown-shop`."""
    settings = await find_shop(connection, shop)
    if settings is None:
        raise Refused("unknown-shop", f"there is no shop {shop}")
    return as_known(settings, (await known_of(connection, [shop])).get(shop, Known()))


def as_known(settings: ShopSettings, known: Known) -> Shop:
    """The shop that an order is handled in; one that nobody has said anything of has nothing connected."""
    connections = known.connections or ShopConnections(shop=settings.shop)
    return Shop(settings, connections, known.messages, known.looks)


async def currency_of(connection: Connection, order_id: UUID) -> str | None:
    """What the order's amounts are in; None where only its log is left."""
    currency: str | None = await connection.fetchval(CURRENCY, order_id)
    return currency


async def comments_of(connection: Connection, order_id: UUID, shop: str) -> list[asyncpg.Record]:
    """The order's internal comments, oldest first, those that were deleted among them."""
    return list(await connection.fetch(COMMENTS, order_id, shop))


async def require_log(connection: Connection, order_id: UUID, shop: str) -> None:
    """Raises Refused, `unknown-order`, unless the shop has this order, or had it before a restore."""
    if not await connection.fetchval(HAS_LOG, order_id, shop):
        raise unknown(order_id)


def unknown(order_id: UUID) -> Refused:
    """The refusal for an order that is not there, or not the shop's."""
    return Refused("unknown-order", f"there is no order {order_id}")


def order_from(row: asyncpg.Record) -> Order:
    """The order in its two stored forms, `placed` being absent while they are the same, and its payments."""
    now, placed = OrderSnapshot.model_validate_json(row["body"]), row["placed"]
    payments = Payments(STEPS.validate_json(row["payments"]))
    return Order(now, now if placed is None else OrderSnapshot.model_validate_json(placed), payments, moment())

"""Personal identity numbers of customers: sealed at rest, shown masked, and whole only where that is written down."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

import asyncpg
import structlog

from services.orders.domain.identity import HIDDEN, masked
from services.orders.keyring import Keyring
from services.orders.repository import unknown
from shared.contracts.message import new_id
from shared.contracts.refusal import Refused
from shared.messaging.database import Connection
from shared.messaging.sealing import CannotOpen

KEEP = """
insert into personal_number (order_id, shop, key, sealed)
select id, shop, $3, $4 from orders where id = $1 and shop = $2
on conflict (order_id, shop) do update set key = excluded.key, sealed = excluded.sealed, changed_at = clock_timestamp()
returning true
"""
FORGET = "delete from personal_number where order_id = $1 and shop = $2"
FIND = "select key, sealed from personal_number where order_id = $1 and shop = $2"
IS_THERE = "select true from orders where id = $1 and shop = $2"
WRITE_DOWN = "insert into reveal (shop, id, order_id, actor, reason) values ($1, $2, $3, $4, $5)"
REVEALS = """
select id, order_id, at, actor, reason from reveal
where shop = $1 and ($2::uuid is null or id < $2) order by id desc limit $3
"""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Holder:
    """Whose customer's number it is; what is sealed for one order opens for no other."""

    order_id: UUID
    shop: str

    def content(self, number: str) -> bytes:
        """What is sealed."""
        return f"{self.shop}/{self.order_id}/{number}".encode()

    def number(self, content: bytes) -> str:
        """The number in what was sealed. Raises CannotOpen where it was sealed for another order."""
        holder, _, number = content.decode().rpartition("/")
        if holder != f"{self.shop}/{self.order_id}":
            raise CannotOpen("it was sealed for another order")
        return number


@dataclass(frozen=True)
class PersonalNumbers:
    """The numbers of all orders; without keys none is kept, and none is opened."""

    keys: Keyring | None

    def require_keys(self) -> Keyring:
        """The keys. Raises Refused: `personal-numbers-not-kept`."""
        if self.keys is None:
            raise Refused("personal-numbers-not-kept", "ORDERS_SEALING_KEYS is not set")
        return self.keys

    async def keep(self, connection: Connection, holder: Holder, number: str) -> None:
        """Keep an order's number, in place of what it had.

        Raises Refused: `personal-numbers-not-kept`, `unknown-order`.
        """
        key, sealed = self.require_keys().seal(holder.content(number))
        if not await connection.fetchval(KEEP, holder.order_id, holder.shop, key, sealed):
            raise unknown(holder.order_id)

    async def forget(self, connection: Connection, holder: Holder) -> None:
        """Forget an order's number, where it has one. Raises Refused: `unknown-order`."""
        await require_order(connection, holder)
        await connection.execute(FORGET, holder.order_id, holder.shop)

    async def shown(self, connection: Connection, holder: Holder) -> str | None:
        """An order's number as it is shown, all of it hidden where it cannot be opened; None where it has none."""
        row = await connection.fetchrow(FIND, holder.order_id, holder.shop)
        if row is None:
            return None
        try:
            return masked(self._opened(holder, row))
        except CannotOpen:
            return HIDDEN

    async def reveal(self, connection: Connection, holder: Holder, actor: str, reason: str) -> str:
        """An order's number, which whoever asks may see once this transaction has written down that they did.

        Raises Refused: `unknown-order`, `no-personal-number`, `sealing-key-missing`.
        """
        await require_order(connection, holder)
        row = await connection.fetchrow(FIND, holder.order_id, holder.shop)
        if row is None:
            raise Refused("no-personal-number", f"the order {holder.order_id} has none")
        try:
            number = self._opened(holder, row)
        except CannotOpen as error:
            log.error("a personal identity number cannot be opened", order_id=str(holder.order_id), key=row["key"])  # noqa: TRY400
            raise Refused("sealing-key-missing", "an operator has to look at it") from error
        await connection.execute(WRITE_DOWN, holder.shop, new_id(), holder.order_id, actor, reason)
        return number

    def _opened(self, holder: Holder, row: asyncpg.Record) -> str:
        if self.keys is None:
            raise CannotOpen("there are no keys")
        return holder.number(self.keys.open(row["key"], row["sealed"]))


async def reveals_of(connection: Connection, shop: str, before: UUID | None, limit: int) -> Sequence[asyncpg.Record]:
    """Who was shown numbers of this shop's customers, the latest first, from before that one on."""
    return list(await connection.fetch(REVEALS, shop, before, limit))


async def require_order(connection: Connection, holder: Holder) -> None:
    """Raises Refused, `unknown-order`, unless the shop has this order."""
    if not await connection.fetchval(IS_THERE, holder.order_id, holder.shop):
        raise unknown(holder.order_id)

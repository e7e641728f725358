"""Whose order a thing is that a provider tells of, by what the provider calls it, or we do."""

from uuid import UUID

from services.integrations.connections import Kind
from shared.messaging.database import Connection
from shared.runtime.database import Pool, connected

HOLD = "select pg_advisory_xact_lock(hashtextextended('known there: ' || $1 || ' ' || $2 || ' ' || $3, 0))"
REMEMBER = """
insert into known_there (shop, kind, reference, order_id) values ($1, $2, $3, $4) on conflict do nothing
"""
FIND = "select order_id from known_there where shop = $1 and kind = $2 and reference = any($3) limit 1"


class KnownThere:
    """What is remembered outside of any other transaction: it says nothing that could become wrong."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def remember(self, shop: str, kind: Kind, reference: str, order_id: UUID) -> None:
        """From now on what the provider tells of this reference is about this order."""
        async with connected(self._pool) as connection:
            await remember(connection, shop, kind, reference, order_id)


async def hold(connection: Connection, shop: str, kind: Kind, reference: str) -> None:
    """Until the transaction ends, nobody else who holds it looks whose this is, or says so: they come after it."""
    await connection.execute(HOLD, shop, kind, reference)


async def remember(connection: Connection, shop: str, kind: Kind, reference: str, order_id: UUID) -> None:
    """The same, in the caller's transaction."""
    await connection.execute(REMEMBER, shop, kind, reference, order_id)


async def order_of(connection: Connection, shop: str, kind: Kind, *references: str) -> UUID | None:
    """The order that one of these references is about, where one is known."""
    found: UUID | None = await connection.fetchval(FIND, shop, kind, references)
    return found

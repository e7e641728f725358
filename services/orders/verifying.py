"""All orders' logs looked through, one after the other, each as one snapshot shows it (R206)."""

from collections.abc import AsyncIterator
from uuid import UUID

from services.orders.timeline import Verified, verified
from shared.messaging.database import Connection

AT_ONCE = 500
FIRST = UUID(int=0)

# A log may have lost its head, and a head its log; so each of the three says which orders there are.
NEXT = """
select id from (
  (select id from orders where id > $1 and ($2::text is null or shop = $2) order by id limit $3)
  union
  (select order_id from timeline_head where order_id > $1 and $2 is null order by order_id limit $3)
  union
  (select distinct order_id from timeline where order_id > $1 and $2 is null order by order_id limit $3)
) known order by id limit $3
"""
COUNT = """
select case when $1::text is null then (select count(*) from timeline_head)
  else (select count(*) from orders where shop = $1) end
"""
KNOWN = """
select exists (select from orders where id = $1) or exists (select from timeline where order_id = $1)
  or exists (select from timeline_head where order_id = $1)
"""


async def count(connection: Connection, shop: str | None) -> int:
    """About how many logs there are, of the orders of a shop or of all."""
    found: int = await connection.fetchval(COUNT, shop)
    return found


async def is_known(connection: Connection, order_id: UUID) -> bool:
    """Whether there is such an order, or anything of a log of it."""
    return bool(await connection.fetchval(KNOWN, order_id))


async def walk(connection: Connection, shop: str | None) -> AsyncIterator[tuple[UUID, Verified]]:
    """Each order of the shop, or each order that anything is left of, with what its log came to."""
    last = FIRST
    while rows := await connection.fetch(NEXT, last, shop, AT_ONCE):
        for row in rows:
            last = row["id"]
            yield last, await verified(connection, last)


def said_of(found: Verified) -> str:
    """What is wrong with a broken log, for an operator."""
    if found.entry_id:
        return f"entry {found.broken} ({found.type} {found.entry_id}) is not what was recorded"
    return f"entry {found.broken} is missing, or its log's head is not what was recorded"

"""What stands open on orders' logs is shown on the orders themselves, where the list finds it (R205).

Whoever adds to a log has locked what comes after orders, so it is shown in a transaction of its own, a moment later.
"""

import json
from collections.abc import Sequence

from services.orders.domain.troubles import KINDS
from shared.messaging.part import Periodic
from shared.runtime.database import Pool, transaction

EVERY = 1.0
AT_ONCE = 100
WORDS = frozenset(KINDS.values())

NEXT = """
select t.order_id from trouble t join orders o on o.id = t.order_id where not t.shown limit $1
"""
LOCK = "select id, body->'attention' as attention from orders where id = any($1::uuid[]) order by id for update"
TAKE = """
select order_id, reasons from trouble where order_id = any($1::uuid[]) and not shown order by order_id for update
"""
# What people change counts as a version; this does not. How the order was placed stays as it was.
SHOW = """
update orders set placed = coalesce(placed, body), body = jsonb_set(body, '{attention}', $2::jsonb) where id = $1
"""
SHOWN = "update trouble set shown = true where order_id = $1"
FORGET = "delete from trouble where order_id = $1"


class Flags(Periodic):
    """A component: keeps `attention` of orders true to what stands open on their logs."""

    def __init__(self, pool: Pool, *, every: float = EVERY, at_once: int = AT_ONCE) -> None:
        super().__init__("flags", every)
        self._pool, self._at_once = pool, at_once

    async def turn(self) -> bool:
        """Takes some; whether there may be more."""
        async with transaction(self._pool) as connection:
            ids = [row["order_id"] for row in await connection.fetch(NEXT, self._at_once)]
            if not ids:
                return False
            shown = {row["id"]: json.loads(row["attention"] or "[]") for row in await connection.fetch(LOCK, ids)}
            for row in await connection.fetch(TAKE, list(shown)):
                order_id, reasons = row["order_id"], row["reasons"]
                attention = with_reasons(shown[order_id], reasons)
                if attention != shown[order_id]:
                    await connection.execute(SHOW, order_id, json.dumps(attention))
                await connection.execute(SHOWN if reasons else FORGET, order_id)
        return len(ids) == self._at_once


def with_reasons(attention: Sequence[str], reasons: Sequence[str]) -> list[str]:
    """What the order itself needs a person for, and then what its log does."""
    return [*(word for word in attention if word not in WORDS), *reasons]

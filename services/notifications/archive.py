"""What was written to whom about which order, and what came of it (R056, R119); each mail stands here once."""

from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from shared.runtime.database import Pool, connected

State = Literal["sent", "failed", "unknown"]

KEEP = """
insert into mail ({columns}) values ({values})
on conflict (message_id) do update
set state = excluded.state, reason = excluded.reason, detail = excluded.detail, told_at = clock_timestamp()
where mail.state <> excluded.state
"""
OF_ORDER = """
select place, {columns}, told_at from mail
where shop = $1 and order_id = $2 and place > $3 order by place limit $4
"""
FIND = "select place, {columns}, text, told_at from mail where shop = $1 and order_id = $2 and place = $3"


@dataclass(frozen=True)
class KeptMail:
    """One mail: the same Message-ID is the same mail, however often it is made."""

    message_id: str
    shop: str
    order_id: UUID
    cause: str
    """The id of the event that sent it."""
    actor: str
    kind: str
    recipient: str
    language: str
    headline: str
    text: str
    """Its plain text."""
    state: State
    reason: str
    detail: str
    asked_at: datetime


COLUMNS = tuple(field.name for field in fields(KeptMail))
LISTED = tuple(name for name in COLUMNS if name not in {"shop", "order_id", "text"})


class Archive:
    """The table of mails."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def keep(self, mail: KeptMail) -> None:
        """Records a mail; of one that is there, what came of it, where that is known better now."""
        values = ", ".join(f"${n}" for n in range(1, len(COLUMNS) + 1))
        keep = KEEP.format(columns=", ".join(COLUMNS), values=values)
        async with connected(self._pool) as connection:
            await connection.execute(keep, *(getattr(mail, name) for name in COLUMNS))

    async def of_order(self, shop: str, order_id: UUID, after: int, limit: int) -> list[dict[str, Any]]:
        """The mails about an order of the shop, oldest first, without what they say."""
        async with connected(self._pool) as connection:
            rows = await connection.fetch(OF_ORDER.format(columns=", ".join(LISTED)), shop, order_id, after, limit)
        return [dict(row) for row in rows]

    async def find(self, shop: str, order_id: UUID, place: int) -> dict[str, Any] | None:
        """One of them, with its text; None where the order of the shop has none there."""
        async with connected(self._pool) as connection:
            row = await connection.fetchrow(FIND.format(columns=", ".join(LISTED)), shop, order_id, place)
        return None if row is None else dict(row)

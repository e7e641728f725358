"""What an older version had to pass over is handled by the newer one: once, late, and said so.

Without this a roll-out would lose what the old processes read while the first new ones already wrote.
"""

from collections.abc import Sequence

import asyncpg
import structlog

from shared.contracts.message import CONTRACTS
from shared.messaging import metrics
from shared.messaging.database import transaction
from shared.messaging.entrance import Entering, enter
from shared.messaging.groups import Group
from shared.messaging.part import Periodic
from shared.messaging.wakeup import Bell

EVERY_SECONDS = 5.0
MOST = 500

TAKE = """
delete from passed where position in (
  select position from passed where type = any($1::text[]) order by position limit $2 for update skip locked)
returning *
"""

log = structlog.get_logger(__name__)


class LateTypes(Periodic):
    """A component: moves what was passed over into the lanes of the groups that handle it by now."""

    def __init__(
        self, pool: asyncpg.Pool, groups: Sequence[Group], bell: Bell, *, every: float = EVERY_SECONDS
    ) -> None:
        super().__init__("late types", every)
        self._pool, self._groups, self._bell = pool, groups, bell

    async def turn(self) -> bool:
        """Moves what there is; again and again, because an older process may still be reading."""
        return await self.move() == MOST

    async def move(self) -> int:
        """Moves records of known types that had been passed over, so many at the most; those that no group wants go.

        Returns how many there were.
        """
        async with transaction(self._pool) as connection:
            rows = await connection.fetch(TAKE, sorted(CONTRACTS), MOST)
            late = [
                Entering(
                    group.name,
                    row["shop"],
                    row["topic"],
                    row["source"],
                    row["subject"],
                    row["id"],
                    row["type"],
                    row["record"],
                    row["sequence"],
                )
                for row in sorted(rows, key=lambda row: row["position"])
                for group in self._groups
                if group.reads.name == row["topic"] and group.handles(row["type"])
            ]
            await enter(connection, late)
        if late:
            metrics.late.inc(len(late))
            types = sorted({each.type for each in late})
            log.warning("handled late: an older version did not know these types", types=types, records=len(late))
            self._bell.ring()
        return len(rows)

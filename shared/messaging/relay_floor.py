"""The position below which nothing can appear in the outbox any more.

Without it, one open export makes every empty poll read all the dead rows. A position is drawn after the transaction
has its id (numbers are taken first), so every position up to a mark belongs to a transaction older than the mark.
"""

from dataclasses import dataclass, field

from shared.messaging.database import Connection

OLDEST_RUNNING = "select pg_snapshot_xmin(pg_current_snapshot())::text::bigint"
LAST_POSITION = "select last_value - 1 from outbox_position_seq"
NEXT_TRANSACTION = "select pg_snapshot_xmax(pg_current_snapshot())::text::bigint"


@dataclass
class Floor:
    """Kept for as long as one lease; `reset` whenever rows below it may have to be read again."""

    value: int = 0
    _mark: tuple[int, int] | None = field(default=None)

    def reset(self) -> None:
        """Reads from the beginning again, and forgets the mark."""
        self.value, self._mark = 0, None

    async def oldest_running(self, connection: Connection) -> int:
        """To be asked before the read whose result `raise_to` is told."""
        oldest: int = await connection.fetchval(OLDEST_RUNNING)
        return oldest

    async def raise_to(self, connection: Connection, oldest: int, first_read: int | None) -> None:
        """Raises the floor when the marked transactions have all ended, and sets the next mark."""
        if self._mark is not None:
            position, transaction = self._mark
            if oldest < transaction:
                return
            self.value = max(self.value, position if first_read is None else min(position, first_read - 1))
        # Two statements, each with its own snapshot: the position must be read before the transaction.
        position = await connection.fetchval(LAST_POSITION)
        self._mark = (position, await connection.fetchval(NEXT_TRANSACTION))

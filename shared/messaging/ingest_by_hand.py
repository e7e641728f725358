"""What an operator lets in: a quarantined record as if it came again, or the rest of a stream behind a gap.

Both run in the caller's transaction, lock cursors before lanes, and leave the offsets as they are.
"""

from collections import Counter
from dataclasses import dataclass

import asyncpg

from shared.contracts.message import Sequence as Number
from shared.messaging.cursors import Cursor, Fate, Stream
from shared.messaging.database import Connection
from shared.messaging.ingest_rows import concerns_data
from shared.messaging.ingest_store import IngestStore
from shared.messaging.intake import Arrived, Quarantined, Understood, understand

LOWEST_HELD = """
select incarnation, n, shop from held where topic = $1 and source = $2 and subject = $3
order by incarnation, n limit 1
"""
REMEMBER_GAP = """
insert into accepted_gap (topic, source, subject, incarnation, first, last) values ($1, $2, $3, $4, $5, $6)
"""


@dataclass(frozen=True, slots=True)
class Gap:
    """The numbers that one stream lacks before the first record that it holds back, and the shop of that one."""

    incarnation: int
    first: int
    last: int
    shop: str

    def __str__(self) -> str:
        return f"{Number(self.incarnation, self.first)} to {Number(self.incarnation, self.last)}"


class IngestByHand(IngestStore):
    """Takes in what operators decide, one record or one stream at a time."""

    async def take_again(self, connection: Connection, record: Arrived) -> tuple[Understood, str] | Quarantined:
        """Takes in one record; gives what it is and what became of it, or why it cannot be taken in still."""
        record = record.to_keep(self.topic)
        read = understand(record, self.topic)
        if isinstance(read, Quarantined):
            return read
        fates: Counter[str] = Counter()
        try:
            async with connection.transaction():
                fate, refused = await self._take_one(connection, read, fates)
        except (asyncpg.PostgresError, asyncpg.InterfaceError, UnicodeEncodeError) as error:
            if not concerns_data(error):
                raise
            return Quarantined(record, f"PostgreSQL refuses it: {error}"[:500])
        mine = next((each for each in refused if each.arrived is record), None)
        await self._quarantine(connection, [each for each in refused if each is not mine], fates)
        self._count(fates)
        return mine or (read, fate)

    async def _take_one(
        self, connection: Connection, record: Understood, fates: Counter[str]
    ) -> tuple[str, list[Quarantined]]:
        if self.topic.sequenced and not self.topic.compacted:
            streams = await self._locked_streams(connection, [record.stream])
            fate = streams[record.stream].offer(record)
            return fate.value, await self._move_on(connection, streams, fates)
        refused = await self._take_understood(connection, [record], fates)
        return (Fate.DUPLICATE if fates["duplicate"] else Fate.NEXT).value, refused

    async def gap_of(self, connection: Connection, source: str, subject: str) -> Gap | None:
        """What this stream lacks, its cursor locked; None where it holds nothing back."""
        ((_, stream),) = (await self._locked_streams(connection, [(source, subject)])).items()
        row = await connection.fetchrow(LOWEST_HELD, self.topic.name, source, subject)
        if row is None:
            return None
        return Gap(row["incarnation"], stream.cursor.last + 1, row["n"] - 1, row["shop"])

    async def accept(self, connection: Connection, source: str, subject: str, gap: Gap) -> Counter[str]:
        """Goes on behind the gap, which `gap_of` gave in this transaction; returns what became of what was held."""
        await connection.execute(REMEMBER_GAP, self.topic.name, source, subject, gap.incarnation, gap.first, gap.last)
        stream = Stream(Cursor(gap.incarnation, gap.last), moved=True)
        fates: Counter[str] = Counter()
        refused = await self._move_on(connection, {(source, subject): stream}, fates)
        await self._quarantine(connection, refused, fates)
        self._count(fates)
        return fates

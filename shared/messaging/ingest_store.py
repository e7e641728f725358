"""One transaction per batch: cursors, inbox, lanes and the offsets that count, or nothing of it.

Locks are taken sorted, cursors first and lanes after them.
"""

from collections import Counter
from collections.abc import Sequence

import asyncpg

from shared.contracts.message import CONTRACTS, NotUnderstood
from shared.contracts.message import Sequence as Number
from shared.contracts.reading import read_record
from shared.contracts.topics import Topic
from shared.messaging import ingest_sql as sql
from shared.messaging import metrics
from shared.messaging.crash_points import crash_point
from shared.messaging.cursors import Cursor, Stream
from shared.messaging.database import Connection
from shared.messaging.forks import say as say_forks
from shared.messaging.groups import Group
from shared.messaging.ingest_rows import (
    HELD,
    MESSAGE,
    NUMBERED,
    arrived_again,
    columns_of,
    concerns_data,
    fact_row,
    lanes_of,
    quarantine_row,
    reason_for,
    transposed,
)
from shared.messaging.intake import Arrived, Quarantined, Understood, understand
from shared.messaging.outbox import Outbox

Key = tuple[str, str]
BASELINE_SECONDS = 60.0


class IngestStore:
    """Takes batches of one topic into the inbox of the groups that read it."""

    def __init__(self, pool: asyncpg.Pool, topic: Topic, groups: Sequence[Group], outbox: Outbox | None = None) -> None:
        self._pool, self._outbox = pool, outbox
        self.topic = topic
        self._groups = [group for group in groups if group.reads is topic]
        known = {group.knows for group in self._groups}
        self._known = known.pop() if len(known) == 1 else None

    async def take(self, records: Sequence[Arrived]) -> Counter[str]:
        """Takes in the records, in order; halves a batch that PostgreSQL refuses, until the record at fault is alone.

        Returns how many records had which fate. Raises what the server or the connection raises.
        """
        records = [record.to_keep(self.topic) for record in records]
        read = [understand(record, self.topic) for record in records]
        return await self._take(read, records)

    async def _take(self, read: Sequence[Understood | Quarantined], records: Sequence[Arrived]) -> Counter[str]:
        try:
            async with self._pool.acquire() as connection, connection.transaction():
                fates = await self._take_in_one(connection, read, records)
        except (asyncpg.PostgresError, asyncpg.InterfaceError, UnicodeEncodeError) as error:
            if not concerns_data(error):
                raise
            reason = f"PostgreSQL refuses it: {error}"[:500]
        else:
            self._wake_relay(fates)
            return fates
        if len(read) == 1:
            return await self._take([Quarantined(records[0], reason)], records)
        half = len(read) // 2
        return await self._take(read[:half], records[:half]) + await self._take(read[half:], records[half:])

    async def _take_in_one(
        self, connection: Connection, read: Sequence[Understood | Quarantined], records: Sequence[Arrived]
    ) -> Counter[str]:
        understood = [record for record in read if isinstance(record, Understood)]
        quarantined = [record for record in read if isinstance(record, Quarantined)]
        fates: Counter[str] = Counter()
        quarantined += await self._take_understood(connection, understood, fates)
        await self._quarantine(connection, quarantined, fates)
        await self._remember_offsets(connection, records)
        crash_point("ingest.stored")
        self._count(fates)
        return fates

    def _wake_relay(self, fates: Counter[str]) -> None:
        if fates["forked"] and self._outbox is not None:
            self._outbox.committed()

    def _count(self, fates: Counter[str]) -> None:
        for fate, count in fates.items():
            metrics.ingested.labels(self.topic.name, fate).inc(count)

    async def _take_understood(
        self, connection: Connection, records: Sequence[Understood], fates: Counter[str]
    ) -> list[Quarantined]:
        if self.topic.compacted:
            return await self._replace_facts(connection, records, fates)
        if self.topic.sequenced:
            return await self._take_numbered(connection, records, fates)
        await self._store(connection, await self._unseen(connection, records, fates), fates)
        return []

    async def _take_numbered(
        self, connection: Connection, records: Sequence[Understood], fates: Counter[str]
    ) -> list[Quarantined]:
        streams = await self._locked_streams(connection, sorted({record.stream for record in records}))
        for record in records:
            stream = streams[record.stream]
            if stream.begins_anew(record.number):
                await self._release_held(connection, {record.stream: stream})
            stream.offer(record)
        return await self._move_on(connection, streams, fates)

    async def _move_on(
        self, connection: Connection, streams: dict[Key, Stream], fates: Counter[str]
    ) -> list[Quarantined]:
        """Writes what became of the streams, and what flows now that was held; returns what is to be quarantined."""
        await self._release_held(connection, streams)
        taken = [record for stream in streams.values() for record in stream.taken]
        await self._store(connection, await self._without_known(connection, taken, fates), fates)
        forks = [fork for stream in streams.values() for fork in stream.forks]
        await say_forks(connection, self._outbox, self.topic, forks)
        fates["forked"] += len(forks)
        await self._move_cursors(connection, streams)
        await self._refuse_given_up(connection, streams)
        fates["duplicate"] += sum(len(stream.duplicates) for stream in streams.values())
        return [
            Quarantined(record.arrived, reason_for(fate))
            for stream in streams.values()
            for record, fate in stream.refused
        ]

    async def _refuse_given_up(self, connection: Connection, streams: dict[Key, Stream]) -> None:
        again = [record for stream in streams.values() for record in stream.duplicates]
        if not again:
            return
        rows = await connection.fetch(sql.GIVEN_UP, self.topic.name, *columns_of(again, NUMBERED))
        given_up: dict[Key, list[Number]] = {}
        for row in rows:
            given_up.setdefault((row["source"], row["subject"]), []).append(Number(row["incarnation"], row["n"]))
        for key, numbers in given_up.items():
            streams[key].refuse(numbers)

    async def _without_known(
        self, connection: Connection, records: Sequence[Understood], fates: Counter[str]
    ) -> Sequence[Understood]:
        """Without those that this database wrote itself in its present life; of an older one it may have lost them."""
        if not any(record.envelope.source == self._known for record in records):
            return records
        life = await connection.fetchval(sql.PRESENT_LIFE)
        new = [
            r for r in records if r.envelope.source != self._known or r.number is None or r.number.incarnation < life
        ]
        fates["known"] += len(records) - len(new)
        return new

    async def _locked_streams(self, connection: Connection, keys: Sequence[Key]) -> dict[Key, Stream]:
        sources, subjects = [key[0] for key in keys], [key[1] for key in keys]
        rows = await connection.fetch(sql.LOCK_CURSORS, self.topic.name, sources, subjects)
        found = {(row["source"], row["subject"]): row for row in rows}
        missing = [key for key in keys if key not in found]
        if missing:
            columns = ([key[0] for key in missing], [key[1] for key in missing])
            await connection.execute(sql.INSERT_CURSORS, self.topic.name, *columns)
            for row in await connection.fetch(sql.LOCK_CURSORS, self.topic.name, *columns):
                found[row["source"], row["subject"]] = row
        return {key: Stream(Cursor(row["incarnation"], row["last"], row["id"])) for key, row in found.items()}

    async def _release_held(self, connection: Connection, streams: dict[Key, Stream]) -> None:
        moved = [key for key, stream in streams.items() if stream.moved]
        # A statement of its own, after the lock: the locking one's snapshot is older than rows that another
        # transaction held back and committed while this one waited.
        rows = await connection.fetch(
            sql.READ_HELD, self.topic.name, [key[0] for key in moved], [key[1] for key in moved]
        )
        waiting: dict[Key, list[Understood]] = {key: [] for key in moved}
        for row in rows:
            record = understand(arrived_again(row, self.topic), self.topic)
            if isinstance(record, Understood):
                waiting[row["source"], row["subject"]].append(record)
        settled = [record for key in moved for record in streams[key].release(waiting[key])]
        if settled:
            await connection.execute(sql.DELETE_HELD, self.topic.name, *columns_of(settled, NUMBERED))
        held = [record for stream in streams.values() for record in stream.held.values()]
        if held:
            await connection.execute(sql.INSERT_HELD, self.topic.name, *columns_of(held, HELD))

    async def take_baselines(self) -> int:
        """Begins streams whose first records were gone before this database began to read their partition.

        What was held for a minute and has nothing before it is taken in from its lowest number on. Returns how many
        streams were begun. Where the partition was read from its very beginning, a missing first record is a gap and
        stays one.
        """
        async with self._pool.acquire() as connection, connection.transaction():
            rows = await connection.fetch(sql.FIND_BASELINES, self.topic.name, BASELINE_SECONDS)
            streams = await self._locked_streams(connection, sorted({(r["source"], r["subject"]) for r in rows}))
            for row in rows:
                stream = streams[row["source"], row["subject"]]
                if stream.cursor.last == 0:
                    stream.cursor, stream.moved = Cursor(row["incarnation"], row["n"] - 1), True
            fates: Counter[str] = Counter()
            await self._quarantine(connection, await self._move_on(connection, streams, fates), fates)
        self._count(fates)
        self._wake_relay(fates)
        if rows:
            metrics.ingested.labels(self.topic.name, "baseline").inc(len(rows))
        return len(rows)

    async def _move_cursors(self, connection: Connection, streams: dict[Key, Stream]) -> None:
        rows = [
            (*key, stream.cursor.incarnation, stream.cursor.last, stream.cursor.id)
            for key, stream in streams.items()
            if stream.moved
        ]
        await connection.execute(sql.MOVE_CURSORS, self.topic.name, *transposed(rows, 5))

    async def _unseen(
        self, connection: Connection, records: Sequence[Understood], fates: Counter[str]
    ) -> list[Understood]:
        first: dict[Key, Understood] = {}
        for record in records:
            first.setdefault((record.envelope.source, record.envelope.id), record)
        keys = sorted(first)
        rows = await connection.fetch(
            sql.INSERT_SEEN, self.topic.name, [source for source, _ in keys], [id_ for _, id_ in keys]
        )
        new = {(row["source"], row["id"]) for row in rows}
        fates["duplicate"] += len(records) - len(new)
        return [record for key, record in first.items() if key in new]

    async def _store(self, connection: Connection, records: Sequence[Understood], fates: Counter[str]) -> None:
        primary = [record for record in records if record.envelope.shadow is None]
        types = {record.envelope.type for record in primary}
        wanted = [(type_, group.name) for type_ in types for group in self._groups if group.handles(type_)]
        handled = {type_ for type_, _ in wanted}
        wanted_records = [record for record in primary if record.envelope.type in handled]
        known = handled.union(CONTRACTS)
        passed = [record for record in records if record.envelope.type not in known]
        if wanted_records:
            await connection.execute(
                sql.STORE,
                self.topic.name,
                *columns_of(wanted_records, MESSAGE),
                [type_ for type_, _ in wanted],
                [group for _, group in wanted],
                *transposed(lanes_of(wanted, wanted_records), 3),
            )
        if passed:
            await connection.execute(sql.SET_ASIDE, self.topic.name, *columns_of(passed, MESSAGE))
        fates["taken in"] += len(wanted_records)
        fates["passed"] += len(passed)
        fates["not handled here"] += len(records) - len(wanted_records) - len(passed)

    async def _replace_facts(
        self, connection: Connection, records: Sequence[Understood], fates: Counter[str]
    ) -> list[Quarantined]:
        latest: dict[str, Understood] = {}
        refused = []
        for record in records:
            known = latest.get(record.envelope.subject)
            if record.envelope.type in CONTRACTS:
                try:
                    read_record(record.arrived.value or b"", record.envelope.type)
                except NotUnderstood as error:
                    refused.append(Quarantined(record.arrived, error.reason))
                    continue
            if known is None or (known.number and record.number and record.number > known.number):
                latest[record.envelope.subject] = record
        rows = [fact_row(record) for _, record in sorted(latest.items())]
        if rows:
            await connection.execute(sql.REPLACE_FACTS, *transposed(rows, 6))
        fates["facts"] += len(rows)
        return refused

    async def _quarantine(self, connection: Connection, records: Sequence[Quarantined], fates: Counter[str]) -> None:
        if not records:
            return
        rows = [quarantine_row(record) for record in records]
        await connection.execute(sql.QUARANTINE, self.topic.name, *transposed(rows, 6))
        fates["quarantined"] += len(records)

    async def _remember_offsets(self, connection: Connection, records: Sequence[Arrived]) -> None:
        following: dict[int, int] = {}
        first: dict[int, int] = {}
        for record in records:
            following[record.partition] = record.offset + 1
            first.setdefault(record.partition, record.offset)
        rows = [(partition, following[partition], first[partition]) for partition in sorted(following)]
        await connection.execute(sql.REMEMBER_OFFSETS, self.topic.name, *transposed(rows, 3))

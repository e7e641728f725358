"""The relay moves the outbox to Kafka, in order per key, whatever the broker refuses; a zombie can only repeat."""

import asyncio
import json
import time
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID

import asyncpg
import structlog
from aiokafka.errors import KafkaError

from shared.messaging import metrics
from shared.messaging.crash_points import crash_point
from shared.messaging.database import DATABASE_ERRORS
from shared.messaging.incarnations import recognise
from shared.messaging.part import Part
from shared.messaging.producer import REFUSED_FOR_ITSELF, DisposableProducer, Outgoing
from shared.messaging.relay_consent import LOOK_AGAIN_SECONDS, Consent
from shared.messaging.relay_floor import Floor
from shared.messaging.relay_lease import LEASE_SECONDS, RelayLease
from shared.messaging.wakeup import Bell, pause

BATCH = 1_000
SEND_SECONDS = 10.0
CHORES_EVERY = 0.5
FLOOR_FORGOTTEN_AFTER = 60.0
TRIES_ALONE = 2
MISSING_ASKED_EVERY = 5.0

# The primary key is always right here: a plan made while the table was empty would read all its dead rows.
# What is switched off is only made to look dear, so dear that each read would be compiled first, for some 100 ms.
SESSION = {
    "application_name": "relay",
    "jit": "off",
    "enable_seqscan": "off",
    "enable_bitmapscan": "off",
    "plan_cache_mode": "force_generic_plan",
    "idle_in_transaction_session_timeout": "10000",
}
READ = """
select position, topic, aggregateid, payload, headers from outbox
where position > $1
  and not exists (select from unnest($3::text[], $4::text[]) p(t, a) where p.t = topic and p.a = aggregateid)
  and topic <> all($6::text[])
  and exists (select from relay where token = $2 and until > clock_timestamp())
order by position limit $5
"""
DELETE = "delete from outbox where position = any($1::bigint[])"
ANNOUNCE = """
with mine as materialized (select from relay where token = $2 for update),
gone as (delete from outbox using mine where position = any($1::bigint[]) returning outbox.*)
insert into announced (id, topic, aggregateid, type, payload, sequence)
select id, topic, aggregateid, type, payload, sequence from gone order by position
"""
PARK = """
insert into parked (topic, aggregateid, error) values ($1, $2, $3) on conflict do nothing
"""
SHORTLY = "set local lock_timeout = '500ms'"
"""Whoever waits for the lock of a partitioned table holds up all its readers, and a dump reads it for hours."""
MONTH = "create table if not exists announced_{name} partition of announced for values from ('{start}') to ('{end}')"

log = structlog.get_logger(__name__)


class Relay(Part):
    """A component: publishes one database's outbox while it holds the lease.

    `keeps` moves what was published to `announced` instead of deleting it. `consent` is asked before the first record.
    """

    def __init__(
        self,
        dsn: str,
        kafka: str,
        bell: Bell,
        *,
        prefix: str = "",
        keeps: bool = False,
        consent: Consent | None = None,
        poll: float = 0.25,
        lease_seconds: float = LEASE_SECONDS,
    ) -> None:
        super().__init__("relay")
        self._dsn, self._kafka, self._bell, self._prefix = dsn, kafka, bell, prefix
        self._keeps, self._poll, self._lease_seconds = keeps, poll, lease_seconds
        self._consent = consent
        self._producer: DisposableProducer | None = None
        self._parked: set[tuple[str, str]] = set()
        self._missing: set[str] = set()
        """Topics that the broker does not have: their rows wait, all others flow."""
        self._topics_asked_at = 0.0
        self._floor = Floor()
        self._rare_chores_at = 0.0

    async def run(self, stopping: asyncio.Event) -> None:
        """Publishes until `stopping`; every error ends one life of it, and the next begins after a back-off."""
        while not stopping.is_set():
            try:
                await self._one_life(stopping)
            except (*DATABASE_ERRORS, KafkaError) as error:
                log.warning("relay interrupted", error=str(error), kind=type(error).__name__)
                await self._wait_for_server(stopping, f"the relay waits for a server: {type(error).__name__}: {error}")

    async def _one_life(self, stopping: asyncio.Event) -> None:
        connection = await asyncpg.connect(
            self._dsn, server_settings={**SESSION, "synchronous_commit": "on" if self._keeps else "off"}
        )
        lease = RelayLease(connection, self._lease_seconds)
        try:
            await recognise(connection)
            await self._publish_while_leased(connection, lease, stopping)
        finally:
            await self._discard_producer()
            if not connection.is_closed() and stopping.is_set():
                await lease.give_back()
            await connection.close(timeout=2)

    async def _publish_while_leased(
        self, connection: asyncpg.Connection, lease: RelayLease, stopping: asyncio.Event
    ) -> None:
        chores_at = 0.0
        self._floor.reset()
        self._forget_consent()
        self._rare_chores_at = 0.0
        while not stopping.is_set():
            self._tick = time.monotonic()
            if not await lease.held():
                self._problem = None
                self._floor.reset()
                self._forget_consent()
                await recognise(connection)  # who has emptied the table has taken the lease from everybody
                await pause(min(1.0, self._lease_seconds / 3), stopping)
                continue
            if self._consent is not None and (refusal := await self._consent.refusal(connection, lease.token)):
                self._problem = refusal
                await pause(min(LOOK_AGAIN_SECONDS, self._lease_seconds / 3), stopping)
                continue
            due = time.monotonic() >= chores_at
            if due:
                chores_at = time.monotonic() + CHORES_EVERY
                oldest = await self._chores(connection)
            rows = await self._read(connection, lease)
            if due and (rows or await lease.holds()):  # without the lease the read is empty, whatever there is
                await self._floor.raise_to(connection, oldest, rows[0]["position"] if rows else None)
            if rows:
                await self._publish(connection, lease, rows)
                self._reached()
            self._problem = None
            if len(rows) < BATCH:
                await pause(self._poll, stopping, self._bell)

    def _forget_consent(self) -> None:
        if self._consent is not None:
            self._consent.forget()

    async def _chores(self, connection: asyncpg.Connection) -> int:
        parked = {(row["topic"], row["aggregateid"]) for row in await connection.fetch("select * from parked")}
        if self._parked - parked:
            self._floor.reset()  # what was parked lies below the floor
        self._parked = parked
        await self._ask_for_missing()
        if time.monotonic() >= self._rare_chores_at:
            self._rare_chores_at = time.monotonic() + FLOOR_FORGOTTEN_AFTER
            self._floor.reset()
            if self._keeps:
                await self._make_months(connection)
        return await self._floor.oldest_running(connection)

    async def _ask_for_missing(self) -> None:
        if not self._missing or time.monotonic() < self._topics_asked_at + MISSING_ASKED_EVERY:
            return
        self._topics_asked_at = time.monotonic()
        found = await self._unknown_of(self._missing) ^ self._missing
        if found:
            self._missing -= found
            self._floor.reset()  # what waited for them lies below the floor
            log.info("topics are there now", topics=sorted(found))
        metrics.missing_topics.set(len(self._missing))

    async def _unknown_of(self, topics: Iterable[str]) -> set[str]:
        """Those that the broker does not have. Raises KafkaError while it cannot be asked."""
        async with asyncio.timeout(SEND_SECONDS):
            producer = await self._started_producer()
            return {topic for topic in topics if not await producer.knows(self._prefix + topic)}

    async def _on_topics_that_exist(self, rows: Sequence[asyncpg.Record]) -> Sequence[asyncpg.Record]:
        missing = await self._unknown_of({row["topic"] for row in rows})
        if not missing:
            return rows
        self._missing |= missing
        self._topics_asked_at = time.monotonic()
        metrics.missing_topics.set(len(self._missing))
        log.error("topics do not exist; their records wait, all others flow", topics=sorted(missing))
        return [row for row in rows if row["topic"] not in missing]

    async def _make_months(self, connection: asyncpg.Connection) -> None:
        month = datetime.now(UTC).date().replace(day=1)
        for _ in range(2):
            following = (month + timedelta(days=32)).replace(day=1)
            month_ahead = MONTH.format(name=f"{month:%Y_%m}", start=month, end=following)
            try:
                await connection.execute(f"{SHORTLY}; {month_ahead}")
            except asyncpg.LockNotAvailableError:
                log.warning("a partition is not made yet: somebody reads what was announced", month=str(month))
            month = following

    async def _read(
        self, connection: asyncpg.Connection, lease: RelayLease, limit: int = BATCH
    ) -> Sequence[asyncpg.Record]:
        topics, keys = [topic for topic, _ in self._parked], [key for _, key in self._parked]
        rows: Sequence[asyncpg.Record] = await connection.fetch(
            READ, self._floor.value, lease.token, topics, keys, limit, sorted(self._missing)
        )
        return rows

    async def _publish(self, connection: asyncpg.Connection, lease: RelayLease, rows: Sequence[asyncpg.Record]) -> None:
        crash_point("relay.read")
        rows = await self._on_topics_that_exist(rows)
        if not rows:
            return
        outcomes = await self._send(rows, lease)
        crash_point("relay.acknowledged")
        await self._forget(connection, lease.token, _acknowledged(rows, outcomes))
        crash_point("relay.forgotten")
        errors = [(row, error) for row, error in zip(rows, outcomes, strict=False) if error is not None]
        if not errors:
            return
        await self._discard_producer()
        firsts: dict[tuple[str, str], tuple[asyncpg.Record, BaseException]] = {}
        for row, error in errors:
            firsts.setdefault((row["topic"], row["aggregateid"]), (row, error))
        row, error = next(((r, e) for r, e in firsts.values() if isinstance(e, REFUSED_FOR_ITSELF)), errors[0])
        if not isinstance(error, REFUSED_FOR_ITSELF):
            raise error
        await self._send_alone(connection, lease, row)

    async def _send(self, rows: Sequence[asyncpg.Record], lease: RelayLease) -> list[BaseException | None]:
        """Sends in order and waits for the answers: None for each acknowledged row, else its error; stops at an error.

        The answer may be shorter than the rows: the rest was not sent.
        """
        outcomes: list[BaseException | None] = []
        pending: list[asyncio.Future[object]] = []
        until = time.monotonic() + min(SEND_SECONDS, lease.left())
        try:
            async with asyncio.timeout(until - time.monotonic()):
                producer = await self._started_producer()
                for row in rows:
                    if time.monotonic() >= until:
                        break
                    pending.append(await producer.send(self._record(row)))
                if not pending:
                    raise TimeoutError("the lease is about to end")  # noqa: TRY301 - told like any other time-out
                crash_point("relay.sent")
                await asyncio.wait(pending)
        except (KafkaError, TimeoutError) as error:
            if pending:
                await asyncio.wait(pending, timeout=max(0.0, until - time.monotonic()))
            outcomes = [_outcome(future) for future in pending]
            return [*outcomes, error][: len(rows)]
        return [_outcome(future) for future in pending]

    def _record(self, row: asyncpg.Record) -> Outgoing:
        return Outgoing(
            self._prefix + row["topic"],
            row["aggregateid"].encode(),
            row["payload"].encode(),
            json.loads(row["headers"]),
        )

    async def _send_alone(self, connection: asyncpg.Connection, lease: RelayLease, row: asyncpg.Record) -> None:
        error: BaseException | None = None
        for _ in range(TRIES_ALONE):
            (error,) = await self._send([row], lease)
            if error is None:
                await self._forget(connection, lease.token, [row["position"]])
                return
            await self._discard_producer()
            if not isinstance(error, REFUSED_FOR_ITSELF):
                raise error
        await connection.execute(PARK, row["topic"], row["aggregateid"], f"{type(error).__name__}: {error}"[:500])
        self._parked.add((row["topic"], row["aggregateid"]))
        log.error("outbox key parked", topic=row["topic"], order_id=row["aggregateid"], error=str(error))

    async def _forget(self, connection: asyncpg.Connection, token: UUID, positions: list[int]) -> None:
        if not positions:
            return
        if self._keeps:
            await connection.execute(ANNOUNCE, positions, token)
        else:
            await connection.execute(DELETE, positions)
        metrics.published.inc(len(positions))

    async def _started_producer(self) -> DisposableProducer:
        if self._producer is None:
            self._producer = DisposableProducer(self._kafka, "relay")
            await self._producer.start()
        return self._producer

    async def _discard_producer(self) -> None:
        if self._producer is not None:
            producer, self._producer = self._producer, None
            await producer.discard()


def _outcome(future: asyncio.Future[object]) -> BaseException | None:
    if not future.done():
        return TimeoutError("no acknowledgement in time")
    if future.cancelled():
        return TimeoutError("discarded before its acknowledgement")
    return future.exception()


def _acknowledged(rows: Sequence[asyncpg.Record], outcomes: Sequence[BaseException | None]) -> list[int]:
    """The positions that may be forgotten: acknowledged, and nothing earlier of their key is unacknowledged.

    After a refused record a fresh producer's next ones are accepted; forgetting those would break the order.
    """
    broken: set[tuple[str, str]] = set()
    positions = []
    for row, error in zip(rows, outcomes, strict=False):
        key = (row["topic"], row["aggregateid"])
        if error is not None:
            broken.add(key)
        elif key not in broken:
            positions.append(row["position"])
    return positions

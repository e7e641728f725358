"""Forced interleavings: a test goes on when another connection has come exactly as far as it must."""

from collections.abc import Sequence

from shared.contracts.message import Message, write_record
from shared.messaging.database import Connection
from shared.messaging.groups import Group
from shared.messaging.ingest_store import IngestStore
from shared.messaging.intake import Arrived, understand
from tests.plugins.kit import Kit

WAITING = """
select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'
"""
ASLEEP = "select count(*) from pg_stat_activity where datname = current_database() and wait_event = 'PgSleep'"


async def wait_for_locks(kit: Kit, count: int = 1) -> bool:
    """Whether so many connections of this database wait for a lock that another one holds."""
    return bool(await kit.pool.fetchval(WAITING) >= count)


async def sleep(kit: Kit, count: int = 1) -> bool:
    """Whether so many connections of this database are in the middle of a statement with `pg_sleep`."""
    return bool(await kit.pool.fetchval(ASLEEP) >= count)


async def taken_in(connection: Connection, kit: Kit, groups: Sequence[Group], messages: Sequence[Message]) -> None:
    """Ingest takes the messages in, in the caller's transaction: nobody sees them before it commits."""
    store = IngestStore(kit.pool, groups[0].reads, groups)
    records = [
        Arrived(message.topic.name, 0, n, message.subject.encode(), write_record(message, message.meta).encode(), [])
        for n, message in enumerate(messages)
    ]
    read = [understand(record, store.topic) for record in records]
    await store._take_in_one(connection, read, records)  # noqa: SLF001 - the transaction is the test's own

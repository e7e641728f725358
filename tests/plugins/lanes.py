"""Messages put into a group's lanes as ingest does, for tests of what works them."""

import json
from collections.abc import Sequence
from typing import Any

import asyncpg

from shared.contracts.message import Message, write_record
from shared.messaging.groups import Group
from shared.messaging.ingest_store import IngestStore
from shared.messaging.intake import Arrived
from tests.plugins.kit import Kit


async def arrive(kit: Kit, group: Group, messages: Sequence[Message]) -> None:
    """The messages are on the group's topic, and ingest takes them in."""
    store = IngestStore(kit.pool, group.reads, [group])
    arrived = [
        Arrived(group.reads.name, 0, n, message.subject.encode(), write_record(message, message.meta).encode(), [])
        for n, message in enumerate(messages)
    ]
    await store.take(arrived)


async def lane(kit: Kit, subject: str) -> asyncpg.Record:
    """The one lane of this order."""
    row = await kit.pool.fetchrow("select *, due - clock_timestamp() as wait from lane where subject = $1", subject)
    assert row is not None
    return row


async def is_idle(kit: Kit, subject: str) -> bool:
    """Whether its lane has nothing left to do."""
    return bool((await lane(kit, subject))["state"] == "idle")


async def said(kit: Kit, kind: str = "") -> list[dict[str, Any]]:
    """The documents in the outbox, of one type or of all, in the order of their positions."""
    rows = await kit.pool.fetch("select payload from outbox where $1 in ('', type) order by position", kind)
    return [json.loads(row["payload"]) for row in rows]

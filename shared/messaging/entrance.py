"""How a message enters a lane by another door than ingest: a timer, a webhook, a repair, a roll-out."""

from collections.abc import Sequence
from dataclasses import dataclass

from shared.messaging.database import Connection

STORE = """
insert into message (topic, source, subject, sequence, id, type, record)
select topic, source, subject, sequence, id, type, record
from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::bytea[])
  with ordinality u(topic, source, subject, sequence, id, type, record, ord) order by ord
returning position
"""
BOX = """
insert into inbox ("group", subject, position) select * from unnest($1::text[], $2::text[], $3::bigint[])
on conflict do nothing
"""
"""What is dead there stays so: that it is tried again is a decision of its own, and its lane may be blocked by it."""
WAKE = """
insert into lane as l ("group", subject, shop, due)
select g, s, max(shop), clock_timestamp() from unnest($1::text[], $2::text[], $3::text[]) u(g, s, shop)
group by g, s order by 1, 2
on conflict ("group", subject) do update set wake = l.wake + 1, touched = clock_timestamp(),
  state = case when l.state = 'idle' then 'ready' else l.state end,
  due = case when l.state in ('idle', 'ready') then clock_timestamp() else l.due end
"""
"""Also what waits for its next try is due now: somebody has learned something that it waits for."""


@dataclass(frozen=True)
class Entering:
    """A message on its way into one group's lane of its subject."""

    group: str
    shop: str
    topic: str
    source: str
    subject: str
    id: str
    type: str
    record: bytes
    sequence: str | None = None


async def enter(connection: Connection, entering: Sequence[Entering]) -> None:
    """Puts messages into their lanes, in the order given, in the caller's transaction; lanes are locked sorted.

    The caller rings the bell of the group's topic after the commit, or leaves it to polling.
    """
    if not entering:
        return
    await wake(connection, [(each.group, each.subject, each.shop) for each in entering])
    rows = await connection.fetch(
        STORE,
        [each.topic for each in entering],
        [each.source for each in entering],
        [each.subject for each in entering],
        [each.sequence for each in entering],
        [each.id for each in entering],
        [each.type for each in entering],
        [each.record for each in entering],
    )
    await put_in_box(
        connection, [(each.group, each.subject, row["position"]) for each, row in zip(entering, rows, strict=True)]
    )


async def wake(connection: Connection, lanes: Sequence[tuple[str, str, str]]) -> None:
    """Locks, sorted, and wakes the lanes given by group, subject and shop; makes those that are gone."""
    await connection.execute(WAKE, *([lane[column] for lane in lanes] for column in range(3)))


async def put_in_box(connection: Connection, boxes: Sequence[tuple[str, str, int]]) -> None:
    """Puts stored messages into a group's inbox again, by group, subject and position; their lanes are locked."""
    await connection.execute(BOX, *([box[column] for box in boxes] for column in range(3)))

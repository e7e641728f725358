"""How one service stands, by its database alone: the numbers that the gauges show, of one moment."""

from collections.abc import Iterable
from datetime import UTC, datetime

import asyncpg
from pydantic import BaseModel, ConfigDict

from shared.messaging.database import Connection
from shared.messaging.gauges import COUNTS, EFFECTS, INBOX, LANES

LIFE = """
select incarnation, previous, restored, coalesce(until > clock_timestamp(), false) as relays from relay
"""
WAITING = """
select "group", count(*) from lane where due is not null and failing_since is not null and state <> 'blocked' group by 1
"""
ASKED = """
select count(*) as asked, coalesce(extract(epoch from clock_timestamp() - min(asked_at)), 0)::float8 as age
from repair where state = 'asked'
"""


class Part(BaseModel):
    """A part of how a service stands."""

    model_config = ConfigDict(frozen=True, use_attribute_docstrings=True)


class Life(Part):
    """Which life of the database this is."""

    incarnation: int
    since: datetime
    previous: int | None
    """The incarnation before it."""
    restored: bool
    """Whether it was opened because the database came back from a copy."""


class Outbox(Part):
    """What was said and is not on Kafka yet."""

    rows: int
    oldest_seconds: float
    """How long the oldest of it has waited; above 60 something is wrong."""
    relay: bool
    """Whether some process holds the relay's lease."""


class Held(Part):
    """Records that came before an earlier one of their stream."""

    records: int
    oldest_seconds: float
    """How long the first of them has waited; above 60 somebody should look."""


class Asked(Part):
    """Repairs that operators asked for and nobody has done yet."""

    count: int
    oldest_seconds: float


class Lanes(Part):
    """A group of handlers: its lanes, one for each order with something to do, and the messages in them."""

    group: str
    ready: int
    """Lanes that are worked, or are worked as soon as somebody is free."""
    waiting: int
    """Lanes whose first message failed, and is tried again by itself."""
    blocked: int
    """Lanes that stand still until somebody retries or skips a dead message."""
    messages: int
    dead: int


class Standing(Part):
    """A service's numbers; those of dead messages and so on are the lengths of the lists of the same name."""

    life: Life | None
    """None where the row of the table `relay` was lost; starting the service makes a new one."""
    outbox: Outbox
    groups: list[Lanes]
    dead: int
    waiting: int
    unknown: int
    """Calls to the outside of which nobody knows whether they happened."""
    calls: int
    """Calls to the outside that are planned or under way."""
    quarantined: int
    parked: int
    held: Held
    passed: int
    """Records of types that this version does not know, kept for one that does."""
    asked: Asked
    snapshot_seconds: float
    """How old the oldest snapshot is that somebody looks at; above 60 dead rows are not cleaned away."""


async def read_standing(connection: Connection) -> Standing:
    """What the database says; all of the same moment in a transaction that sees one state."""
    life = await connection.fetchrow(LIFE)
    (counts,), (asked,) = await connection.fetch(COUNTS), await connection.fetch(ASKED)
    lanes, waiting, inbox = [by_labels(await connection.fetch(query)) for query in (LANES, WAITING, INBOX)]
    effects = by_labels(await connection.fetch(EFFECTS))
    groups = [lanes_of(group, lanes, waiting, inbox) for group in sorted({key[0] for key in lanes | waiting | inbox})]
    unknown = effects.pop(("unknown",), 0)
    return Standing(
        life=life_of(life) if life else None,
        outbox=Outbox(
            rows=counts["outbox"], oldest_seconds=counts["outbox_age"], relay=bool(life is not None and life["relays"])
        ),
        groups=groups,
        dead=sum(group.dead for group in groups),
        waiting=sum(group.waiting for group in groups),
        unknown=unknown,
        calls=sum(effects.values()),
        quarantined=counts["quarantine"],
        parked=counts["parked"],
        held=Held(records=counts["held"], oldest_seconds=counts["held_age"]),
        passed=counts["passed"],
        asked=Asked(count=asked["asked"], oldest_seconds=asked["age"]),
        snapshot_seconds=counts["snapshot_age"],
    )


def by_labels(rows: Iterable[asyncpg.Record]) -> dict[tuple[str, ...], int]:
    """The counts by what they are of."""
    return {tuple(labels): count for *labels, count in (tuple(row) for row in rows)}


def lanes_of(
    group: str,
    lanes: dict[tuple[str, ...], int],
    waiting: dict[tuple[str, ...], int],
    inbox: dict[tuple[str, ...], int],
) -> Lanes:
    """One group's numbers."""
    later = waiting.get((group,), 0)
    at_work = lanes.get((group, "ready"), 0) + lanes.get((group, "leased"), 0)
    return Lanes(
        group=group,
        ready=max(0, at_work - later),
        waiting=later,
        blocked=lanes.get((group, "blocked"), 0),
        messages=inbox.get((group, "ready"), 0),
        dead=inbox.get((group, "dead"), 0),
    )


def life_of(row: asyncpg.Record) -> Life:
    """An incarnation is the second in which it was opened."""
    since = datetime.fromtimestamp(row["incarnation"], UTC)
    return Life(incarnation=row["incarnation"], since=since, previous=row["previous"], restored=row["restored"])

"""What needs a person, or waits, as lists: the longest first where nothing else is said; a page begins behind another.

Nothing is masked here: whoever shows an `error` or a record masks it.
"""

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, Generic, TypeVar

import asyncpg
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from shared.contracts.message import NotUnderstood
from shared.contracts.reading import read_head
from shared.contracts.values import Identifier, Line, ShopId
from shared.messaging.database import Executor

MOST = 1_000
"""Items of one page."""

EPOCH, END = datetime(2000, 1, 1, tzinfo=UTC), datetime(9000, 1, 1, tzinfo=UTC)


GroupName = Annotated[Identifier | None, Field(description="Only what this group has given up.")]
Shop = Annotated[ShopId | None, Field(description="Only what is about orders of this shop.")]
TopicName = Annotated[Identifier | None, Field(description="Only what is of this topic.")]
Since = Annotated[AwareDatetime | None, Field(description="Only what came about then or later.", ge=EPOCH, lt=END)]
Words = Annotated[Line | None, Field(description="Only where the error has these words in it.")]
TypeName = Annotated[Identifier | None, Field(description="Only messages of this type.")]
KindOfCall = Annotated[Identifier | None, Field(description="Only calls of this kind.")]


class Filter(BaseModel):
    """What of a list is wanted; what is not said is not asked for."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class DeadFilter(Filter):
    """Which dead messages."""

    group: GroupName = None
    shop: Shop = None
    topic: TopicName = None
    type: TypeName = None
    since: Since = None
    error: Words = None


class UnknownFilter(Filter):
    """Which unknown effects."""

    group: GroupName = None
    shop: Shop = None
    kind: KindOfCall = None
    since: Since = None
    error: Words = None


class WaitingFilter(Filter):
    """Which lanes that are tried again later."""

    group: GroupName = None
    shop: Shop = None
    since: Since = None
    error: Words = None


class RecordFilter(Filter):
    """Which records that were not understood, or which keys that were parked."""

    topic: TopicName = None
    since: Since = None
    error: Words = None


class HeldFilter(Filter):
    """Which streams that wait for a missing record."""

    shop: Shop = None
    topic: TopicName = None
    since: Since = None


class Item(BaseModel):
    """Something that needs a person."""

    model_config = ConfigDict(frozen=True, use_attribute_docstrings=True)
    id: str
    """Names it in addresses and commands."""
    at: datetime
    """Since when."""


class Dead(Item):
    """A message that a group has given up; it keeps its place in its lane."""

    group: str
    position: int
    order: str
    shop: str
    topic: str
    type: str
    message_id: str
    attempts: int
    blocks: bool
    """Whether what comes after it waits for it."""
    error: str


class UnknownEffect(Item):
    """A call to the outside of which nobody knows whether it happened."""

    key: str
    kind: str
    group: str
    order: str
    shop: str
    attempts: int
    error: str


class WaitingLane(Item):
    """An order's messages in a group of which the first fails, and is tried again by itself."""

    group: str
    order: str
    shop: str
    attempts: int
    due: datetime | None
    """When it is tried again."""
    error: str


class QuarantinedRecord(Item):
    """A record that was not understood, kept as it came."""

    topic: str
    partition: int
    offset: int
    bytes: int
    error: str
    """Why it was not understood."""


class HeldStream(Item):
    """Records that wait for earlier ones of their stream, which are missing."""

    topic: str
    source: str
    order: str
    shop: str
    incarnation: int
    first: int
    """The first number that is missing."""
    last: int
    held: int
    """How many records wait."""


class ParkedKey(Item):
    """A key whose record the broker refuses; what is written about it later waits behind that record."""

    topic: str
    key: str
    error: str
    waiting: int


I = TypeVar("I", bound=Item)  # noqa: E741 - an item
F = TypeVar("F", bound=Filter)

DEAD = """
select i."group" || ':' || i.position as id, i.died_at as at, i."group", i.position, i.subject as "order",
  l.shop, m.topic, m.type, m.id as message_id, i.attempts, coalesce(i.error, '') as error,
  case when l.shop is null then m.record end as record,
  coalesce(
    l.state = 'blocked' and i.died_at = max(i.died_at) over (partition by i."group", i.subject), false) as blocks
from inbox i join message m on m.position = i.position
left join lane l on l."group" = i."group" and l.subject = i.subject
where i.state = 'dead'
"""
UNKNOWN = """
select e.key as id, e.started_at as at, e.key, e.kind, e."group", e.subject as "order", e.shop, e.attempts,
  coalesce(e.result->>'detail', '') as error
from effect e where e.state = 'unknown'
"""
WAITING = """
select l."group" || ':' || l.subject as id, l.failing_since as at, l."group", l.subject as "order", l.shop, l.attempts,
  l.due, coalesce(l.error, '') as error
from lane l where l.due is not null and l.failing_since is not null and l.state <> 'blocked'
"""
QUARANTINED = """
select q.position::text as id, q.at, q.topic, q.partition, q."offset", coalesce(length(q.value), 0) as bytes,
  q.reason as error
from quarantine q
"""
HELD = """
select h.topic || ':' || h.source || ':' || h.subject as id, h.at, h.topic, h.source, h.subject as "order", h.shop,
  h.incarnation, c.last + 1 as first, h.n - 1 as last, h.held
from (
  select topic, source, subject, min(at) as at, count(*) as held,
    (array_agg(shop order by incarnation, n))[1] as shop,
    (array_agg(incarnation order by incarnation, n))[1] as incarnation, (array_agg(n order by incarnation, n))[1] as n
  from held group by topic, source, subject) h
join cursor c on c.source = h.source and c.subject = h.subject and c.topic = h.topic
"""
PARKED = """
select p.topic || ':' || p.aggregateid as id, p.at, p.topic, p.aggregateid as key, p.error,
  (select count(*) from outbox o where o.topic = p.topic and o.aggregateid = p.aggregateid) as waiting
from parked p
"""
CONDITIONS = {
    "group": 't."group" = ${}',
    "shop": "(t.shop = ${} or t.shop is null)",
    "topic": "t.topic = ${}",
    "type": "t.type = ${}",
    "kind": "t.kind = ${}",
    "since": "t.at >= ${}",
    "error": "strpos(lower(t.error), lower(${})) > 0",
}


@dataclass(frozen=True, slots=True)
class Page(Generic[I]):
    """Some items, and where the next page begins; None where this is the last."""

    items: Sequence[I]
    following: str | None


class NotAPlace(ValueError):
    """This is not where a page of the list can begin."""


@dataclass(frozen=True)
class Kind(Generic[I, F]):
    """One kind of trouble: how its items are found and what may be filtered by."""

    name: str
    item: type[I]
    filter: type[F]
    query: str
    complete: Callable[[asyncpg.Record], dict[str, Any]] = dict

    async def page(
        self,
        connection: Executor,
        wanted: F,
        *,
        after: str | None = None,
        limit: int = MOST,
        latest_first: bool = False,
    ) -> Page[I]:
        """The items that fit, at most `limit` of them, behind the place where another page ended.

        Raises NotAPlace.
        """
        conditions, arguments = _conditions(wanted, first=4)
        behind, order = ("<", "t.at desc, t.id desc") if latest_first else (">", "t.at, t.id")
        query = f"""
        select * from ({self.query}) t
        where ($1::timestamptz is null or (t.at, t.id) {behind} ($1, $2::text)) {conditions}
        order by {order} limit $3
        """  # noqa: S608 - of constants
        rows = await connection.fetch(query, *(_place(after) if after else (None, None)), limit + 1, *arguments)
        following = _after(rows[limit - 1]) if len(rows) > limit else None
        items = [self.item.model_validate(self.complete(row)) for row in rows[:limit]]
        shop = getattr(wanted, "shop", None)
        return Page([each for each in items if shop is None or getattr(each, "shop", None) == shop], following)

    async def everything(self, connection: Executor, wanted: F) -> AsyncIterator[I]:
        """All items that fit, page by page."""
        after: str | None = None
        while True:
            page = await self.page(connection, wanted, after=after)
            for item in page.items:
                yield item
            after = page.following
            if after is None:
                return

    async def find(self, connection: Executor, item_id: str) -> I | None:
        """The item of this id; None where there is none, or no longer."""
        if not item_id.isprintable():
            return None
        row = await connection.fetchrow(f"select * from ({self.query}) t where t.id = $1", item_id)  # noqa: S608 - a constant
        return None if row is None else self.item.model_validate(self.complete(row))


def _conditions(wanted: Filter, first: int) -> tuple[str, list[Any]]:
    asked = {name: value for name, value in wanted if value is not None}
    words = [f"and {CONDITIONS[name].format(number)}" for number, name in enumerate(asked, start=first)]
    return " ".join(words), list(asked.values())


def _with_shop(row: asyncpg.Record) -> dict[str, Any]:
    """A message whose lane is gone says itself of which shop it is."""
    shop = row["shop"]
    if shop is None:
        try:
            shop = read_head(row["record"]).shop
        except NotUnderstood:
            shop = ""
    return {**dict(row), "shop": shop}


def _after(row: asyncpg.Record) -> str:
    return urlsafe_b64encode(json.dumps([row["at"].isoformat(), row["id"]]).encode()).decode()


def _place(after: str) -> tuple[datetime, str]:
    try:
        written, item_id = json.loads(urlsafe_b64decode(after.encode()))
        at = datetime.fromisoformat(written)
        if EPOCH <= at < END and item_id.isprintable():
            return at, item_id
    except (ValueError, TypeError, AttributeError):
        pass
    raise NotAPlace(NotAPlace.__doc__)


dead = Kind("dead", Dead, DeadFilter, DEAD, _with_shop)
waiting = Kind("waiting", WaitingLane, WaitingFilter, WAITING)
unknown = Kind("unknown", UnknownEffect, UnknownFilter, UNKNOWN)
quarantined = Kind("quarantined", QuarantinedRecord, RecordFilter, QUARANTINED)
held = Kind("held", HeldStream, HeldFilter, HELD)
parked = Kind("parked", ParkedKey, RecordFilter, PARKED)

"""The list of a shop's orders: filtered, searched, page by page by a cursor, and counted as far as anybody counts.

What many orders fit is found by walking the list from where the page begins, for so many rows; what few fit is found by
index, the weeks next to it first. Neither costs more the more orders there are.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import asyncpg

from services.orders.cursors import COLUMNS, Place, Sort
from services.orders.filters import Filter, Query, conditions, limits
from shared.messaging.database import Connection

COUNTED = 1_000
"""Nobody counts further: more than that is `1,000+`."""
ROOT = "root"
"""What a filter calls the orders that lie in no folder (R042)."""
WALKED = 500
"""So many rows are looked at one by one before an index is asked; a page is never longer."""
WALKED_BY_WORD, WALKED_TO_COUNT = 2_000, 2_000
WEEK = timedelta(weeks=1)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
AT_MOST_KEYS = 2_000
"""Keys of one statement: tags times weeks."""

SHOWN = """
o.id, o.number, o.placed_at, o.version, o.tags, o.place, b.status, b.internal_status, b.folder, b.processing, b.goods,
b.payment_status, coalesce(b.cancelled, false) as cancelled, b.customer->>'full_name' as full_name,
b.customer->>'company' as company, b.customer->>'email' as email, b.customer->>'customer_id' as customer_id,
(b.totals#>>'{incl_vat,amount}')::bigint as amount, b.currency, b.language, b.changed_at, b.changed_by, b.attention
"""
# The body is taken apart once for each row that is shown: what reads it field by field unpacks it for every one.
BODY = """
cross join lateral jsonb_to_record(o.body) b(
  status text, internal_status text, folder text, processing text, goods text, payment_status text, cancelled boolean,
  customer jsonb, totals jsonb, currency text, language text, changed_at text, changed_by text, attention jsonb
)
"""
# The keys of all weeks in which the shop has orders.
ALL_WEEKS = """
(select order_keys_wanted($1, {tags}::text[], order_week(min(placed_at)), order_week(max(placed_at)))
 from orders where shop = $1)
"""
BY_KEYS = "order_keys(shop, placed_at, tags) && "
ENDS = "select min(placed_at), max(placed_at) from orders where shop = $1"
OF_CUSTOMER = f"""
select b.currency, count(*) as orders, min(placed_at) as first, max(placed_at) as last,
  count(*) filter (where b.cancelled) as cancelled,
  coalesce(sum((b.totals#>>'{{incl_vat,amount}}')::bigint) filter (where b.cancelled is not true), 0)::bigint as amount,
  coalesce(sum((b.paid->>'captured')::bigint - (b.paid->>'refunded')::bigint), 0)::bigint as paid
from orders cross join lateral jsonb_to_record(body) b(currency text, cancelled boolean, totals jsonb, paid jsonb)
where {BY_KEYS} {ALL_WEEKS.format(tags="$2")} and shop = $1 and tags @> $2::text[] group by 1 order by 1
"""  # noqa: S608 - made of the constants above


@dataclass(frozen=True)
class Page:
    """Some orders of the list, and from where the next ones go on."""

    rows: list[asyncpg.Record]
    cursor: str | None


@dataclass(frozen=True)
class Reading:
    """One list that is read: whose, which part of it, in which order."""

    connection: Connection
    shop: str
    wanted: Filter
    sort: Sort = "-placed_at"

    @property
    def column(self) -> str:
        """What it is sorted by."""
        return self.sort.lstrip("-")

    @property
    def descending(self) -> bool:
        """Whether the greatest come first."""
        return self.sort.startswith("-")

    @property
    def order(self) -> str:
        """As SQL has it, of a row `o` with its place in it."""
        way = "desc" if self.descending else "asc"
        return f"o.place {way}, o.id {way}"

    def source(self, query: Query, place: Place | None) -> list[str]:
        """The conditions that its own index knows: the shop, the limits of the column and where to begin."""
        found = ["shop = $1", *limits(query, self.wanted, self.column)]
        if place is not None:
            sign = "<" if self.descending else ">"
            found.append(f"({COLUMNS[self.column]}, id) {sign} ({query.of(place.value)}, {query.of(place.id)})")
        return found

    async def walk(self, place: Place | None, most: int, walked: int) -> list[asyncpg.Record]:
        """Those of the next `walked` rows that fit, at most so many; and the last of them, if it came to that, `last`."""
        query = Query([self.shop])
        source = " and ".join(self.source(query, place))
        fits, way = conditions(query, self.wanted, but=self.column), "desc" if self.descending else "asc"
        column = COLUMNS[self.column]
        rows = await self.connection.fetch(
            f"""
            select {SHOWN}, o.fits, o.nth = {walked} as last from (
              select *, ({fits}) as fits, row_number() over (order by place {way}, id {way}) as nth from (
                select *, {column} as place from orders where {source}
                order by {column} {way}, id {way} limit {walked}
              ) o
            ) o {BODY} where o.fits or o.nth = {walked} order by {self.order} limit {query.of(most)}
            """,  # noqa: S608 - values are parameters
            *query.parameters,
        )
        return list(rows)

    async def find(self, place: Place | None, most: int, weeks: tuple[int, int] | None = None) -> list[asyncpg.Record]:
        """The next rows that fit, at most so many, by the indexes on what they must be; in these weeks, or in all."""
        query = Query([self.shop])
        by_index = self.by_index(query, weeks)
        rest = " and ".join([*self.source(query, place), conditions(query, self.wanted, but=self.column)])
        if weeks is not None:
            first, last = (EPOCH + week * WEEK for week in (weeks[0], weeks[1] + 1))
            rest += f" and placed_at >= {query.of(first)} and placed_at < {query.of(last)}"
        rows = await self.connection.fetch(
            f"""
            select {SHOWN} from (
              select * from (
                select *, {COLUMNS[self.column]} as place from (
                  select * from orders where {by_index} offset 0
                ) orders where {rest}
              ) o order by {self.order} limit {query.of(most)}
            ) o {BODY} order by {self.order}
            """,  # noqa: S608 - values are parameters
            *query.parameters,
        )
        return list(rows)

    def by_index(self, query: Query, weeks: tuple[int, int] | None) -> str:
        """Conditions that indexes answer, and no others: the planner is to choose none that goes by the sort."""
        found = []
        for tags in self.wanted.tags:
            wanted = query.of(list(tags))
            if weeks is None:
                found.append(BY_KEYS + ALL_WEEKS.format(tags=wanted))
            else:
                between = f"{query.of(weeks[0])}, {query.of(weeks[1])}"
                found.append(f"{BY_KEYS} (select order_keys_wanted($1, {wanted}::text[], {between}))")
        if self.wanted.words:
            found.append(f"words @@ to_tsquery('simple', {query.of(self.wanted.words)})")
        return " and ".join(found) or f"shop = {query.of(self.shop)}"

    async def windows(self, place: Place | None) -> Iterator[tuple[int, int]]:
        """The weeks in which there may be more, the next first, four times as many each time."""
        ends = await self.connection.fetchrow(ENDS, self.shop)
        if ends is None or ends[0] is None:
            return iter(())
        first: datetime = max(ends[0], self.wanted.placed_from or ends[0])
        last: datetime = min(ends[1], self.wanted.placed_before or ends[1])
        if place is not None and self.column == "placed_at":
            first, last = (first, min(last, place.value)) if self.descending else (max(first, place.value), last)
        each = max(len(tags) for tags in self.wanted.tags)
        return windows_of(week_of(first), week_of(last), AT_MOST_KEYS // each, newest_first=self.descending)


async def list_page(
    connection: Connection, shop: str, wanted: Filter, *, sort: Sort = "-placed_at", after: str = "", limit: int = 50
) -> Page:
    """At most `limit` orders of the shop. Raises Refused: `wrong-cursor`."""
    reading = Reading(connection, shop, wanted, sort)
    rows = await _rows(reading, Place.read(after, shop, sort) if after else None, limit + 1)
    more = len(rows) > limit
    last = rows[limit - 1] if more else None
    return Page(rows[:limit], Place(last["place"], last["id"]).cursor(shop, sort) if last is not None else None)


async def _rows(reading: Reading, place: Place | None, most: int) -> list[asyncpg.Record]:
    walked = await reading.walk(place, most, WALKED_BY_WORD if reading.wanted.words else WALKED)
    rows = [row for row in walked if row["fits"]]
    if len(rows) == most or not (walked and walked[-1]["last"]):
        return rows
    place = Place(walked[-1]["place"], walked[-1]["id"])
    if reading.wanted.words or not reading.wanted.tags or reading.column != "placed_at":
        return rows + await reading.find(place, most - len(rows))
    for weeks in await reading.windows(place):
        rows += await reading.find(place, most - len(rows), weeks)
        if len(rows) == most:
            break
    return rows


async def count(connection: Connection, shop: str, wanted: Filter) -> tuple[int, bool]:
    """How many orders fit, and whether there are more than anybody counts."""
    found = await _counted(Reading(connection, shop, wanted))
    return min(found, COUNTED), found > COUNTED


async def _counted(reading: Reading) -> int:
    wanted = reading.wanted
    query = Query([reading.shop])
    source = " and ".join(reading.source(query, None))
    if not wanted.words and not wanted.tags:
        rest = conditions(query, wanted, but="placed_at")
        return await _count(reading, query, f"select from orders where {source} and {rest}")  # noqa: S608
    fits = conditions(query, wanted, but="placed_at")
    row = await reading.connection.fetchrow(
        f"""
        select count(*), count(*) filter (where {fits}) from (
          select * from orders where {source} order by placed_at desc, id desc limit {WALKED_TO_COUNT}
        ) o
        """,  # noqa: S608 - values are parameters
        *query.parameters,
    )
    looked, found = row or (0, 0)
    if found > COUNTED or looked < WALKED_TO_COUNT:
        return int(found)
    if wanted.words:
        return await _found(reading, None, COUNTED + 1)
    found = 0
    for weeks in await reading.windows(None):
        found += await _found(reading, weeks, COUNTED + 1 - found)
        if found > COUNTED:
            break
    return int(found)


async def _found(reading: Reading, weeks: tuple[int, int] | None, most: int) -> int:
    query = Query([reading.shop])
    by_index = reading.by_index(query, weeks)
    rest = " and ".join([*reading.source(query, None), conditions(query, reading.wanted, but="placed_at")])
    if weeks is not None:
        first, last = (EPOCH + week * WEEK for week in (weeks[0], weeks[1] + 1))
        rest += f" and placed_at >= {query.of(first)} and placed_at < {query.of(last)}"
    rows = f"select from (select * from orders where {by_index} offset 0) o where {rest}"  # noqa: S608 - as above
    return await _count(reading, query, rows, most)


async def _count(reading: Reading, query: Query, rows: str, most: int = COUNTED + 1) -> int:
    counted = f"select count(*) from ({rows} limit {query.of(most)}) counted"  # noqa: S608 - values are parameters
    return int(await reading.connection.fetchval(counted, *query.parameters))


def week_of(at: datetime) -> int:
    """As `order_week`."""
    return (at - EPOCH) // WEEK


def windows_of(first: int, last: int, most: int, *, newest_first: bool) -> Iterator[tuple[int, int]]:
    """All of these weeks in pieces: one, four, sixteen, but never more than `most`."""
    size = 1
    while first <= last:
        if newest_first:
            piece = max(first, last - size + 1), last
            last = piece[0] - 1
        else:
            piece = first, min(last, first + size - 1)
            first = piece[1] + 1
        yield piece
        size = min(size * 4, max(1, most))


async def sums_of_customer(connection: Connection, shop: str, customer_id: str) -> list[asyncpg.Record]:
    """What the orders of a customer come to, one row for each currency; none where there is no such customer."""
    return list(await connection.fetch(OF_CUSTOMER, shop, [f"c:{customer_id}"]))

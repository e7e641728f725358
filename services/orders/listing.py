"""The list of a shop's orders: filtered, searched, page by page by a cursor, and counted as far as anybody counts.

What many orders fit is found by walking the list from where the page begins, for so many rows; what few fit is found by
index, the weeks next to it first. Neither costs more the more orders there are.
"""

import math
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
WALKED = 300
"""So many rows are looked at one by one before an index is asked; a page is never longer."""
WALKED_BY_WORD = 2_500
"""The same where words are looked for."""
FEW = 2_000
"""So many are sorted by what no index has together with what they must be; of more, the next ones are walked to."""
WEEK = timedelta(weeks=1)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
AT_MOST_KEYS = 2_000
"""Keys of one statement: tags times weeks."""

TO_PAY = "(b.totals#>>'{incl_vat,amount}')::bigint + coalesce((b.totals->>'rounding')::bigint, 0)"
SHOWN = f"""
o.id, o.number, o.placed_at, o.version, o.tags, o.place, b.status, b.internal_status, b.folder, b.processing, b.goods,
b.payment_status, coalesce(b.cancelled, false) as cancelled, b.customer->>'full_name' as full_name,
b.customer->>'company' as company, b.customer->>'email' as email, b.customer->>'customer_id' as customer_id,
{TO_PAY} as amount, b.currency, b.language, b.changed_at, b.changed_by, b.attention
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
  coalesce(sum({TO_PAY}) filter (where b.cancelled is not true), 0)::bigint as amount,
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
        """Those of the next `walked` rows that fit, at most so many; and the `last` of them, if it came to that."""
        query = Query([self.shop])
        source = " and ".join(self.source(query, place))
        fits, way = conditions(query, self.wanted, but=self.column), "desc" if self.descending else "asc"
        if fits == "true":
            walked = most
        column = COLUMNS[self.column]
        return await self.rows(
            query,
            f"""
            select {SHOWN}, o.fits, o.last from (
              select *, {column} as place from (
                select *, ({fits}) as fits, row_number() over () = {walked} as last from (
                  select * from orders where {source} order by {column} {way}, id {way} limit {walked}
                ) orders
              ) orders where fits or last limit {query.of(most)}
            ) o {BODY} order by {self.order}
            """,  # noqa: S608 - values are parameters
        )

    async def find(self, place: Place | None, most: int, weeks: tuple[int, int] | None = None) -> list[asyncpg.Record]:
        """The next rows that fit, at most so many, by the indexes on what they must be; in these weeks, or in all."""
        query = Query([self.shop])
        by_index = self.by_index(query, weeks)
        rest = " and ".join([*self.source(query, place), conditions(query, self.wanted, but=self.column)])
        if weeks is not None:
            first, last = (EPOCH + week * WEEK for week in (weeks[0], weeks[1] + 1))
            rest += f" and placed_at >= {query.of(first)} and placed_at < {query.of(last)}"
        return await self.rows(
            query,
            f"""
            select {SHOWN} from (
              select * from (
                select *, {COLUMNS[self.column]} as place from ({by_index}) orders where {rest}
              ) o order by {self.order} limit {query.of(most)}
            ) o {BODY} order by {self.order}
            """,  # noqa: S608 - values are parameters
        )

    async def rows(self, query: Query, statement: str) -> list[asyncpg.Record]:
        """What the statement gives; with words it is planned each time, since all depends on how common they are."""
        if self.wanted.words:
            prepared = await self.connection.prepare(statement)
            return list(await prepared.fetch(*query.parameters))
        return list(await self.connection.fetch(statement, *query.parameters))

    def by_index(self, query: Query, weeks: tuple[int, int] | None) -> str:
        """Orders that indexes find by what they must be; the planner is to choose none that goes by the sort."""
        found = []
        for tags in self.wanted.tags:
            wanted = query.of(list(tags))
            if weeks is None:
                found.append(BY_KEYS + ALL_WEEKS.format(tags=wanted))
            else:
                between = f"{query.of(weeks[0])}, {query.of(weeks[1])}"
                found.append(f"{BY_KEYS} (select order_keys_wanted($1, {wanted}::text[], {between}))")
        if self.wanted.words:
            found += ["shop = $1", f"words @@ to_tsquery('simple', {query.of(self.wanted.words)})"]
        if self.wanted.numbers != (None, None):
            found += ["shop = $1", *limits(query, self.wanted, "number")]
        return f"select * from orders where {' and '.join(found)} offset 0" if found else "select * from orders"  # noqa: S608 - as above

    @property
    def by_weeks(self) -> bool:
        """Whether what fits is found week by week."""
        return bool(self.wanted.tags) and not self.wanted.words and self.wanted.numbers == (None, None)

    async def weeks(self, place: Place | None) -> tuple[int, int]:
        """The first and the last week in which there may be more; the first is the later one where there are none."""
        ends = await self.connection.fetchrow(ENDS, self.shop)
        if ends is None or ends[0] is None:
            return 1, 0
        first: datetime = max(ends[0], self.wanted.placed_from or ends[0])
        last: datetime = min(ends[1], self.wanted.placed_before or ends[1])
        if place is not None:
            first, last = (first, min(last, place.value)) if self.descending else (max(first, place.value), last)
        return week_of(first), week_of(last)

    async def find_by_weeks(self, place: Place, most: int) -> list[asyncpg.Record]:
        """The next rows that fit, at most so many: as many weeks at a time as are likely to have them."""
        first, last = await self.weeks(place)
        rows: list[asyncpg.Record] = []
        size = 1
        while first <= last and len(rows) < most:
            size = min(size, max(1, AT_MOST_KEYS // max(len(tags) for tags in self.wanted.tags)))
            if self.descending:
                piece = max(first, last - size + 1), last
                last = piece[0] - 1
            else:
                piece = first, min(last, first + size - 1)
                first = piece[1] + 1
            found = await self.find(place, most - len(rows), piece)
            rows += found
            size *= min(16, math.ceil(1.5 * (most - len(rows)) / len(found))) if found else 4
        return rows


async def list_page(
    connection: Connection,
    shop: str,
    wanted: Filter,
    *,
    sort: Sort = "-placed_at",
    after: str = "",
    limit: int = 50,
    walked: int | None = None,
) -> Page:
    """At most `limit` orders of the shop. Raises Refused: `wrong-cursor`.

    `walked` says how many rows are looked at one by one, where the usual number is not wanted.
    """
    reading = Reading(connection, shop, wanted, sort)
    place = Place.read(after, shop, sort) if after else None
    rows = await _rows(reading, place, limit + 1, walked or (WALKED_BY_WORD if wanted.words else WALKED))
    more = len(rows) > limit
    last = rows[limit - 1] if more else None
    return Page(rows[:limit], Place(last["place"], last["id"]).cursor(shop, sort) if last is not None else None)


async def _rows(reading: Reading, place: Place | None, most: int, walked: int) -> list[asyncpg.Record]:
    looked = await reading.walk(place, most, walked)
    rows = [row for row in looked if row["fits"]]
    while len(rows) < most and looked and looked[-1]["last"]:
        place = Place(looked[-1]["place"], looked[-1]["id"])
        if reading.by_weeks and reading.column == "placed_at":
            return rows + await reading.find_by_weeks(place, most - len(rows))
        if not reading.by_weeks or await _counted(reading, FEW + 1) <= FEW:
            return rows + await reading.find(place, most - len(rows))
        walked *= 20
        looked = await reading.walk(place, most - len(rows), walked)
        rows += [row for row in looked if row["fits"]]
    return rows


async def count(connection: Connection, shop: str, wanted: Filter) -> tuple[int, bool]:
    """How many orders fit, and whether there are more than anybody counts."""
    found = await _counted(Reading(connection, shop, wanted), COUNTED + 1)
    return min(found, COUNTED), found > COUNTED


async def _counted(reading: Reading, most: int) -> int:
    if not reading.by_weeks:
        if reading.wanted.words and (found := await _found_on_a_walk(reading, most)) is not None:
            return found
        return await _found(reading, None, most)
    first, last = await reading.weeks(None)
    size = found = 0
    while first <= last and found < most:
        size = min(max(1, size * 4), max(1, AT_MOST_KEYS // max(len(tags) for tags in reading.wanted.tags)))
        found += await _found(reading, (max(first, last - size + 1), last), most - found)
        last -= size
    return found


async def _found_on_a_walk(reading: Reading, most: int) -> int | None:
    """How many fit, where that is seen from the newest orders: common words stand in many of them."""
    query = Query([reading.shop])
    source, fits = " and ".join(reading.source(query, None)), conditions(query, reading.wanted, but="placed_at")
    (row,) = await reading.rows(
        query,
        f"""
        select count(*) as looked, count(*) filter (where {fits}) as found from (
          select * from orders where {source} order by placed_at desc, id desc limit {WALKED_BY_WORD}
        ) o
        """,  # noqa: S608 - values are parameters
    )
    if row["looked"] == WALKED_BY_WORD and row["found"] < most:
        return None
    return min(most, int(row["found"]))


async def _found(reading: Reading, weeks: tuple[int, int] | None, most: int) -> int:
    query = Query([reading.shop])
    by_index, wanted = reading.by_index(query, weeks), reading.wanted
    rest = " and ".join([*reading.source(query, None), conditions(query, wanted, but="placed_at")])
    if weeks is not None and not wanted.without and wanted.placed_from is None and wanted.placed_before is None:
        rest = "true"  # the keys alone say it, so the orders are not read: of two tags one in 2**64 has the same key
        query = Query([reading.shop])
        by_index = reading.by_index(query, weeks).removesuffix("offset 0")
    elif weeks is not None:
        first, last = (EPOCH + week * WEEK for week in (weeks[0], weeks[1] + 1))
        rest += f" and placed_at >= {query.of(first)} and placed_at < {query.of(last)}"
    most_of = query.of(most)
    counted = f"select count(*) from (select from ({by_index}) o where {rest} limit {most_of}) o"  # noqa: S608
    return int((await reading.rows(query, counted))[0]["count"])


def week_of(at: datetime) -> int:
    """As `order_week`."""
    return (at - EPOCH) // WEEK


async def sums_of_customer(connection: Connection, shop: str, customer_id: str) -> list[asyncpg.Record]:
    """What the orders of a customer come to, one row for each currency; none where there is no such customer."""
    return list(await connection.fetch(OF_CUSTOMER, shop, [f"c:{customer_id}"]))

"""The list of a shop's orders: filtered, searched, page by page by a cursor, and counted as far as anybody counts."""

import base64
import binascii
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal
from uuid import UUID

import asyncpg

from shared.contracts.refusal import Refused
from shared.messaging.database import Connection

Sort = Literal["-placed_at", "placed_at", "-number", "number"]
COUNTED = 1_000
"""Nobody counts further: more than that is `1,000+`."""
ROOT = "root"
"""What a filter calls the orders that lie in no folder (R042)."""
MAX_WORDS = 10
MAX_NUMBER = 2**63 - 1

TO_PAY = "((body#>>'{totals,incl_vat,amount}')::bigint + coalesce((body#>>'{totals,rounding}')::bigint, 0))"

FIELDS = f"""
o.id, o.number, o.placed_at, o.version, o.tags, body->>'status' as status, body->>'internal_status' as internal_status,
body->>'folder' as folder, body->>'processing' as processing, body->>'goods' as goods,
body->>'payment_status' as payment_status, coalesce((body->'cancelled')::boolean, false) as cancelled,
body->'customer'->>'full_name' as full_name, body->'customer'->>'company' as company,
body->'customer'->>'email' as email, body->'customer'->>'customer_id' as customer_id,
{TO_PAY} as amount, body->>'currency' as currency, body->>'language' as language,
body->>'changed_at' as changed_at, body->>'changed_by' as changed_by, body->'attention' as attention
"""

OF_CUSTOMER = f"""
select body->>'currency' as currency, count(*) as orders, min(placed_at) as first, max(placed_at) as last,
  count(*) filter (where tags @> array['x']) as cancelled,
  coalesce(sum({TO_PAY}) filter (where not tags @> array['x']), 0)::bigint as amount,
  coalesce(sum((body#>>'{{paid,captured}}')::bigint - (body#>>'{{paid,refunded}}')::bigint), 0)::bigint as paid
from orders where shop = $1 and tags @> $2::text[] group by 1 order by 1
"""  # noqa: S608 - it is a constant


@dataclass(frozen=True)
class Filter:
    """What is looked for: of several words of one kind any fits, of several kinds all must."""

    tags: Sequence[Sequence[str]] = ()
    """As in `order_tags`: one list for each kind."""
    without: Sequence[str] = ()
    """Tags that an order must not have."""
    text: str = ""
    placed_from: datetime | None = None
    placed_before: datetime | None = None
    numbers: tuple[int | None, int | None] = (None, None)


@dataclass
class Query:
    """SQL that grows, and its parameters."""

    clauses: list[str] = field(default_factory=list)
    parameters: list[Any] = field(default_factory=list)

    def where(self, clause: str, *values: object) -> None:
        """A condition, in which each `?` stands for the next of these values."""
        for value in values:
            self.parameters.append(value)
            clause = clause.replace("?", f"${len(self.parameters)}", 1)
        self.clauses.append(clause)

    def condition(self) -> str:
        """All conditions together."""
        return " and ".join(self.clauses)


@dataclass(frozen=True)
class Page:
    """Some orders of the list, and from where the next ones go on."""

    rows: list[asyncpg.Record]
    cursor: str | None


async def list_page(
    connection: Connection, shop: str, wanted: Filter, *, sort: Sort = "-placed_at", after: str = "", limit: int = 50
) -> Page:
    """At most `limit` orders of the shop. Raises Refused: `wrong-cursor`."""
    query = query_of(shop, wanted)
    column, descending = sort.lstrip("-"), sort.startswith("-")
    if after:
        query.where(f"({column}, id) {'<' if descending else '>'} (?, ?)", *read_cursor(after, shop, sort))
    way = "desc" if descending else "asc"
    query.parameters.append(limit + 1)
    rows = await connection.fetch(
        f"select {FIELDS} from orders o where {query.condition()} "  # noqa: S608 - values are parameters
        f"order by {column} {way}, id {way} limit ${len(query.parameters)}",
        *query.parameters,
    )
    more = len(rows) > limit
    return Page(rows[:limit], make_cursor(rows[limit - 1], shop, sort) if more else None)


async def count(connection: Connection, shop: str, wanted: Filter) -> tuple[int, bool]:
    """How many orders fit, and whether there are more than anybody counts."""
    query = query_of(shop, wanted)
    query.parameters.append(COUNTED + 1)
    found = await connection.fetchval(
        f"select count(*) from (select from orders where {query.condition()} "  # noqa: S608 - values are parameters
        f"limit ${len(query.parameters)}) counted",
        *query.parameters,
    )
    return min(found, COUNTED), found > COUNTED


def query_of(shop: str, wanted: Filter) -> Query:
    """The conditions of a filter."""
    query = Query()
    query.where("shop = ?", shop)
    for tags in wanted.tags:
        query.where("tags @> ?::text[]" if len(tags) == 1 else "tags && ?::text[]", list(tags))
    if wanted.without:
        query.where("not tags && ?::text[]", list(wanted.without))
    if words := to_words(wanted.text):
        query.where("words @@ to_tsquery('simple', ?)", words)
    if wanted.placed_from is not None:
        query.where("placed_at >= ?", wanted.placed_from)
    if wanted.placed_before is not None:
        query.where("placed_at < ?", wanted.placed_before)
    lowest, highest = wanted.numbers
    if lowest is not None:
        query.where("number >= ?", lowest)
    if highest is not None:
        query.where("number <= ?", highest)
    return query


def to_words(text: str) -> str:
    """What is typed, as the beginnings of words that must all be there; at most ten of them."""
    words = re.findall(r"[^\s'&|!():*<>\\]+", text)[:MAX_WORDS]
    return " & ".join("'" + word.replace("'", "''") + "':*" for word in words)


def make_cursor(row: asyncpg.Record, shop: str, sort: Sort) -> str:
    """The place of a row in the list of a shop in this order."""
    value = row["number"] if sort.endswith("number") else row["placed_at"].isoformat()
    said = json.dumps([shop, sort, value, str(row["id"])], separators=(",", ":"))
    return base64.urlsafe_b64encode(said.encode()).decode().rstrip("=")


def read_cursor(cursor: str, shop: str, sort: Sort) -> tuple[Any, UUID]:
    """The place that a cursor means. Raises Refused, `wrong-cursor`, for one of another list."""
    try:
        of_shop, of_sort, value, order_id = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        place = number_in(value) if sort.endswith("number") else moment_in(value)
        found = place, UUID(order_id)
    except (ValueError, TypeError, AttributeError, OverflowError, RecursionError, binascii.Error):
        raise Refused("wrong-cursor", "the cursor is not one that this list has given") from None
    if (of_shop, of_sort) != (shop, sort):
        raise Refused("wrong-cursor", "the cursor is of another list")
    return found


def number_in(value: Any) -> int:
    """An order number that the database can look for. Raises ValueError: anybody can write a cursor."""
    if type(value) is not int or not 0 <= value <= MAX_NUMBER:
        raise ValueError("no number of an order")
    return value


def moment_in(value: Any) -> datetime:
    """A moment that the database can look for. Raises ValueError, TypeError or OverflowError."""
    moment = datetime.fromisoformat(value)
    if moment.tzinfo is None:
        raise ValueError("no zone")
    return moment.astimezone(UTC)


async def sums_of_customer(connection: Connection, shop: str, customer_id: str) -> list[asyncpg.Record]:
    """What the orders of a customer come to, one row for each currency; none where there is no such customer."""
    return list(await connection.fetch(OF_CUSTOMER, shop, [f"c:{customer_id}"]))

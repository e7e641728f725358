"""What the tables of one database tell of an order; one that not every service has may be missing."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import asyncpg

from shared.messaging.database import Connection
from shared.ops.servers import ANSWER_WITHIN, Database, Unavailable, connected
from shared.runtime.masking import masked_text

EXISTS = "select to_regclass($1) is not null"


@dataclass(frozen=True)
class Entry:
    """One thing that happened to an order, or, without a time, how something stands now."""

    what: str
    text: str
    at: datetime | None = None
    wrong: bool = False
    """Whether a person has to do something about it."""
    document: Any = None
    """The message itself, its personal fields masked."""
    where: str = ""


@dataclass(frozen=True)
class Chapter:
    """A table, a query for its rows about the order `$1` (text), and what such a row says.

    `optional`: not every service has the table. `bounded`: the table is large and has no index on orders, so that rows
    are wanted from the time `$2` on only.
    """

    table: str
    query: str
    tell: Callable[[asyncpg.Record], Entry]
    optional: bool = False
    bounded: bool = False


@dataclass
class Told:
    """The entries found in one place, and a sentence for everything that could not be asked there."""

    entries: list[Entry]
    missing: list[str]


async def tell(database: Database, order: str, chapters: Sequence[Chapter], since: datetime | None) -> Told:
    """What a service's database knows of the order, in the chapters' order; `since` is for those that are bounded."""
    told = Told([], [])
    try:
        async with connected(database) as connection:
            for chapter in chapters:
                if not chapter.optional or await connection.fetchval(EXISTS, chapter.table):
                    await _read(connection, chapter, order, since, told)
    except Unavailable as error:
        told.missing.append(str(error))
    told.entries = [replace(entry, where=database.service, text=masked_text(entry.text)) for entry in told.entries]
    return told


async def _read(connection: Connection, chapter: Chapter, order: str, since: datetime | None, told: Told) -> None:
    arguments = (order, since) if chapter.bounded else (order,)
    try:
        told.entries += [chapter.tell(row) for row in await connection.fetch(chapter.query, *arguments)]
    except asyncpg.QueryCanceledError:
        told.missing.append(f"the table {chapter.table} did not answer within {ANSWER_WITHIN:.0f} s")


def behind(column: str, table: str) -> str:
    """A query's beginning: `few(value)`, the few values of the first column of a key, so that the key finds the order.

    Without it PostgreSQL reads from end to end a table that is kept for ever.
    """
    return (
        f'with recursive few(value) as ((select "{column}" from {table} order by 1 limit 1) union all '  # noqa: S608
        f'select (select "{column}" from {table} where "{column}" > few.value order by 1 limit 1) from few '
        "where few.value is not null) "
    )

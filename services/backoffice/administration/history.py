"""Who has changed which settings, when and what: a row is written with the change and never altered."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from services.backoffice.sessions import Visitor
from shared.runtime.database import Connection

NOTE = "insert into change (shop, actor, area, deed, about, what) values ($1, $2, $3, $4, $5, $6)"
LIST = """
select c.id, c.at, c.shop, c.actor, p.name as who, c.area, c.deed, c.about, w.name as whom, c.what::text
from change c left join person p on p.id = c.actor left join person w on w.id = c.about and c.area = 'people'
where ($1::text is null or c.shop = $1) and c.area = any ($2::text[]) and c.id > $3
order by c.id desc limit $4
"""
LATEST = "select coalesce(max(id), 0) from change where shop = $1"
SHOWN = 25


@dataclass(frozen=True)
class Change:
    """One of them: `deed` is a stable word, `about` says of what, `what` has the rest."""

    id: int
    at: datetime
    shop: str
    actor: str
    who: str | None
    area: str
    deed: str
    about: str
    whom: str | None
    """The name of whoever it is about, where it is about somebody."""
    what: Mapping[str, Any]


@dataclass(frozen=True)
class Done:
    """What is to be written down."""

    deed: str
    about: str = ""
    what: Mapping[str, Any] | None = None


async def note(connection: Connection, visitor: Visitor, shop: str, area: str, done: Sequence[Done]) -> None:
    """Write down what this person has done."""
    rows = [(shop, visitor.id, area, each.deed, each.about, json.dumps(each.what or {})) for each in done]
    await connection.executemany(NOTE, rows)


async def changes(
    connection: Connection, shop: str | None, areas: Sequence[str], *, since: int = 0, most: int = SHOWN
) -> list[Change]:
    """What was changed in a shop, or in all, the newest first."""
    rows = await connection.fetch(LIST, shop, list(areas), since, most)
    return [Change(**{**row, "what": json.loads(row["what"])}) for row in rows]


async def latest(connection: Connection, shop: str) -> int:
    """The newest change of a shop; 0 where there is none."""
    return int(await connection.fetchval(LATEST, shop))

"""What is looked for in the list of orders, and the conditions that say so."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

MAX_WORDS = 10


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

    @property
    def words(self) -> str:
        """What is typed, as the beginnings of words that must all be there; at most ten of them."""
        words = re.findall(r"[^\s'&|!():*<>\\]+", self.text)[:MAX_WORDS]
        return " & ".join("'" + word.replace("'", "''") + "':*" for word in words)


@dataclass
class Query:
    """SQL that grows, and its parameters."""

    parameters: list[Any] = field(default_factory=list)

    def of(self, value: object) -> str:
        """The parameter that stands for this value."""
        self.parameters.append(value)
        return f"${len(self.parameters)}"


def limits(query: Query, wanted: Filter, column: str) -> list[str]:
    """The conditions on one column, by which an index on it is read from where they begin to where they end."""
    lowest, highest = wanted.numbers
    known: dict[str, list[tuple[str, object]]] = {
        "placed_at": [(">=", wanted.placed_from), ("<", wanted.placed_before)],
        "number": [(">=", lowest), ("<=", highest)],
    }
    return [f"{column} {sign} {query.of(value)}" for sign, value in known.get(column, []) if value is not None]


def conditions(query: Query, wanted: Filter, but: str = "") -> str:
    """All that an order must be, beside the shop's; without the limits of the column `but`."""
    found = ["tags && " + query.of(list(tags)) + "::text[]" for tags in wanted.tags]
    if wanted.without:
        found.append(f"not tags && {query.of(list(wanted.without))}::text[]")
    if wanted.words:
        found.append(f"words @@ to_tsquery('simple', {query.of(wanted.words)})")
    for column in ("placed_at", "number"):
        if column != but:
            found += limits(query, wanted, column)
    return " and ".join(found) or "true"

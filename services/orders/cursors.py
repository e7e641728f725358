"""In which order the list is read, and the cursor that names a place in it: of one shop and one order of rows alone."""

import base64
import binascii
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal, Self
from uuid import UUID

from shared.contracts.refusal import Refused

Sort = Literal[
    "-placed_at", "placed_at", "-number", "number", "-changed_at", "changed_at", "-amount", "amount", "-name", "name"
]
COLUMNS = {
    "placed_at": "placed_at",
    "number": "number",
    "changed_at": "order_changed_at(body, placed_at)",
    "amount": "order_amount(body)",
    "name": 'order_name(body) collate "C"',
}
"""Each has an index by shop, itself and the id."""
TIMES = {"placed_at", "changed_at"}


@dataclass(frozen=True)
class Place:
    """A place between two rows: behind the one with this value and this id."""

    value: Any
    id: UUID

    def cursor(self, shop: str, sort: Sort) -> str:
        """The same for callers."""
        value = self.value.isoformat() if isinstance(self.value, datetime) else self.value
        said = json.dumps([shop, sort, value, str(self.id)], separators=(",", ":"))
        return base64.urlsafe_b64encode(said.encode()).decode().rstrip("=")

    @classmethod
    def read(cls, cursor: str, shop: str, sort: Sort) -> Self:
        """The place that a cursor means. Raises Refused, `wrong-cursor`, for one of another list."""
        try:
            of_shop, of_sort, value, order_id = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
            place = cls(_value(value, sort.lstrip("-")), UUID(order_id))
        except (ValueError, TypeError, AttributeError, OverflowError, RecursionError, binascii.Error):
            raise Refused("wrong-cursor", "the cursor is not one that this list has given") from None
        if (of_shop, of_sort) != (shop, sort):
            raise Refused("wrong-cursor", "the cursor is of another list")
        return place


def _value(said: Any, column: str) -> Any:
    """What the database can compare. Raises ValueError, TypeError, OverflowError: anybody can write a cursor."""
    if column in TIMES:
        moment = datetime.fromisoformat(said)
        if moment.tzinfo is None:
            raise ValueError("no zone")
        return moment.astimezone(UTC)
    if column == "name":
        said.encode()
        if "\x00" in said:
            raise ValueError("not a name")
        return said
    if type(said) is not int or not -(2**63) <= said < 2**63:
        raise ValueError("not a number")
    return said

"""What of the list is wanted, as it stands in a page's address: links, saved views and the question to orders."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from services.backoffice.others import Parameters

TEXT = ("q", "number_from", "number_to")
SEVERAL = ("folder", "status", "internal_status", "processing", "payment_status", "goods", "customer_id", "article")
YES_OR_NO = ("attention", "message", "cancelled")
DAYS = ("placed_from", "placed_to")
PAGING = ("sort", "after")
FIELDS = frozenset({*TEXT, *SEVERAL, *YES_OR_NO, *DAYS, *PAGING})
COLUMNS = ("placed_at", "number", "changed_at", "amount", "name")
SORTS = tuple(way + column for column in COLUMNS for way in ("-", ""))
PER_PAGE = 50
MOST = 100


class NotADay(ValueError):
    """A day that is none."""


@dataclass(frozen=True)
class Wanted:
    """Fields and values, as they were asked for; fields that nobody knows are left out."""

    fields: tuple[tuple[str, str], ...] = ()

    @classmethod
    def of(cls, asked: Iterable[tuple[str, str]]) -> "Wanted":
        """What an address asks for."""
        known = [(name, value.strip()[:500]) for name, value in asked if name in FIELDS and value.strip()]
        return cls(tuple(dict.fromkeys(known[:MOST])))

    def all(self, name: str) -> list[str]:
        """The values of a field."""
        return [value for field, value in self.fields if field == name]

    def one(self, name: str) -> str:
        """The value of a field, or nothing."""
        return next(iter(self.all(name)), "")

    @property
    def sort(self) -> str:
        """In which order; the newest first where nothing is said."""
        return self.one("sort") if self.one("sort") in SORTS else SORTS[0]

    @property
    def folder(self) -> str:
        """The one folder that is looked into; nothing where all are, or several."""
        folders = self.all("folder")
        return folders[0] if len(folders) == 1 else ""

    @property
    def filters(self) -> list[tuple[str, str]]:
        """What narrows the list, beside the folder."""
        return [(name, value) for name, value in self.fields if name not in {"folder", *PAGING}]

    def without(self, *names: str) -> "Wanted":
        """The same without these fields."""
        return Wanted(tuple(field for field in self.fields if field[0] not in names))

    def less(self, name: str, value: str) -> "Wanted":
        """The same without this value of this field; from its first page."""
        return Wanted(tuple(field for field in self.without("after").fields if field != (name, value)))

    def plus(self, name: str, value: str) -> "Wanted":
        """The same with this value in place of all that the field had."""
        return Wanted((*self.without(name).fields, (name, value)))

    def address(self, path: str = "/orders") -> str:
        """Where this is shown."""
        return f"{path}?{urlencode(self.fields)}" if self.fields else path

    def filter(self, time_zone: str) -> Parameters:
        """What orders is asked to look for, days as moments of the shop's zone. Raises NotADay."""
        zone = ZoneInfo(time_zone)
        said = [field for field in self.fields if field[0] not in {*DAYS, *PAGING}]
        if first := self.one("placed_from"):
            said.append(("placed_from", begins(first, zone)))
        if last := self.one("placed_to"):
            said.append(("placed_before", begins(last, zone, days=1)))
        return said

    def page(self, time_zone: str) -> Parameters:
        """The same, and which page of it. Raises NotADay."""
        after = [("after", self.one("after"))] if self.one("after") else []
        return [*self.filter(time_zone), ("sort", self.sort), ("limit", str(PER_PAGE)), *after]

    def kept(self, time_zone: str) -> dict[str, Any]:
        """The filter as orders keeps a view of it. Raises NotADay."""
        kept: dict[str, Any] = {}
        for name, value in self.filter(time_zone):
            if name in SEVERAL:
                kept.setdefault(name, []).append(value)
            elif name in YES_OR_NO:
                kept[name] = value == "true"
            else:
                kept[name] = int(value) if name.startswith("number") and value.isdecimal() else value
        return kept


def of_view(kept: dict[str, Any], time_zone: str) -> Wanted:
    """What a saved view asks for."""
    zone = ZoneInfo(time_zone)
    fields: list[tuple[str, str]] = []
    for name, value in kept.items():
        if value is None:
            continue
        if name in {"placed_from", "placed_before"}:
            moment = datetime.fromisoformat(value).astimezone(zone)
            day = moment.date() - timedelta(days=name == "placed_before")
            fields.append(("placed_from" if name == "placed_from" else "placed_to", day.isoformat()))
        elif isinstance(value, list):
            fields += [(name, str(each)) for each in value]
        else:
            fields.append((name, str(value).lower() if isinstance(value, bool) else str(value)))
    return Wanted.of(fields)


def begins(day: str, zone: ZoneInfo, days: int = 0) -> str:
    """The first moment of the day, or of so many days later, in the shop's zone. Raises NotADay."""
    try:
        first = datetime.combine(date.fromisoformat(day) + timedelta(days=days), time.min, zone)
        return first.astimezone(UTC).isoformat()
    except (ValueError, OverflowError):
        raise NotADay(day) from None

"""Which part of a list an address of the operators' pages asks for."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any
from urllib.parse import urlencode

from services.backoffice.operations.kinds import Kind
from services.backoffice.others import Parameters
from shared.runtime.problems import Problem

SERVICES = ("orders", "notifications", "integrations", "documents")
OF_ONE, OF_EACH = 50, 20
"""So many of a list are shown where one service is asked, or each of them."""
LONGEST = 500


@dataclass(frozen=True)
class Filter:
    """What of one kind is wanted, in which order, and of which services."""

    kind: Kind
    service: str = ""
    fields: tuple[tuple[str, str], ...] = ()
    latest: bool = False
    after: str = ""

    @classmethod
    def of(cls, kind: Kind, asked: Iterable[tuple[str, str]]) -> "Filter":
        """What an address says. Raises Problem for a day that is none."""
        said = {name: value.strip()[:LONGEST] for name, value in asked if value.strip()}
        fields = tuple((name, said[name]) for name in kind.filters if name in said)
        day_of(dict(fields).get("since", ""))
        service = said.get("service", "")
        return cls(
            kind,
            service if service in SERVICES else "",
            fields,
            said.get("order") == "latest",
            said.get("after", "")[:LONGEST],
        )

    @property
    def services(self) -> Sequence[str]:
        """Which are asked."""
        return (self.service,) if self.service else SERVICES

    def one(self, name: str) -> str:
        """What a field says, or nothing."""
        return dict(self.fields).get(name, "")

    def parameters(self) -> Parameters:
        """As the API wants it, a page of it."""
        limit = OF_ONE if self.service else OF_EACH
        after = [("after", self.after)] if self.after and self.service else []
        latest = [("latest_first", "true")] if self.latest else []
        return [*self.chosen().items(), ("limit", str(limit)), *latest, *after]

    def chosen(self) -> dict[str, Any]:
        """The filter as the API has it."""
        return {name: f"{value}T00:00:00Z" if name == "since" else value for name, value in self.fields}

    def address(self, path: str = "", **changes: str) -> str:
        """Where this is shown, or something of it; an empty change leaves a field out."""
        said = {"service": self.service, **dict(self.fields), "order": "latest" if self.latest else "", **changes}
        asked = urlencode({name: value for name, value in said.items() if value})
        where = path or f"/operations/{self.kind.name}"
        return f"{where}?{asked}" if asked else where


def day_of(said: str) -> date | None:
    """The day that was asked for. Raises Problem."""
    try:
        return date.fromisoformat(said) if said else None
    except ValueError:
        raise Problem(422, "not-a-day", "This is no day.") from None

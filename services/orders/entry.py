"""One entry of the timeline: what it says, how it is stored, and the form in which its digest is made."""

import json
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import asyncpg
from pydantic import ValidationError

from shared.contracts.message import CONTRACTS, Meta
from shared.contracts.order_log import LogEntry

OWN = "/orders"
LAST_YEAR = 9999
MARK = "from_before_restore"
COMMON = {"order_id", "outcome", "summary", "parameters"}


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry as it stands on the timeline, except for its place there."""

    order_id: UUID
    shop: str
    id: str
    source: str
    incarnation: int
    type: str
    at: datetime
    actor: str
    causationid: str | None
    outcome: str
    summary: str
    parameters: dict[str, Any]
    data: dict[str, Any]
    recorded_at: datetime
    from_before_restore: bool = False
    """Whether it is orders' own, lost in a restore, and the order log brought it back."""

    @classmethod
    def of(cls, message: LogEntry, recorded_at: datetime, *, came_by_topic: bool = False) -> "Entry":
        """What a stamped message of the order log says; a time that no database can keep becomes that of recording."""
        meta = message.meta
        return cls(
            order_id=message.order_id,
            shop=meta.shop,
            id=meta.id,
            source=meta.source,
            incarnation=meta.sequence.incarnation if meta.sequence else 0,
            type=message.type,
            at=meta.time.astimezone(UTC) if 1 < meta.time.year < LAST_YEAR else recorded_at,
            actor=meta.actor,
            causationid=meta.causationid,
            outcome=message.outcome,
            summary=message.summary,
            parameters=dict(message.parameters),
            data=message.model_dump(mode="json", exclude=COMMON),
            recorded_at=recorded_at,
            from_before_restore=came_by_topic and meta.source == OWN,
        )

    @classmethod
    def read(cls, row: asyncpg.Record) -> "Entry":
        """The entry in a row of the table."""
        values = {name: row[name] for name in COLUMNS}
        return cls(**values | {name: json.loads(row[name]) for name in ("parameters", "data")})

    def message(self) -> LogEntry | None:
        """What was said, again; None where this version knows no entry of its type, or none like it."""
        contract = CONTRACTS.get(self.type)
        if contract is None or not issubclass(contract, LogEntry):
            return None
        said = {**self.data, "order_id": str(self.order_id), "outcome": self.outcome, "summary": self.summary}
        try:
            entry = contract.model_validate_json(json.dumps(said | {"parameters": self.parameters}))
        except ValidationError:
            return None
        return entry.stamped(self._meta())

    def _meta(self) -> Meta:
        about, cause = str(self.order_id), self.causationid
        return Meta(self.id, self.source, about, self.shop, actor=self.actor, time=self.at, causationid=cause)

    def document(self) -> dict[str, Any]:
        """The entry as JSON has it: what is hashed, and what is written; the mark stands only where it is set."""
        document = {name: getattr(self, name) for name in COLUMNS if name != MARK or self.from_before_restore}
        return document | {
            "order_id": str(self.order_id),
            "at": self.at.isoformat(timespec="microseconds"),
            "recorded_at": self.recorded_at.isoformat(timespec="microseconds"),
        }


COLUMNS = tuple(field.name for field in fields(Entry))

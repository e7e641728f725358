"""An order's log as people read it: each entry is of one kind, and an effect stands below what caused it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from pydantic import BaseModel

KINDS = ("order", "message", "document", "payment", "shipment", "erp", "checkout", "trouble")
AT_ONCE = 30
"""So many entries are shown at first; the older ones are asked for."""
DEEPEST = 3
"""Effects of effects are indented so far and no further."""


class Repair(BaseModel):
    """A way out of what an entry tells of."""

    action: str
    label: str | None = None


class LogEntry(BaseModel):
    """An entry as orders tells of it."""

    n: int
    id: str
    source: str
    type: str
    at: datetime
    actor: str
    causationid: str | None
    outcome: str
    summary: str
    parameters: dict[str, Any]
    data: dict[str, Any]
    text: str | None = None
    repairs: list[Repair] = []

    @property
    def kind(self) -> str:
        """What it is about: the first word of its summary, `trouble` where that is none of the others."""
        first = self.summary.partition(".")[0]
        return first if first in KINDS else "trouble"

    @property
    def names(self) -> set[str]:
        """What an effect may call it: its own id, or that of the event that it notes."""
        return {self.id, str(self.data.get("event_id") or self.id)}


@dataclass
class Branch:
    """An entry with what followed from it."""

    entry: LogEntry
    depth: int = 0
    effects: list["Branch"] = field(default_factory=list)

    @property
    def size(self) -> int:
        """How many entries it has."""
        return 1 + sum(effect.size for effect in self.effects)


def as_tree(entries: Sequence[LogEntry]) -> list[Branch]:
    """What nothing on the log has caused, the newest first; below each its effects, the oldest first."""
    roots: list[Branch] = []
    known: dict[str, Branch] = {}
    for entry in entries:
        above = known.get(entry.causationid or "")
        branch = Branch(entry, min(above.depth + 1, DEEPEST) if above else 0)
        (above.effects if above else roots).append(branch)
        holder = above if above and above.depth == DEEPEST - 1 else branch
        known |= dict.fromkeys(entry.names, holder)
    return roots[::-1]


def as_list(entries: Sequence[LogEntry]) -> list[Branch]:
    """Each entry for itself, the newest first."""
    return [Branch(entry) for entry in entries[::-1]]


def latest(branches: Sequence[Branch]) -> Sequence[Branch]:
    """The newest of them, with about as many entries as are read at once."""
    entries = 0
    for count, branch in enumerate(branches):
        if entries >= AT_ONCE:
            return branches[:count]
        entries += branch.size
    return branches


def causes(entries: Sequence[LogEntry]) -> dict[str, LogEntry]:
    """By an entry's id, what caused it, where that stands on the log."""
    known = {name: entry for entry in entries for name in entry.names}
    found = {entry.id: known.get(entry.causationid or "") for entry in entries}
    return {entry_id: cause for entry_id, cause in found.items() if cause is not None}

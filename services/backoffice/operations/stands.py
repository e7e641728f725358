"""How a service stands, as a page shows it: each number with what is normal, and where its list is."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlencode

from services.backoffice.operations.kinds import KINDS
from shared.runtime.operator_status import Status

MANY, LATE_SECONDS = 1_000, 60.0
"""What is above them is for a person to look at, as docs/operating.md says."""
DELAYS = (3, 5, 8, 13, 21, 34, 60)
"""Seconds until the page looks again, ever more seldom."""


@dataclass(frozen=True)
class Measure:
    """A number, up to how much of it is normal, and its list; some are judged by how long they last."""

    name: str
    number: float
    most: float = 0
    unit: Literal["count", "seconds"] = "count"
    list: str = ""
    good: bool = True


@dataclass(frozen=True)
class Need:
    """How much of a kind needs a person, over all services, and where."""

    name: str
    count: int
    list: str


def measures(status: Status) -> list[Measure]:
    """The numbers of one service, what needs a person first."""

    def listed(name: str, number: int, *, good: bool | None = None) -> Measure:
        where = f"/operations/{name}?{urlencode({'service': status.service})}"
        return Measure(name, number, list=where, good=number == 0 if good is None else good)

    def counted(name: str, number: int, most: int) -> Measure:
        return Measure(name, number, most, good=number <= most)

    def lasting(name: str, seconds: float) -> Measure:
        return Measure(name, seconds, LATE_SECONDS, "seconds", good=seconds <= LATE_SECONDS)

    asked = f"/operations/asked?{urlencode({'service': status.service, 'state': 'asked'})}"
    return [
        listed("dead", status.dead),
        listed("unknown", status.unknown),
        listed("quarantined", status.quarantined),
        listed("parked", status.parked),
        listed("held", status.held.records, good=status.held.oldest_seconds <= LATE_SECONDS),
        listed("waiting", status.waiting),
        Measure("asked", status.asked.count, list=asked, good=status.asked.oldest_seconds <= LATE_SECONDS),
        counted("outbox", status.outbox.rows, MANY),
        lasting("outbox-age", status.outbox.oldest_seconds),
        counted("passed", status.passed, 0),
        lasting("snapshot", status.snapshot_seconds),
    ]


def is_well(status: Status | None) -> bool:
    """Whether nothing about a service needs a person."""
    if status is None or status.life is None:
        return False
    read = all(topic.unread <= MANY and not topic.lost for topic in status.topics or ())
    process = status.process.ready and status.process.consent and not status.process.held_back
    return process and read and status.outbox.relay and all(measure.good for measure in measures(status))


def needs(found: Mapping[str, Status | None]) -> Sequence[Need]:
    """What has to be put right, over all services."""
    counts = {name: sum(getattr(status, name) for status in found.values() if status) for name in _COUNTED}
    counts["held"] = sum(status.held.records for status in found.values() if status)
    return [Need(name, counts[name], f"/operations/{name}") for name in KINDS if counts[name]]


def delay_of(again: int) -> int:
    """After how many seconds a page that has looked so often looks again."""
    return DELAYS[min(again, len(DELAYS) - 1)]


_COUNTED = tuple(name for name in KINDS if name != "held")

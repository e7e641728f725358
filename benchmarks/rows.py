"""A row says our figure, the bare reference's, the ratio and what was aimed at; a missed target is not hidden."""

import os
import platform
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

import asyncpg
import psutil

from deploy.local.kafka.jars import kafka_version

NONE = "-"


@dataclass(frozen=True)
class Target:
    """What was aimed at: a figure, or a part of the reference's."""

    least: float | None = None
    most: float | None = None
    least_ratio: float | None = None

    def met_by(self, ours: float, ratio: float) -> bool:
        """Whether it was reached."""
        return (
            (self.least is None or ours >= self.least)
            and (self.most is None or ours <= self.most)
            and (self.least_ratio is None or ratio >= self.least_ratio)
        )

    def words(self, unit: str) -> str:
        """As people write it."""
        parts = [
            f"≥ {_number(self.least_ratio)} of the reference" if self.least_ratio is not None else "",
            f"≥ {_number(self.least)}{unit}" if self.least is not None else "",
            f"≤ {_number(self.most)}{unit}" if self.most is not None else "",
        ]
        return " and ".join(part for part in parts if part)


@dataclass(frozen=True)
class Row:
    """One figure, measured some times, beside its reference; `note` says what the reader must know of it."""

    what: str
    unit: str
    ours: Sequence[float]
    reference: Sequence[float] = ()
    target: Target | None = None
    note: str = ""

    @property
    def ratio(self) -> float:
        """Ours as a part of the reference, by the medians; 0 without a reference."""
        return statistics.median(self.ours) / statistics.median(self.reference) if self.reference else 0.0

    def cells(self) -> list[str]:
        """What, ours, reference, ratio, target, verdict."""
        ours = statistics.median(self.ours)
        verdict = ""
        if self.target is not None:
            verdict = "met" if self.target.met_by(ours, self.ratio) else "missed"
        return [
            self.what,
            _spread(self.ours, self.unit),
            _spread(self.reference, self.unit) if self.reference else NONE,
            f"{self.ratio:.2f}" if self.reference else NONE,
            self.target.words(self.unit) if self.target else NONE,
            verdict or NONE,
        ]

    def text(self) -> str:
        """For the terminal, as soon as it is known."""
        _, ours, reference, ratio, target, verdict = self.cells()
        beside = f"   reference {reference}   ratio {ratio}" if self.reference else ""
        aim = f"   target {target}: {verdict}" if self.target else ""
        note = f"\n    {self.note}" if self.note else ""
        return f"  {self.what}\n    ours {ours}{beside}{aim}{note}"


def table(rows: Sequence[Row]) -> str:
    """All rows as a Markdown table."""
    head = ["", "ours", "reference", "ratio", "target", ""]
    lines = [head, ["---"] * len(head), *(row.cells() for row in rows)]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def _spread(figures: Sequence[float], unit: str) -> str:
    median = f"{_number(statistics.median(figures))}{unit}"
    return f"{median} ({_number(min(figures))} to {_number(max(figures))})" if len(figures) > 1 else median


def _number(figure: float) -> str:
    if abs(figure) >= 100 or figure == int(figure):
        return f"{figure:,.0f}"
    return f"{figure:.2f}" if abs(figure) < 10 else f"{figure:.1f}"


async def the_machine(postgres_url: str) -> str:
    """What it is measured on."""
    connection = await asyncpg.connect(postgres_url)
    try:
        version = await connection.fetchval("show server_version")
        durable = await connection.fetchval("select current_setting('fsync') || current_setting('synchronous_commit')")
    finally:
        await connection.close()
    system = platform.freedesktop_os_release().get("PRETTY_NAME", platform.system())
    memory = psutil.virtual_memory().total / 2**30
    return (
        f"{psutil.cpu_count()} cores, {memory:.0f} GiB, {system}, Python {platform.python_version()}, "
        f"PostgreSQL {version}{'' if durable == 'onon' else ' (NOT DURABLE)'}, Kafka {kafka_version()}"
    )


def the_load() -> str:
    """How busy the machine is without us; takes a second."""
    busy = psutil.cpu_percent(interval=1.0)
    return f"before it the machine was {busy:.0f} % busy, load average {os.getloadavg()[0]:.2f}"

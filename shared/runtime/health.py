"""Two questions, kept apart: must this process be started anew (alive), and may it be given work now (ready)."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from shared.runtime.database import Pool, connected

Check = Callable[[], Awaitable[str | None]]
"""Gives None when all is well, else one sentence that says what is not."""

BEAT = 0.5
"""Seconds between two beats of the loop's heart."""


class Component(Protocol):
    """A part of a process that works by itself, such as the relay or the ingest of a topic."""

    name: str

    async def run(self, stopping: asyncio.Event) -> None:
        """Work until `stopping` is set, then finish what runs, give back leases and return."""

    def last_tick(self) -> float:
        """Give the `time.monotonic()` of the last turn of its loop."""

    def problem(self) -> str | None:
        """Give None when ready, else one sentence why not."""


class Heart:
    """Beats in the event loop; how late it beats is how long everything else in the process waits."""

    def __init__(self) -> None:
        self.lag = 0.0
        self.beaten = time.monotonic()

    async def beat(self) -> None:
        """Beat until cancelled."""
        while True:
            due = time.monotonic() + BEAT
            await asyncio.sleep(BEAT)
            self.beaten = time.monotonic()
            self.lag = max(0.0, self.beaten - due)

    def problem(self, limit: float) -> str | None:
        """Say so when the loop was held up for more than `limit` seconds."""
        late = max(self.lag, time.monotonic() - self.beaten - BEAT)
        return f"the event loop was held up for {late:.1f} s" if late > limit else None


@dataclass(frozen=True)
class Verdict:
    """The answer to one of the two questions: the sentence of each check that has one, None for the others."""

    checks: Mapping[str, str | None]

    @property
    def good(self) -> bool:
        """Say whether no check has anything to say."""
        return not any(self.checks.values())

    def document(self) -> dict[str, Any]:
        """Give the JSON document that names every check."""
        checks = {name: "ok" if problem is None else problem for name, problem in self.checks.items()}
        return {"status": "ok" if self.good else "failing", "checks": checks}


@dataclass
class Health:
    """Answers both questions for one process; `phase` is None while it serves, else what it is doing instead."""

    pool: Pool
    heart: Heart
    components: Sequence[Component] = ()
    checks: Mapping[str, Check] = field(default_factory=dict)
    tick_within: float = 60.0
    loop_within: float = 5.0
    check_within: float = 2.0
    keep: float = 1.0
    phase: str | None = "starting"
    serving_since: float = 0.0
    _asked: asyncio.Task[Verdict] | None = None
    _until: float = 0.0

    def enter(self, phase: str | None) -> None:
        """Begin another phase of the process's life; None is the one in which it serves."""
        self.phase, self.serving_since = phase, time.monotonic()

    def alive(self) -> Verdict:
        """Judge the loop and, while the process serves, that each component still turns."""
        now = time.monotonic()
        checks = {"loop": self.heart.problem(self.loop_within)}
        for component in self.components if self.phase is None else ():
            silent = now - max(component.last_tick(), self.serving_since)
            checks[component.name] = f"no sign of life for {silent:.0f} s" if silent > self.tick_within else None
        return Verdict(checks)

    async def ready(self) -> Verdict:
        """Judge the database, each component and each check of the service; an answer is good for a second."""
        if self.phase is not None:
            return Verdict({"process": self.phase})
        if self._asked is None or (self._asked.done() and time.monotonic() > self._until):
            self._asked = asyncio.create_task(self._ask())
        return await asyncio.shield(self._asked)

    async def _ask(self) -> Verdict:
        named: dict[str, Check] = {"database": self._database, **self.checks}
        answers = await asyncio.gather(*map(self._bounded, named.values()), return_exceptions=True)
        checks = {name: sentence(answer) for name, answer in zip(named, answers, strict=True)}
        checks |= {component.name: component.problem() for component in self.components}
        self._until = time.monotonic() + self.keep
        return Verdict(checks)

    async def _bounded(self, check: Check) -> str | None:
        async with asyncio.timeout(self.check_within):
            return await check()

    async def _database(self) -> str | None:
        async with connected(self.pool, wait=self.check_within) as connection:
            await connection.fetchval("select 1")
        return None


def sentence(answer: str | BaseException | None) -> str | None:
    """Say what a check found; one that failed says how it failed, without what the error tells about addresses."""
    if isinstance(answer, TimeoutError):
        return "no answer in time"
    if isinstance(answer, BaseException):
        return f"failed: {type(answer).__name__}"
    return answer

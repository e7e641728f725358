"""The same is said on a terminal, with bars that move, and in a file, with plain lines now and then."""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

_SECONDS_BETWEEN_LINES = 5.0
_WIDTH_OF_A_FILE = 120


class Bars(Protocol):
    """Several counts that go up to their totals."""

    def show(self, name: str, done: int) -> None:
        """Says how far the count of this name is."""


class Screen:
    """Where the demo speaks to whoever started it."""

    def __init__(self, console: Console | None = None) -> None:
        self.console = console or Console(highlight=False, soft_wrap=True)
        if not self.console.is_terminal:
            self.console.width = max(self.console.width, _WIDTH_OF_A_FILE)

    def say(self, text: str) -> None:
        """One phase or one fact, on its own line."""
        self.console.print(text, markup=False)

    @contextmanager
    def bars(self, totals: Mapping[str, int]) -> Iterator[Bars]:
        """Shows counts with these totals for as long as the block runs."""
        if not self.console.is_terminal:
            lines = _Lines(self, totals)
            yield lines
            lines.end()
            return
        rate = TextColumn("{task.fields[rate]:>7}")
        columns = (TextColumn("{task.description:<12}"), BarColumn(), MofNCompleteColumn(), rate, TimeElapsedColumn())
        with Progress(*columns, console=self.console) as progress:
            yield _Live(progress, {name: progress.add_task(name, total=n, rate="") for name, n in totals.items()})


class _Live:
    def __init__(self, progress: Progress, tasks: Mapping[str, TaskID]) -> None:
        self._progress = progress
        self._tasks = tasks
        self._began = time.monotonic()

    def show(self, name: str, done: int) -> None:
        self._progress.update(self._tasks[name], completed=done, rate=_rate(done, self._began))


class _Lines:
    def __init__(self, screen: Screen, totals: Mapping[str, int]) -> None:
        self._screen = screen
        self._totals = totals
        self._done = dict.fromkeys(totals, 0)
        self._began = self._spoke = time.monotonic()
        self._said: dict[str, int] = {}

    def show(self, name: str, done: int) -> None:
        self._done[name] = done
        if time.monotonic() - self._spoke > _SECONDS_BETWEEN_LINES:
            self._speak()

    def end(self) -> None:
        self._speak()

    def _speak(self) -> None:
        self._spoke = time.monotonic()
        if self._done != self._said:
            self._said = dict(self._done)
            parts = (
                f"{name} {n:,} of {self._totals[name]:,} ({_rate(n, self._began)})" for name, n in self._said.items()
            )
            self._screen.say(f"  {', '.join(parts)}")


def _rate(done: int, began: float) -> str:
    return f"{done / max(time.monotonic() - began, 0.001):.0f}/s"

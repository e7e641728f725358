"""A figure means something only beside its bare reference, measured in turn with it, on the same machine, warmed up."""

import asyncio
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Protocol

from prometheus_client import Counter

from benchmarks.world import World

WARM_UP_SECONDS = 10.0
REFERENCE = "reference"
PATIENCE = 300.0

Contender = Callable[[], Awaitable[float]]
"""Measures once, and gives the figure."""


def progress(words: str) -> None:
    """Say on the terminal how far it is: one line that is written over, or a line each where nobody looks."""
    if sys.stderr.isatty():
        sys.stderr.write(f"\r\x1b[2K{words}")
    else:
        sys.stderr.write(f"{words}\n")
    sys.stderr.flush()


async def in_turn(world: World, contenders: Mapping[str, Contender], count: int = 3) -> dict[str, list[float]]:
    """Measure each so many times, always in the order given; turns that began in the first ten seconds do not count."""
    figures: dict[str, list[float]] = {name: [] for name in contenders}
    warm_at = time.monotonic() + WARM_UP_SECONDS
    while not world.quick and time.monotonic() < warm_at:
        for name, contender in contenders.items():
            progress(f"  warm-up: {name} …")
            await contender()
    for number in range(1 if world.quick else count):
        for name, contender in contenders.items():
            progress(f"  round {number + 1} of {count}: {name} …")
            figures[name].append(await contender())
    progress("")
    return figures


async def per_second(seconds: float, workers: int, once: Callable[[int], Awaitable[None]]) -> float:
    """How often `once` was done per second, by so many workers at a time; it is given its worker's number."""
    began = time.perf_counter()
    done = 0

    async def work(number: int) -> None:
        nonlocal done
        while time.perf_counter() < began + seconds:
            await once(number)
            done += 1

    await asyncio.gather(*(work(number) for number in range(workers)))
    return done / (time.perf_counter() - began)


class Runs(Protocol):
    """A component of the kit."""

    async def run(self, stopping: asyncio.Event) -> None: ...


@asynccontextmanager
async def running(*components: Runs) -> AsyncIterator[None]:
    """The components run until the block ends; what ends one of them before ends the benchmark."""
    stopping = asyncio.Event()
    tasks = [asyncio.create_task(component.run(stopping)) for component in components]
    try:
        yield
    finally:
        stopping.set()
        await asyncio.gather(*tasks)


class Counted:
    """What one of the kit's own counters has counted since this was made; `labels` as the counter has them."""

    def __init__(self, counter: Counter, **labels: str) -> None:
        self._counter, self._labels = counter, labels
        self._before = self._value()

    def _value(self) -> float:
        samples = (sample for metric in self._counter.collect() for sample in metric.samples)
        return sum(s.value for s in samples if s.name.endswith("_total") and s.labels == self._labels)

    def now(self) -> float:
        """So many."""
        return self._value() - self._before


async def rate_of(count: Callable[[], float], total: int) -> float:
    """How many per second, from the first that is seen to be counted until all are: what starts is not measured.

    Where all were counted before anybody looked, the start is measured with them.
    """
    deadline = time.monotonic() + PATIENCE
    asked = time.perf_counter()
    while (first := count()) == 0:
        await _look_again(deadline, 0, total)
    began = time.perf_counter()
    while (seen := count()) < total:
        await _look_again(deadline, seen, total)
    ended = time.perf_counter()
    return total / (ended - asked) if first >= total else (total - first) / (ended - began)


async def _look_again(deadline: float, seen: float, total: int) -> None:
    if time.monotonic() > deadline:
        raise RuntimeError(f"only {seen:g} of {total} were done within {PATIENCE:g} s")
    await asyncio.sleep(0.005)

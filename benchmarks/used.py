"""What processes use by the system's own accounts, each with its children."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

MEGABYTE = 1_000_000


def cpu_seconds(pid: int) -> float:
    """CPU seconds of a process, its children, and those of them that have ended."""
    own = psutil.Process(pid).cpu_times()
    used = own.user + own.system + own.children_user + own.children_system
    for child in _children(pid):
        with suppress(psutil.NoSuchProcess):
            times = child.cpu_times()
            used += times.user + times.system
    return used


@dataclass(frozen=True)
class Memory:
    """Megabytes of 1,000,000 bytes in each process of a tree, the first of them itself."""

    resident: tuple[float, ...]
    """Pages that several share count for each of them."""
    proportional: tuple[float, ...] = ()
    """Shared pages are divided among those that share them; empty where the system does not say."""

    @property
    def children(self) -> int:
        """How many it has."""
        return len(self.resident) - 1


def memory_of(pid: int) -> Memory:
    """What a process and its children hold now."""
    resident, proportional = [], []
    for process in (psutil.Process(pid), *_children(pid)):
        with suppress(psutil.NoSuchProcess):
            resident.append(process.memory_info().rss / MEGABYTE)
            with suppress(psutil.AccessDenied, AttributeError):
                proportional.append(process.memory_full_info().pss / MEGABYTE)
    return Memory(tuple(resident), tuple(proportional) if len(proportional) == len(resident) else ())


def _children(pid: int) -> Iterator[psutil.Process]:
    yield from psutil.Process(pid).children(recursive=True)


def cpu_nanoseconds(pid: int) -> int:
    """What one process has used so far, without its children."""
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0])

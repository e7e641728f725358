"""What the rig did to the system, and when: each unknown must be explained by one of these, or by a mishap."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

BY_ITSELF = "ended by itself"
NEVER_PASSED = "never passed"


@dataclass(frozen=True)
class Fault:
    """Something was done to a member of the fleet or to a server, from `began` to `ended` (seconds of the epoch)."""

    what: str
    target: str
    began: float
    ended: float
    at: str = ""
    """The crash point, and which passing of it."""
    in_flight: tuple[str, ...] | None = None
    """The keys of the effects that were on their way when it was done; None where that cannot be said."""


@dataclass
class Note:
    """What the one who does a fault adds to what is written down of it."""

    in_flight: tuple[str, ...] | None = None


class Journal:
    """The faults of one run, in memory and in a file."""

    def __init__(self, path: Path) -> None:
        self.faults: list[Fault] = []
        self._path = path

    @contextmanager
    def writing_down(self, what: str, target: str, at: str = "") -> Iterator[Note]:
        """The fault that the block does; it counts however the block ends."""
        began, note = time.time(), Note()
        try:
            yield note
        finally:
            fault = Fault(what, target, began, time.time(), at, note.in_flight)
            self.faults.append(fault)
            with self._path.open("a") as file:
                file.write(json.dumps(asdict(fault)) + "\n")

    def last(self) -> float:
        """When the last fault was over; 0 before the first."""
        return max((fault.ended for fault in self.faults), default=0.0)

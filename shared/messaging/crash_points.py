"""Named places between two steps that matter, where a test can end the process; nothing at all unless it is asked for.

`CRASH_AT=relay.published:10` ends the process by SIGKILL at the tenth passing of that place, as a power cut would.
"""

import os
import signal
from functools import cache

VARIABLE = "CRASH_AT"

POINTS = (
    "relay.read",
    "relay.sent",
    "relay.acknowledged",
    "relay.forgotten",
    "ingest.received",
    "ingest.stored",
    "ingest.committed",
    "lanes.claimed",
    "lanes.read",
    "inside.handled",
    "inside.appended",
    "inside.settled",
    "inside.committed",
    "outside.handled",
    "finish.appended",
    "finish.settled",
    "finish.committed",
    "effects.started",
    "effects.called",
    "effects.recorded",
    "effects.looked-up",
    "timers.taken",
    "timers.moved",
    "command.handled",
    "command.appended",
    "command.committed",
    "stop.begun",
    "stop.finished",
)
"""All of them; a test has a case for each."""


class _Armed:
    """The one place that this process is to die at."""

    def __init__(self, wanted: str) -> None:
        self.name, _, passing = wanted.partition(":")
        self._left = int(passing or 1)
        if self.name not in POINTS:
            raise LookupError(f"{VARIABLE}={wanted}: there is no crash point {self.name}")

    def passed(self) -> None:
        self._left -= 1
        if self._left == 0:
            os.kill(os.getpid(), signal.SIGKILL)


@cache
def _armed() -> _Armed | None:
    wanted = os.environ.get(VARIABLE)
    return _Armed(wanted) if wanted else None


def crash_point(name: str) -> None:
    """A place by this name is passed; one of `POINTS`."""
    armed = _armed()
    if armed is not None and armed.name == name:
        armed.passed()

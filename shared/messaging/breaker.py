"""A connection that mostly fails is left alone for a while; nobody's attempts are counted meanwhile.

Each process learns for itself, and one shop's wrong password stops nobody else: a breaker belongs to a group and a
connection.
"""

import time
from collections import deque
from dataclasses import dataclass

import structlog

from shared.messaging import metrics
from shared.messaging.failures import Retry

LOOKED_AT = 100
LEAST = 10
"""With fewer attempts behind it a connection is not judged."""
OPEN_SECONDS = 30.0

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class LeftAlone:
    """A connection that this process leaves alone, and for how many seconds it has."""

    group: str
    connection: str
    seconds: float


class Breaker:
    """Opens when more than half of the last hundred attempts failed; every 30 s one attempt finds out."""

    def __init__(self, group: str, connection: str) -> None:
        self._group, self._connection = group, connection
        self._outcomes: deque[bool] = deque(maxlen=LOOKED_AT)
        self._closed_again = 0.0
        self._opened_at = 0.0
        self._open = False
        self._probing = False

    def enter(self) -> None:
        """To be called before an attempt. Raises Retry, which counts no attempt, while the connection is left alone."""
        left = self._closed_again - time.monotonic()
        if not self._open:
            return
        if left > 0 or self._probing:
            raise Retry(f"the connection {self._connection} mostly fails and is left alone", after=max(left, 1.0))
        self._probing = True

    def leave(self) -> None:
        """The attempt was not made after all."""
        self._probing = False

    def record(self, *, worked: bool) -> None:
        """An attempt reached the other side and had its answer, whatever it was, or it did not."""
        self._probing = False
        if self._open:
            self._again(worked=worked)
            return
        self._outcomes.append(worked)
        if len(self._outcomes) >= LEAST and self._outcomes.count(False) * 2 > len(self._outcomes):
            self._again(worked=False)

    def left_alone(self) -> LeftAlone | None:
        """What it says of its connection while it is open."""
        if not self._open:
            return None
        return LeftAlone(self._group, self._connection, time.monotonic() - self._opened_at)

    def _again(self, *, worked: bool) -> None:
        self._outcomes.clear()
        if not self._open:
            self._opened_at = time.monotonic()
        self._open = not worked
        self._closed_again = time.monotonic() + OPEN_SECONDS
        metrics.breakers_open.labels(self._group, self._connection).set(int(self._open))
        log.warning("breaker", group=self._group, connection=self._connection, open=self._open)


class Breakers:
    """Those of one process."""

    def __init__(self) -> None:
        self._breakers: dict[tuple[str, str], Breaker] = {}

    def of(self, group: str, connection: str) -> Breaker:
        """The one of this group and connection."""
        key = (group, connection)
        if key not in self._breakers:
            self._breakers[key] = Breaker(group, connection)
        return self._breakers[key]

    def left_alone(self) -> list[LeftAlone]:
        """The connections whose breakers are open."""
        said = (breaker.left_alone() for breaker in self._breakers.values())
        return [each for each in said if each is not None]

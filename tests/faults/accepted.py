"""What the shop front was promised: a command that was answered, or acknowledged by the broker, counts for ever."""

import json
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

Kind = Literal["place", "resend"]
Way = Literal["http", "topic"]


@dataclass(frozen=True)
class Accepted:
    """A command that was accepted: `id` is its Idempotency-Key by HTTP, its record's id by the topic."""

    order: str
    kind: Kind
    way: Way
    id: str
    at: float


class Promises:
    """All of one run, in memory and in a file; what was refused although it should not have been stands apart."""

    def __init__(self, path: Path) -> None:
        self.accepted: list[Accepted] = []
        self.refused: list[tuple[Accepted, str]] = []
        self._path = path

    def accept(self, order: str, kind: Kind, way: Way, identity: str) -> None:
        """This was promised a moment ago."""
        promise = Accepted(order, kind, way, identity, time.time())
        self.accepted.append(promise)
        with self._path.open("a") as file:
            file.write(json.dumps(asdict(promise)) + "\n")

    def refuse(self, order: str, kind: Kind, way: Way, identity: str, why: str) -> None:
        """This was answered with a no that nobody expected."""
        self.refused.append((Accepted(order, kind, way, identity, time.time()), why))

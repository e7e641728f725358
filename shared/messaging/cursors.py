"""Where a stream stands, and what a record means to it: the next one, seen before, too early, or of an old life."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from enum import Enum

from shared.contracts.message import Sequence
from shared.messaging.intake import Understood


class Fate(Enum):
    """What becomes of a record."""

    NEXT = "taken in"
    DUPLICATE = "duplicate"
    HELD = "held"
    CONFLICT = "conflict"
    OLD_LIFE = "old life"
    GIVEN_UP = "given up"


@dataclass(frozen=True, slots=True)
class Cursor:
    """The last record taken in of one stream; a new one stands before everything.

    Without an id it stands where no record was taken in: the numbers up to there were given up.
    """

    incarnation: int = 0
    last: int = 0
    id: str = ""

    def judge(self, number: Sequence, record_id: str) -> Fate:
        """What a record with this number and id means here."""
        if number.incarnation > self.incarnation:
            return Fate.NEXT if number.n <= self.last + 1 else Fate.HELD
        if number.incarnation < self.incarnation:
            return Fate.DUPLICATE if number.n <= self.last else Fate.OLD_LIFE
        if number.n > self.last + 1:
            return Fate.HELD
        if number.n == self.last + 1:
            return Fate.NEXT
        return Fate.CONFLICT if number.n == self.last and self.id not in {"", record_id} else Fate.DUPLICATE


@dataclass(frozen=True, slots=True)
class Fork:
    """The first record of a new life under a number that was used in an old one, of which so many were taken in."""

    record: Understood
    known: int


@dataclass
class Stream:
    """One stream during one batch: its cursor moves as records are taken."""

    cursor: Cursor
    moved: bool = False
    taken: list[Understood] = field(default_factory=list)
    held: dict[Sequence, Understood] = field(default_factory=dict)
    refused: list[tuple[Understood, Fate]] = field(default_factory=list)
    duplicates: list[Understood] = field(default_factory=list)
    forks: list[Fork] = field(default_factory=list)

    def begins_anew(self, number: Sequence | None) -> bool:
        """Whether this is of another life than what was taken before it: what is held has its turn first then."""
        return self.moved and number is not None and number.incarnation > self.cursor.incarnation

    def offer(self, record: Understood) -> Fate:
        """Takes the record, or puts it where it belongs."""
        number = record.number
        if number is None:
            raise LookupError("a stream takes numbered records only")
        fate = self.cursor.judge(number, record.envelope.id)
        if fate is Fate.NEXT:
            if number.n <= self.cursor.last:
                self.forks.append(Fork(record, self.cursor.last))
            self.cursor = Cursor(number.incarnation, number.n, record.envelope.id)
            self.moved = True
            self.taken.append(record)
        elif fate is Fate.HELD:
            self.held.setdefault(number, record)
        elif fate is Fate.DUPLICATE:
            self.duplicates.append(record)
        else:
            self.refused.append((record, fate))
        return fate

    def refuse(self, given_up: Collection[Sequence]) -> None:
        """Refuses those of the duplicates that are none: their numbers were given up before they came."""
        self.refused += [(record, Fate.GIVEN_UP) for record in self.duplicates if record.number in given_up]
        self.duplicates = [record for record in self.duplicates if record.number not in given_up]

    def release(self, waiting: Iterable[Understood]) -> list[Understood]:
        """Offers what was held before; returns what need not be held any longer, whatever became of it."""
        before = {record.number: record for record in waiting if record.number is not None}
        left = {**self.held, **before}
        life = -1
        while self.cursor.incarnation > life:  # a new life refuses what waits of an older one
            life = self.cursor.incarnation
            for number, record in sorted(left.items()):
                if number.incarnation < life:  # whatever its number: it waited, so it was never taken in
                    self.refused.append((record, Fate.OLD_LIFE))
                    del left[number]
                elif self.offer(record) is not Fate.HELD:
                    del left[number]
        self.held = {number: record for number, record in left.items() if number not in before}
        return [record for number, record in before.items() if number not in left]

"""What is known of a run when it is over, in plain values: all that the oracle judges by."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from tests.faults.accepted import Accepted
from tests.faults.journal import Fault

EffectKind = Literal["charge", "mail"]
SERVICE_OF: Mapping[EffectKind, str] = {"charge": "payer", "mail": "notifications"}


@dataclass(frozen=True)
class Said:
    """A record as a fresh reader found it, in the order of its partition."""

    topic: str
    partition: int
    id: str
    source: str
    type: str
    subject: str
    sequence: tuple[int, int] | None
    """Incarnation and number."""
    cause: str | None
    recipient: str = ""
    """Of an event of an order: the customer's address."""


@dataclass(frozen=True)
class Executed:
    """An outside party did it; `key` is its own: an idempotency key, a Message-ID."""

    kind: EffectKind
    key: str


@dataclass(frozen=True)
class Mishap:
    """An outside party misbehaved on purpose."""

    kind: EffectKind
    key: str
    what: str


@dataclass(frozen=True)
class Told:
    """An entry of a timeline, in its place."""

    order: str
    n: int
    id: str
    source: str
    type: str
    cause: str | None
    outcome: str


@dataclass(frozen=True)
class EffectRow:
    """An effect as its service keeps it; times in seconds of the epoch."""

    kind: EffectKind
    key: str
    state: str
    started: float
    deadline: float


@dataclass(frozen=True)
class Left:
    """Something that was not finished when the run was over: `waits` for its time, was `given_up`, or neither."""

    service: str
    what: str
    subject: str
    words: str
    waits: bool = False
    given_up: bool = False


@dataclass(frozen=True)
class History:
    """Everything that the oracle is told."""

    accepted: Sequence[Accepted] = ()
    refused: Sequence[tuple[Accepted, str]] = ()
    said: Sequence[Said] = ()
    invalid: Sequence[str] = ()
    """Records that are not messages of ours, in words."""
    executed: Sequence[Executed] = ()
    """In the order in which they were executed."""
    mishaps: Sequence[Mishap] = ()
    told: Sequence[Told] = ()
    """Timelines, each in its order."""
    broken: Mapping[str, int] = field(default_factory=dict)
    """Orders whose chain does not hold, with the place of the first broken entry."""
    effects: Sequence[EffectRow] = ()
    faults: Sequence[Fault] = ()
    left: Sequence[Left] = ()
    poison: frozenset[str] = frozenset()
    """Orders that end the payer's process each time it works on them: those it may give up."""
    workers: Mapping[str, str] = field(default_factory=dict)
    """The members that make calls, with their service."""
    asleep: Mapping[str, int] = field(default_factory=dict)
    """How many lanes that slept over a message the sweepers of each member found."""

"""What the oracle says of a run: what was wrong, and how often everything went right."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from tests.faults.history import Left


class Class(StrEnum):
    """The ways in which a run can be wrong; each must be 0."""

    LOST = "lost"
    """Promised, and never done or never told; or told as done, and never done."""
    DOUBLED = "doubled"
    """Done or told more often than asked for."""
    REORDERED = "reordered"
    """Done or told in another order than it happened."""
    STUCK = "stuck"
    """Could be done, and nobody does it; or given up."""
    UNEXPLAINED = "unexplained"
    """Reported unknown although nothing was done to anybody at that moment."""
    DIED = "died"
    """A process ended although nobody ended it."""
    INVALID = "invalid"
    """A record that is no message of ours, or a timeline whose chain is broken."""


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong with one order; in words."""

    kind: Class
    order: str
    words: str


@dataclass(frozen=True)
class Verdict:
    """`counts`: how the effects of all causes ended."""

    findings: list[Finding]
    counts: Counter[str] = field(default_factory=Counter)
    waiting: Sequence[Left] = ()

    @property
    def good(self) -> bool:
        """Whether nothing is wrong."""
        return not self.findings

    def wrong(self) -> Counter[Class]:
        """How many findings of each class."""
        return Counter(finding.kind for finding in self.findings)

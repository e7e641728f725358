"""The catalogue of what can be printed: which lines of an order a document has, and in what quantities."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from shared.contracts.files import DocumentKind
from shared.contracts.order import PricedLine, UnitState


@dataclass(frozen=True)
class Units:
    """How many units of a line a document is about now, and how many are to follow."""

    now: int
    later: int = 0


Count = Callable[[PricedLine], Units | None]
"""What a document says of a line; None: it does not have the line."""


def states_of(line: PricedLine) -> Mapping[UnitState, int]:
    """How many units are in which state: all are open where the line says nothing."""
    return line.units or {"open": line.quantity}


def ordered(line: PricedLine) -> Units:
    """Every line, with all that was ordered."""
    return Units(line.quantity)


def in_the_parcel(line: PricedLine) -> Units | None:
    """What is sent, and what is to follow; no line of which nothing ever comes."""
    states = states_of(line)
    later = states.get("back-ordered", 0)
    now = line.quantity - later - states.get("cancelled", 0)
    return Units(now, later) if now or later else None


def to_pick(line: PricedLine) -> Units | None:
    """What is still to be sent."""
    waiting = states_of(line).get("open", 0)
    return Units(waiting) if waiting else None


CATALOGUE: Mapping[DocumentKind, Count] = {
    "order-print": ordered,
    "delivery-note": in_the_parcel,
    "pick-list": to_pick,
}
"""Each has a folder of its name under `templates/`: `page.typ` and `texts.toml`."""

"""The unit ledger: each unit of a line is in exactly one state, and what the order is as a whole follows from that."""

from collections.abc import Collection, Mapping, Sequence
from typing import get_args

from shared.contracts.order import Goods, LineUnits, PricedLine, UnitState
from shared.contracts.refusal import Refused

STATES: tuple[UnitState, ...] = get_args(UnitState)
WAITING: frozenset[UnitState] = frozenset({"open", "back-ordered"})
ARRIVED: frozenset[UnitState] = frozenset({"delivered", "returned", "claimed", "credited"})
BACK: frozenset[UnitState] = frozenset({"returned", "credited"})

SENT_ON: frozenset[UnitState] = frozenset(STATES) - WAITING - {"cancelled"}
"""What has left, wherever it is now."""

SOURCES: Mapping[UnitState, tuple[UnitState, ...]] = {
    "back-ordered": ("open",),
    "shipped": ("open", "back-ordered"),
    "delivered": ("shipped",),
    "returned": ("delivered", "shipped"),
    "claimed": ("delivered", "shipped"),
    "credited": ("returned", "claimed"),
    "cancelled": ("open", "back-ordered"),
}
"""From which states a unit can go to a state, the first one first (R203)."""

Ledger = Mapping[str, Mapping[UnitState, int]]
"""By line, how many units are in which state; a state without units is absent."""


def ledger_of(lines: Sequence[PricedLine]) -> Ledger:
    """What the lines say; one that says nothing has all its units open."""
    return {line.line_id: dict(line.units) or {"open": line.quantity} for line in lines}


def units_in(ledger: Ledger, states: Collection[UnitState]) -> list[LineUnits]:
    """All units that are in one of these states."""
    counted = ((line_id, sum(units.get(state, 0) for state in states)) for line_id, units in ledger.items())
    return [LineUnits(line_id=line_id, units=count) for line_id, count in counted if count]


def moved(ledger: Ledger, units: Sequence[LineUnits], sources: Sequence[UnitState], to: UnitState) -> Ledger:
    """The ledger after these units have gone from the `sources`, the first one first, to a state.

    Raises Refused: `unknown-line`; `not-so-many-units`, where a line has fewer of them in these states.
    """
    changed = {line_id: dict(states) for line_id, states in ledger.items()}
    for row in units:
        line = changed.get(row.line_id)
        if line is None:
            raise Refused("unknown-line", f"the order has no line {row.line_id}")
        there = sum(line.get(source, 0) for source in sources)
        if row.units > there:
            names = " or ".join(sources)
            raise Refused("not-so-many-units", f"line {row.line_id} has {there} {names}, not {row.units}")
        left = row.units
        for source in sources:
            taken = min(left, line.get(source, 0))
            left -= taken
            line[source] = line.get(source, 0) - taken
        line[to] = line.get(to, 0) + row.units
    return {line_id: _in_order(states) for line_id, states in changed.items()}


def goods_of(ledger: Ledger) -> Goods:
    """Where the goods are as a whole (R103); cancelled units count only where there are no others."""
    states = {state for line in ledger.values() for state in line} - {"cancelled"}
    if not states:
        return "cancelled"
    if states <= BACK:
        return "returned"
    if states <= ARRIVED:
        return "delivered"
    if not states & WAITING:
        return "shipped"
    return "open" if states <= WAITING else "partly-shipped"


def _in_order(states: Mapping[UnitState, int]) -> dict[UnitState, int]:
    return {state: states[state] for state in STATES if states.get(state)}

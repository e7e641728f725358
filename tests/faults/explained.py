"""An unknown is explained by what was done to its worker or its database while the call ran, or to the call itself.

What was done to a worker explains no more than the calls that were on their way at that moment.
"""

from tests.faults.history import SERVICE_OF, EffectKind, EffectRow, History
from tests.faults.journal import Fault

AMBIGUOUS = {"slow", "late", "lost", "error-before", "error-after"}
CLOCK_ERROR = 1.0
"""Seconds by which the rig's note of a fault may differ from the fault."""


class Explanations:
    """What could have made effects of one kind unknown."""

    def __init__(self, history: History, kind: EffectKind) -> None:
        service = SERVICE_OF[kind]
        hit = {name for name, of in history.workers.items() if of == service} | {"postgres", f"{service} database"}
        self._faults = [fault for fault in history.faults if fault.target in hit]
        self._mishaps = {one.key for one in history.mishaps if one.kind == kind and one.what in AMBIGUOUS}
        self._rows = {row.key: row for row in history.effects if row.kind == kind}

    def explain(self, effect_key: str, outside_key: str) -> str | None:
        """What made it unknown, in words; None when nothing is known that did."""
        if outside_key in self._mishaps:
            return "a mishap on purpose"
        row = self._rows.get(effect_key)
        return None if row is None else next((f.what for f in self._faults if _hits(f, row)), None)


def _hits(fault: Fault, row: EffectRow) -> bool:
    if fault.in_flight is not None:
        return row.key in fault.in_flight
    return fault.began - CLOCK_ERROR <= row.deadline and row.started <= fault.ended + CLOCK_ERROR

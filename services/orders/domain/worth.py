"""What parts of an order cost, and what of it is still to be paid.

The rounding of the sum to pay belongs to the order as a whole. Units are taken, cancelled and given back at their exact
prices; the rounding goes with the last share, as delivery and payment costs do, and stays as it was when the order was
placed. So shares add up to the sum to pay, whatever comes first.
"""

from collections.abc import Collection, Sequence

from services.orders.domain.units import Ledger
from shared.contracts.order import OrderSnapshot, PricedLine, UnitState


def worth_of(lines: Sequence[PricedLine], ledger: Ledger, states: Collection[UnitState]) -> int:
    """What the units in these states cost with VAT, each line's share rounded down, in minor units."""
    counted = {line_id: sum(units.get(state, 0) for state in states) for line_id, units in ledger.items()}
    return sum(line.total_incl_vat * counted[line.line_id] // line.quantity for line in lines)


def still_due(order: OrderSnapshot, ledger: Ledger) -> int:
    """What is to be paid of the order without what was cancelled, in minor units; nothing of one that is cancelled."""
    if order.cancelled:
        return 0
    return max(0, order.totals.to_pay.amount - worth_of(order.lines, ledger, {"cancelled"}))

"""Who has paid gets one receipt, and nobody else does: a timer rings once."""

from collections import Counter
from collections.abc import Iterator

from tests.faults.history import History
from tests.faults.verdict import Class, Finding

MADE, ISSUED = "charge.made.v1", "receipt.issued.v1"


def judged_receipts(history: History) -> Iterator[Finding]:
    """What is wrong with the receipts of orders; a charge for a confirmation has none."""
    placed = {record.id for record in history.said if record.type == "order.placed.v1"}
    paid = {entry.order for entry in history.told if entry.type == MADE and entry.cause in placed}
    issued = Counter(entry.order for entry in history.told if entry.type == ISSUED)
    waiting = {left.subject for left in history.left}
    for order in sorted(paid - issued.keys() - waiting):
        yield Finding(Class.LOST, order, "the order was paid and has no receipt")
    for order in sorted(issued.keys() - paid):
        yield Finding(Class.DOUBLED, order, "the order has a receipt and was not paid")
    for order, count in sorted(issued.items()):
        if count > 1:
            yield Finding(Class.DOUBLED, order, f"the order has {count} receipts")

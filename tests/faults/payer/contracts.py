"""What the payer says on the order log; contracts of the rig, which no service of the project knows by itself."""

from shared.contracts.order_events import OrderEvent
from shared.contracts.order_log import LogEntry
from shared.contracts.values import Identifier, Reason


class ChargeMade(LogEntry, type="charge.made.v1"):
    """The provider has executed the charge."""

    written_by = ("payer",)
    charge_id: Identifier
    """The provider's own name for it."""


class ChargeFailed(LogEntry, type="charge.failed.v1"):
    """The provider has declined the charge for good."""

    written_by = ("payer",)
    reason: Reason


class ReceiptDue(OrderEvent, type="receipt.due.v1"):
    """The order was paid a moment ago; the payer says it to itself alone."""


class ReceiptIssued(LogEntry, type="receipt.issued.v1"):
    """The order has its receipt."""

    written_by = ("payer",)

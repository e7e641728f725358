"""What the payer says on the order log; contracts of the rig, which no service of the project knows by itself."""

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

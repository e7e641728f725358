"""What an ERP system is to us, whichever it is; an adapter says each in its vendor's words."""

from typing import Protocol

from services.integrations.calling import Checked
from shared.contracts.order import OrderSnapshot
from shared.messaging.effects import Done, Failed, Permit


class ErpSystem(Protocol):
    """One account of a shop at an ERP system."""

    async def push(self, order: OrderSnapshot, permit: Permit) -> Done | Failed:
        """Hands an order over, new or changed: Done with its `number` there, or a clear no.

        An order that is there as it is now is Done too. Raises NotSent where it certainly was not taken; whatever else
        it raises means that nobody knows.
        """
        ...

    async def find(self, order: OrderSnapshot) -> Done | None:
        """The order there, as it is now; None where it is not, or is older. Raises where it cannot be asked."""
        ...

    async def check(self) -> Checked:
        """How a harmless question is answered, asked with the connection's key. Raises nothing."""
        ...

    async def close(self) -> None:
        """Closes the connections."""
        ...

"""What somebody asks for on an order reaches the service that can do it, and is left at its desk, once.

It has a group of its own, so that a lane that stands does not hold up its own repair. The desk does it, in another
transaction: this one holds lanes that sort behind the one to be repaired.
"""

from shared.contracts.message import Message, Meta
from shared.contracts.order_events import RepairRequested
from shared.contracts.topics import ORDERS_EVENTS
from shared.messaging.database import Connection
from shared.messaging.groups import Group
from shared.messaging.repair_desk import ask
from shared.messaging.repairs_told import Operator
from shared.messaging.wanted import AskedOnOrder


class Asked:
    """Where handlers leave what was asked for, in their transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def leave(self, event: RepairRequested, cause: Meta) -> None:
        """Leaves it at the desk of the service whose database this is; `cause` asked for it."""
        operator = Operator(actor=cause.actor, reason=event.reason)
        await ask(self._connection, [wanted_by(event, cause)], operator)


def group_of(service: str) -> Group:
    """The group that takes in what is asked of a service."""
    group = Group(f"{service}.repairs", reads=ORDERS_EVENTS, inside=True)

    @group.on(RepairRequested, blocks=False)
    async def leave_at_the_desk(event: RepairRequested, asked: Asked) -> list[Message]:
        if event.service == service:
            await asked.leave(event, event.meta)
        return []

    return group


def wanted_by(event: RepairRequested, cause: Meta) -> AskedOnOrder:
    """What is asked for, as the desk keeps it."""
    return AskedOnOrder(
        order=event.order.id,
        shop=event.order.shop,
        entry=event.entry_id,
        do=event.action,
        group=event.group,
        message=event.message_id,
        source=event.message_source,
        key=event.key,
        happened=event.happened,
        again=event.again,
        cause=cause.id,
        correlation=cause.correlationid or cause.id,
    )

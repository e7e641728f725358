"""What orders does about each message, by whichever way it came: HTTP and the topic run the same functions."""

from services.orders.domain.order import Order
from services.orders.repository import Orders
from services.orders.timeline import Timeline
from shared.contracts.message import Message, now
from shared.contracts.order_commands import PlaceOrder, PrintDocument, ProcessOrder, ResendConfirmation, ShipUnits
from shared.contracts.order_events import OrderEvent
from shared.contracts.order_log import LogEntry
from shared.contracts.topics import ORDERS_COMMANDS, ORDERS_LOG
from shared.messaging.groups import Group

commands = Group("orders.commands", reads=ORDERS_COMMANDS, inside=True, answers=True)
log = Group("orders.log", reads=ORDERS_LOG, inside=True, knows="/orders")


@commands.on(PlaceOrder)
async def place_order(command: PlaceOrder, orders: Orders) -> list[OrderEvent]:
    """Accept a confirmed cart; an order that the shop has placed before is left as it is."""
    shop = await orders.shop(command.meta.shop)
    if orders.holds(command.order_id, shop.shop):
        return []
    number = await orders.upcoming_number(shop)
    events = Order.place(command, shop, number, at=now())
    for event in events:
        orders.add(event.order)
    return events


@commands.on(ResendConfirmation)
async def resend_confirmation(command: ResendConfirmation, orders: Orders) -> list[OrderEvent]:
    """Ask for the confirmation to be sent again."""
    return orders.get(command.order_id, command.meta.shop).resend_confirmation(command)


@commands.on(ProcessOrder)
async def process_order(command: ProcessOrder, orders: Orders) -> list[OrderEvent]:
    """A person has noticed the order and sent units."""
    order, events = orders.get(command.order_id, command.meta.shop).process(command)
    return orders.saved(order, events)


@commands.on(ShipUnits)
async def ship_units(command: ShipUnits, orders: Orders) -> list[OrderEvent]:
    """Units have left."""
    order, events = orders.get(command.order_id, command.meta.shop).ship(command)
    return orders.saved(order, events)


@commands.on(PrintDocument)
async def print_document(command: PrintDocument, orders: Orders) -> list[OrderEvent]:
    """Ask for a document of the order."""
    return orders.get(command.order_id, command.meta.shop).print_document(command)


@log.on(LogEntry)
async def record_entry(entry: LogEntry, timeline: Timeline) -> list[Message]:
    """Put what any service says about an order on its timeline."""
    timeline.add(entry)
    return []

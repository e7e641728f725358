"""What orders does about each message, by whichever way it came: HTTP and the topic run the same functions."""

from services.orders.domain.order import Order
from services.orders.repository import Orders
from services.orders.timeline import Timeline
from shared.contracts.message import Message, now
from shared.contracts.order_commands import (
    BookShipment,
    CancelShipment,
    CapturePayment,
    PlaceOrder,
    PrintDocument,
    ProcessOrder,
    RefundPayment,
    ResendConfirmation,
    ShipUnits,
    TransferOrder,
    VoidPayment,
)
from shared.contracts.order_events import OrderEvent
from shared.contracts.order_log import LogEntry, PaymentEntry, ShipmentEntry
from shared.contracts.topics import ORDERS_COMMANDS, ORDERS_LOG
from shared.messaging.groups import Group

reports = Group("orders.reports", reads=ORDERS_LOG, inside=True, knows="/orders")
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
    shop = command.meta.shop
    order, events = orders.get(command.order_id, shop).process(command, orders.connections(shop))
    return orders.saved(order, events)


@commands.on(ShipUnits)
async def ship_units(command: ShipUnits, orders: Orders) -> list[OrderEvent]:
    """Units have left."""
    shop = command.meta.shop
    order, events = orders.get(command.order_id, shop).ship(command, orders.connections(shop))
    return orders.saved(order, events)


@commands.on(CapturePayment)
async def capture_payment(command: CapturePayment, orders: Orders) -> list[OrderEvent]:
    """Ask the payment provider to take money."""
    shop = command.meta.shop
    return orders.saved(*orders.get(command.order_id, shop).capture(command, orders.connections(shop)))


@commands.on(RefundPayment)
async def refund_payment(command: RefundPayment, orders: Orders) -> list[OrderEvent]:
    """Ask the payment provider to give money back."""
    shop = command.meta.shop
    return orders.saved(*orders.get(command.order_id, shop).refund(command, orders.connections(shop)))


@commands.on(VoidPayment)
async def void_payment(command: VoidPayment, orders: Orders) -> list[OrderEvent]:
    """Ask the payment provider to let go of what is authorized."""
    shop = command.meta.shop
    return orders.saved(*orders.get(command.order_id, shop).void(command, orders.connections(shop)))


@commands.on(BookShipment)
async def book_shipment(command: BookShipment, orders: Orders) -> list[OrderEvent]:
    """Ask the carrier to take units."""
    shop = command.meta.shop
    return orders.get(command.order_id, shop).book_shipment(command, orders.connections(shop))


@commands.on(CancelShipment)
async def cancel_shipment(command: CancelShipment, orders: Orders) -> list[OrderEvent]:
    """Ask the carrier not to take a shipment."""
    shop = command.meta.shop
    return orders.get(command.order_id, shop).cancel_shipment(command, orders.connections(shop))


@commands.on(TransferOrder)
async def transfer_order(command: TransferOrder, orders: Orders) -> list[OrderEvent]:
    """Ask the ERP system to take the order."""
    shop = command.meta.shop
    return orders.get(command.order_id, shop).transfer(command, orders.connections(shop))


@commands.on(PrintDocument)
async def print_document(command: PrintDocument, orders: Orders) -> list[OrderEvent]:
    """Ask for a document of the order."""
    return orders.get(command.order_id, command.meta.shop).print_document(command)


@reports.on(PaymentEntry)
async def record_payment(entry: PaymentEntry, orders: Orders) -> list[OrderEvent]:
    """What the payment provider did changes how far the order is paid."""
    return reported(entry, orders)


@reports.on(ShipmentEntry)
async def record_shipment(entry: ShipmentEntry, orders: Orders) -> list[OrderEvent]:
    """What the carrier did changes where the order's shipments are."""
    return reported(entry, orders)


def reported(entry: LogEntry, orders: Orders) -> list[OrderEvent]:
    """The order is changed by the report, where there is such an order: a restore may have lost it."""
    order = orders.opened(entry.order_id, entry.meta.shop)
    if order is None:
        return []
    order, events = order.reported(entry)
    orders.save(order)
    return events


@log.on(LogEntry)
async def record_entry(entry: LogEntry, timeline: Timeline) -> list[Message]:
    """Put what any service says about an order on its timeline."""
    timeline.add(entry)
    return []

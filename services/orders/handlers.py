"""What orders does about each message, by whichever way it came: HTTP and the topic run the same functions."""

from collections.abc import Callable, Sequence
from typing import TypeVar

from services.orders.domain import moving, naming, people
from services.orders.domain.order import Order
from services.orders.domain.repairing import repaired
from services.orders.domain.shop import Shop
from services.orders.repository import Orders
from services.orders.timeline import Timeline
from shared.contracts.message import Message, now
from shared.contracts.order import CheckoutStep
from shared.contracts.order_commands import (
    AddCheckoutSteps,
    AddComment,
    AttachCustomer,
    BookShipment,
    CancelOrder,
    CancelShipment,
    CapturePayment,
    ChangeInternalStatus,
    ChangeLineStatus,
    ChangeStatus,
    ConfirmPayment,
    CorrectContact,
    DeleteComment,
    HandleOrder,
    MoveToFolder,
    MoveUnits,
    OrderCommand,
    PlaceOrder,
    PrintDocument,
    ProcessOrder,
    RefundPayment,
    RepairEntry,
    ResendConfirmation,
    SendMessage,
    TransferOrder,
    VoidPayment,
)
from shared.contracts.order_events import CommentAdded, CommentDeleted, OrderEvent
from shared.contracts.order_log import CheckoutStepTaken, LogEntry, PaymentEntry, ShipmentEntry
from shared.contracts.topics import ORDERS_COMMANDS, ORDERS_LOG
from shared.messaging.groups import Group

reports = Group("orders.reports", reads=ORDERS_LOG, inside=True, knows="/orders")
commands = Group("orders.commands", reads=ORDERS_COMMANDS, inside=True, answers=True)
log = Group("orders.log", reads=ORDERS_LOG, inside=True, knows="/orders")

C = TypeVar("C", bound=HandleOrder)
Said = list[OrderEvent]


async def changed(command: C, orders: Orders, change: Callable[[Order, C, Shop], tuple[Order, Said]]) -> Said:
    """What the command says of an order that it changes, which is kept."""
    shop = await orders.shop_in_full(command.meta.shop)
    return orders.saved(*change(orders.to_handle(command), command, shop))


async def asked(command: C, orders: Orders, ask: Callable[[Order, C, Shop], Said]) -> Said:
    """What the command asks of others about an order, which stays as it is."""
    shop = await orders.shop_in_full(command.meta.shop)
    return ask(orders.to_handle(command), command, shop)


@commands.on(PlaceOrder)
async def place_order(command: PlaceOrder, orders: Orders) -> list[Message]:
    """Accept a confirmed cart; an order that the shop has placed before is left as it is."""
    shop = await orders.shop(command.meta.shop)
    if orders.holds(command.order_id, shop.shop):
        return []
    number = await orders.upcoming_number(shop)
    events = Order.place(command, shop, number, at=now())
    for event in events:
        orders.add(event.order)
    return [*events, *steps_taken(command, command.checkout)]


@commands.on(ResendConfirmation)
async def resend_confirmation(command: ResendConfirmation, orders: Orders) -> Said:
    """Ask for the confirmation to be sent again."""
    return await asked(command, orders, Order.resend_confirmation)


@commands.on(SendMessage)
async def send_message(command: SendMessage, orders: Orders) -> Said:
    """Ask for a message to be sent."""
    return await asked(command, orders, people.send_message)


@commands.on(ProcessOrder)
async def process_order(command: ProcessOrder, orders: Orders) -> Said:
    """A person has noticed the order and sent units."""
    return await changed(command, orders, Order.process)


@commands.on(MoveUnits)
async def move_units(command: MoveUnits, orders: Orders) -> Said:
    """Units are somewhere else now."""
    return await changed(command, orders, moving.move)


@commands.on(CancelOrder)
async def cancel_order(command: CancelOrder, orders: Orders) -> Said:
    """What has not left is cancelled."""
    return await changed(command, orders, moving.cancel)


@commands.on(ChangeStatus)
async def change_status(command: ChangeStatus, orders: Orders) -> Said:
    """The customer is shown another status."""
    return await changed(command, orders, naming.change_status)


@commands.on(ChangeLineStatus)
async def change_line_status(command: ChangeLineStatus, orders: Orders) -> Said:
    """Lines have another status."""
    return await changed(command, orders, naming.change_line_status)


@commands.on(ChangeInternalStatus)
async def change_internal_status(command: ChangeInternalStatus, orders: Orders) -> Said:
    """The merchant's own status is another."""
    return await changed(command, orders, naming.change_internal_status)


@commands.on(MoveToFolder)
async def move_to_folder(command: MoveToFolder, orders: Orders) -> Said:
    """The order lies in another folder."""
    return await changed(command, orders, naming.move_to_folder)


@commands.on(CorrectContact)
async def correct_contact(command: CorrectContact, orders: Orders) -> Said:
    """How the customer is reached was wrong."""
    return orders.saved(*people.correct_contact(orders.to_handle(command), command))


@commands.on(AttachCustomer)
async def attach_customer(command: AttachCustomer, orders: Orders) -> Said:
    """The order belongs to another account, or to none."""
    return orders.saved(*people.attach_customer(orders.to_handle(command), command))


@commands.on(AddComment)
async def add_comment(command: AddComment, orders: Orders) -> Said:
    """An internal comment is kept; its text is told nobody else."""
    order = orders.to_handle(command)
    orders.add_comment(command)
    return [CommentAdded(order=order.now, comment_id=command.meta.id)]


@commands.on(DeleteComment)
async def delete_comment(command: DeleteComment, orders: Orders) -> Said:
    """An internal comment is no longer shown among the others; the log has it."""
    order = orders.to_handle(command)
    if not await orders.delete_comment(command):
        return []
    return [CommentDeleted(order=order.now, comment_id=command.comment_id)]


@commands.on(AddCheckoutSteps)
async def add_checkout_steps(command: AddCheckoutSteps, orders: Orders) -> list[LogEntry]:
    """What the customer did later goes to the log."""
    orders.to_handle(command)
    return steps_taken(command, command.steps)


def steps_taken(command: OrderCommand, steps: list[CheckoutStep]) -> list[LogEntry]:
    """The entries of the checkout trail (R125)."""
    return [
        CheckoutStepTaken(
            order_id=command.order_id,
            outcome="done",
            summary=f"checkout.{step.step}",
            parameters={"detail": step.detail},
            step=step.step,
            taken_at=step.at,
            detail=step.detail,
        )
        for step in steps
    ]


@commands.on(CapturePayment)
async def capture_payment(command: CapturePayment, orders: Orders) -> Said:
    """Ask the payment provider to take money."""
    return await changed(command, orders, Order.capture)


@commands.on(RefundPayment)
async def refund_payment(command: RefundPayment, orders: Orders) -> Said:
    """Ask the payment provider to give money back."""
    return await changed(command, orders, Order.refund)


@commands.on(VoidPayment)
async def void_payment(command: VoidPayment, orders: Orders) -> Said:
    """Ask the payment provider to let go of what is authorized."""
    return await changed(command, orders, Order.void)


@commands.on(ConfirmPayment)
async def confirm_payment(command: ConfirmPayment, orders: Orders) -> list[Message]:
    """A person has seen the money."""
    order, said = orders.to_handle(command).confirm_payment(command)
    orders.save(order)
    return said


@commands.on(BookShipment)
async def book_shipment(command: BookShipment, orders: Orders) -> Said:
    """Ask the carrier to take units."""
    return await asked(command, orders, Order.book_shipment)


@commands.on(CancelShipment)
async def cancel_shipment(command: CancelShipment, orders: Orders) -> Said:
    """Ask the carrier not to take a shipment."""
    return await asked(command, orders, Order.cancel_shipment)


@commands.on(TransferOrder)
async def transfer_order(command: TransferOrder, orders: Orders) -> Said:
    """Ask the ERP system to take the order."""
    return await asked(command, orders, Order.transfer)


@commands.on(PrintDocument)
async def print_document(command: PrintDocument, orders: Orders) -> Said:
    """Ask for a document of the order."""
    return await asked(command, orders, Order.print_document)


@commands.on(RepairEntry)
async def repair_entry(command: RepairEntry, orders: Orders) -> Sequence[Message]:
    """What an entry of the order's log tells of is put right: here, or by the service that wrote it."""
    shop = await orders.shop_in_full(command.meta.shop)
    order = orders.to_handle(command)
    trouble = await orders.trouble(command)
    after, said = repaired(order, trouble, command, shop)
    if after is not order:
        orders.save(after)
    orders.put_right(command, trouble, said)
    return said


@reports.on(PaymentEntry)
async def record_payment(entry: PaymentEntry, orders: Orders) -> Said:
    """What the payment provider did changes how far the order is paid."""
    return await reported(entry, orders)


@reports.on(ShipmentEntry)
async def record_shipment(entry: ShipmentEntry, orders: Orders) -> Said:
    """What the carrier did changes where the order's shipments are."""
    return await reported(entry, orders)


async def reported(entry: LogEntry, orders: Orders) -> Said:
    """The order is changed by the report, where there is such an order: a restore may have lost it."""
    order = orders.opened(entry.order_id, entry.meta.shop)
    if order is None:
        return []
    order, events = order.reported(entry, await orders.shop_in_full(entry.meta.shop))
    orders.save(order)
    return events


@log.on(LogEntry)
async def record_entry(entry: LogEntry, timeline: Timeline) -> list[Message]:
    """Put what any service says about an order on its timeline."""
    timeline.add(entry)
    return []

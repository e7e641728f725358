"""Who ordered: how they are reached (R124), whose account the order belongs to (R114), and what is written to them."""

from typing import Any

from services.orders.domain.order import Order
from services.orders.domain.shop import WRITTEN, Shop
from shared.contracts.order_commands import AttachCustomer, CorrectContact, SendMessage
from shared.contracts.order_events import ContactCorrected, CustomerAttached, MessageRequested, OrderEvent
from shared.contracts.values import masked_email

Handled = tuple[Order, list[OrderEvent]]
OF_CUSTOMER = ("full_name", "company", "email", "phone", "address")


def correct_contact(order: Order, command: CorrectContact) -> Handled:
    """What is named is corrected; what stays as it was says nothing."""
    customer = order.now.customer
    wanted: dict[str, Any] = {name: getattr(command, name) for name in OF_CUSTOMER}
    fields = {name: value for name, value in wanted.items() if value is not None and value != getattr(customer, name)}
    changes: dict[str, Any] = {"customer": customer.model_copy(update=fields)} if fields else {}
    delivery = command.delivery_address
    if delivery is not None and delivery != (order.now.delivery_address or customer.address):
        changes["delivery_address"] = delivery
    if not changes:
        return order, []
    corrected = order.changed(command, **changes)
    before = {name: masked(name, getattr(customer, name)) for name in fields}
    if "delivery_address" in changes:
        before["delivery_address"] = masked("delivery_address", order.now.delivery_address)
    return corrected, [ContactCorrected(order=corrected.now, before=before)]


def masked(name: str, value: object) -> str:
    """What may be told of a value that was there: enough to know it again, not enough to know it."""
    if name == "email":
        return masked_email(str(value))
    return f"{value[:1]}***" if isinstance(value, str) and value else ("***" if value else "")


def send_message(order: Order, command: SendMessage, shop: Shop) -> list[OrderEvent]:
    """Somebody writes about the order, by default to its customer (R049). Raises Refused: `nobody-reacts`."""
    shop.require_sender(MessageRequested, WRITTEN)
    fields = {name: getattr(command, name) for name in ("headline", "text", "format", "to_address")}
    return [MessageRequested(order=order.now, template=WRITTEN, **fields)]


def attach_customer(order: Order, command: AttachCustomer) -> Handled:
    """The order belongs to this account, or to none."""
    if command.customer_id == order.now.customer.customer_id:
        return order, []
    customer = order.now.customer.model_copy(update={"customer_id": command.customer_id})
    attached = order.changed(command, customer=customer)
    return attached, [CustomerAttached(order=attached.now)]

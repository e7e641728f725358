"""What has become of an order by its age, told by the commands that people give and the reports that come."""

from dataclasses import dataclass
from datetime import UTC, datetime
from random import Random
from typing import TypeVar

from services.orders.domain import moving, naming
from services.orders.domain.order import Order
from services.orders.domain.shop import Shop
from shared.contracts.message import Message
from shared.contracts.order_commands import (
    CancelOrder,
    ChangeInternalStatus,
    ChangeStatus,
    ConfirmPayment,
    DeliverUnits,
    MoveToFolder,
    ProcessOrder,
    ReturnUnits,
)
from shared.contracts.order_log import PaymentAuthorized, PaymentDeclined, PaymentRefunded
from tests.builders import stamped

M = TypeVar("M", bound=Message)
THEN = datetime(2020, 1, 2, tzinfo=UTC)
OPEN, ON_THE_WAY = 0.02, 0.06
"""The newest fiftieth is mostly untouched; what is older than three fiftieths has nearly always arrived."""
FORGOTTEN = 0.003


@dataclass(frozen=True)
class Told:
    """How far it has come."""

    goods: str
    internal: str | None
    folder: str | None
    payment: str


def story_of(random: Random, age: float) -> Told:
    """An order of this age, 0 the newest and 1 the oldest."""
    goods = _goods(random, age)
    paid = {"cancelled": "authorized", "returned": "refunded", "new": "authorized"}.get(goods, "captured")
    payment = random.choices((paid, "none", "declined"), (93, 6, 1))[0]
    if goods == "new":
        internal = random.choices((None, "to-pick", "on-hold", "awaiting-payment"), (55, 30, 10, 5))[0]
        folder = random.choices((None, "to-pack", "disputes"), (70, 29, 1))[0]
    else:
        internal = "done" if random.random() < 0.4 else None
        folder = random.choices((None, "archive", "wholesale", "disputes"), (60, 33, 6.8, 0.2))[0]
    return Told(goods, internal, folder, payment)


def _goods(random: Random, age: float) -> str:
    if random.random() < 0.03:
        return "cancelled"
    if age < OPEN:
        return random.choices(("new", "partly", "shipped"), (80, 3, 17))[0]
    if age < ON_THE_WAY:
        return random.choices(("new", "partly", "shipped", "delivered"), (2, 2, 56, 40))[0]
    if random.random() < FORGOTTEN:
        return "new"
    return random.choices(("shipped", "delivered", "returned"), (4, 93, 3))[0]


def handled(order: Order, told: Told, shop: Shop, random: Random) -> Order:
    """The order, handled as told."""
    order = _paid_at_first(order, told, shop)
    if told.goods == "cancelled":
        return moving.cancel(order, _by(order, CancelOrder(order_id=order.now.id)), shop)[0]
    if told.goods == "partly" and len(order.now.lines) > 1:
        units = [{"line_id": order.now.lines[0].line_id, "units": 1}]
        order = order.process(
            _by(order, ProcessOrder.model_validate({"order_id": order.now.id, "units": units})), shop
        )[0]
        order = _named(order, "in-progress", shop)
    elif told.goods != "new":
        order = order.process(_by(order, ProcessOrder(order_id=order.now.id)), shop)[0]
        order = _sent_on(order, told, shop)
    elif random.random() < 0.2:
        order = _named(order, "in-progress", shop)
    return _kept(_paid_at_last(order, told, shop), told, shop)


def _by(order: Order, message: M) -> M:
    return stamped(message, shop=order.now.shop, actor="maria", time=THEN)


def _named(order: Order, status: str, shop: Shop) -> Order:
    return naming.change_status(order, _by(order, ChangeStatus(order_id=order.now.id, status=status)), shop)[0]


def _sent_on(order: Order, told: Told, shop: Shop) -> Order:
    if told.goods in {"delivered", "returned"}:
        order = moving.move(order, _by(order, DeliverUnits(order_id=order.now.id)), shop)[0]
    if told.goods == "returned":
        order = moving.move(order, _by(order, ReturnUnits(order_id=order.now.id)), shop)[0]
    return _named(order, told.goods if told.goods != "partly" else "partly-shipped", shop)


def _paid_at_first(order: Order, told: Told, shop: Shop) -> Order:
    if told.payment in {"none", "captured"}:
        return order
    fields = {"order_id": order.now.id, "outcome": "done", "summary": "payment", "transaction_id": "t-1"}
    amount = {"amount": order.now.totals.incl_vat.amount, "currency": order.now.currency}
    if told.payment == "declined":
        declined = fields | amount | {"outcome": "failed", "action": "authorize", "reason": "refused"}
        return order.reported(_by(order, PaymentDeclined.model_validate(declined)), shop)[0]
    return order.reported(_by(order, PaymentAuthorized.model_validate(fields | amount)), shop)[0]


def _paid_at_last(order: Order, told: Told, shop: Shop) -> Order:
    if told.payment not in {"captured", "refunded"}:
        return order
    order, _ = order.confirm_payment(_by(order, ConfirmPayment(order_id=order.now.id)))
    if told.payment == "refunded":
        fields = {"order_id": order.now.id, "outcome": "done", "summary": "payment", "transaction_id": "t-2"}
        amount = {"amount": order.now.totals.incl_vat.amount, "currency": order.now.currency}
        order = order.reported(_by(order, PaymentRefunded.model_validate(fields | amount)), shop)[0]
    return order


def _kept(order: Order, told: Told, shop: Shop) -> Order:
    if told.internal is not None:
        command = ChangeInternalStatus(order_id=order.now.id, status=told.internal)
        order = naming.change_internal_status(order, _by(order, command), shop)[0]
    folder = told.folder if told.folder is None or order.now.shop == "big" else "later"
    if folder is not None:
        order = naming.move_to_folder(order, _by(order, MoveToFolder(order_id=order.now.id, folder=folder)), shop)[0]
    return order

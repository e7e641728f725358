"""What can be done on an order's page: how each form is read, and where it goes below the order."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

from services.backoffice.visiting import Form
from shared.contracts.order import OrderSnapshot, PricedLine, UnitState
from shared.contracts.values import minor_digits

Body = dict[str, Any]
UNITS = "units."
"""Before a line's id, in the name of the field that says how many of it."""
NUMBER = re.compile(r"[0-9]{0,9}")
LARGEST = 10**13
ADDRESS = ("full_name", "company", "street", "street2", "postal_code", "city", "region", "country")
CONTACT = ("full_name", "company", "email", "phone")


class NotSo(ValueError):
    """What was typed cannot be meant; `reason` is a stable word."""

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(reason)
        self.reason, self.detail = reason, detail


@dataclass(frozen=True)
class Deed:
    """One of them. `action` is what orders calls it among what is possible; nothing where it always is."""

    name: str
    path: str
    read: Callable[[Form, OrderSnapshot], Body]
    action: str = ""
    units: tuple[UnitState, ...] = ()
    """Of units in these states, where it is about units."""
    in_place: bool = False
    """Whether its form stands on the page at all times, not at its top when it is asked for."""

    def available(self, line: PricedLine) -> int:
        """How many units of a line it can be about."""
        there = line.units or {"open": line.quantity}
        return sum(there.get(state, 0) for state in self.units)


def units_of(form: Form, _order: OrderSnapshot) -> Body:
    """Lines and how many of each. Raises NotSo."""
    rows = [(field.removeprefix(UNITS), value.strip()) for field, value in form.fields if field.startswith(UNITS)]
    if not all(NUMBER.fullmatch(value) for _, value in rows):
        raise NotSo("not-a-number")
    return {"units": [{"line_id": line_id, "units": int(value)} for line_id, value in rows if int(value or 0)]}


def moved_units(form: Form, order: OrderSnapshot) -> Body:
    """The same with a reason; at least one unit. Raises NotSo."""
    said = units_of(form, order)
    if not said["units"]:
        raise NotSo("no-units")
    return said | {"reason": form.one("reason")}


def cancelled_units(form: Form, order: OrderSnapshot) -> Body:
    """The same, and what the customer is shown. Raises NotSo."""
    return moved_units(form, order) | ({"status": form.one("status")} if form.one("status") else {})


def booked_units(form: Form, order: OrderSnapshot) -> Body:
    """What is in the shipment. Raises NotSo."""
    said = units_of(form, order)
    if not said["units"]:
        raise NotSo("no-units")
    return said


def amount_of(form: Form, order: OrderSnapshot) -> Body:
    """So much, typed as `1 234,50`; all of it where nothing is typed. Raises NotSo."""
    typed = "".join(form.one("amount").split()).replace("\u2212", "-").replace(",", ".")
    if not typed:
        return {}
    try:
        minor = Decimal(typed).scaleb(minor_digits(order.currency))
        if not (minor.is_finite() and 0 < minor < LARGEST) or minor != int(minor):
            raise NotSo("not-an-amount")
    except InvalidOperation:
        raise NotSo("not-an-amount") from None
    return {"amount": int(minor)}


def amount_and_reason(form: Form, order: OrderSnapshot) -> Body:
    """The same with a reason. Raises NotSo."""
    return amount_of(form, order) | {"reason": form.one("reason")}


def contact_of(form: Form, order: OrderSnapshot) -> Body:
    """What differs from what the order has; what is not typed stays."""
    said: Body = {name: form.one(name) for name in CONTACT if form.one(name) != getattr(order.customer, name)}
    for name, now in (("address", order.customer.address), ("delivery_address", order.delivery_address)):
        typed = {part: form.one(f"{name}.{part}") for part in ADDRESS}
        typed["country"] = typed["country"].strip().upper()
        before = {part: getattr(now, part) if now else "" for part in ADDRESS}
        if typed != before and any(value for part, value in typed.items() if part != "country"):
            said[name] = typed
    if not said:
        raise NotSo("nothing-changed")
    return said


def message_of(form: Form, _order: OrderSnapshot) -> Body:
    """A message to the customer, or to another address. Raises NotSo."""
    other = {"to_address": form.one("to_address").strip()} if form.one("to") == "other" else {}
    if form.one("to") == "other" and not other["to_address"]:
        raise NotSo("no-address")
    if not form.one("headline").strip() or not form.one("text").strip():
        raise NotSo("empty-message")
    format_ = "html" if form.one("format") == "html" else "plain"
    text = form.one("text").replace("\r\n", "\n")
    return {"headline": form.one("headline").strip(), "text": text, "format": format_, **other}


def comment_of(form: Form, _order: OrderSnapshot) -> Body:
    """What is to be remembered. Raises NotSo."""
    if not form.one("text").strip():
        raise NotSo("empty-comment")
    return {"text": form.one("text").replace("\r\n", "\n")}


def field(name: str, *, empty: bool = False) -> Callable[[Form, OrderSnapshot], Body]:
    """One field as it is; with `empty`, nothing is none."""
    return lambda form, _: {name: (form.one(name) or None) if empty else form.one(name)}


def entry_of(form: Form, _order: OrderSnapshot) -> Body:
    """Which entry of the log is put right."""
    return {"entry_id": form.one("entry")}


def skipped(form: Form, order: OrderSnapshot) -> Body:
    """The same, and why it is let be. Raises NotSo."""
    if not form.one("reason").strip():
        raise NotSo("no-reason")
    return entry_of(form, order) | {"reason": form.one("reason").strip()}


def settled(form: Form, order: OrderSnapshot) -> Body:
    """The same, and what really became of it. Raises NotSo."""
    said: Mapping[str, Body] = {
        "happened": {"happened": True},
        "again": {"happened": False, "again": True},
        "given-up": {"happened": False, "again": False},
    }
    if form.one("became") not in said:
        raise NotSo("say-whether-again")
    return entry_of(form, order) | said[form.one("became")] | {"reason": form.one("reason").strip()}


def corrected(form: Form, order: OrderSnapshot) -> Body:
    """The same, and the right address. Raises NotSo."""
    if not form.one("email").strip():
        raise NotSo("no-address")
    return entry_of(form, order) | {"email": form.one("email").strip()}


def nothing(_form: Form, _order: OrderSnapshot) -> Body:
    """There is nothing to say."""
    return {}


def _lines(form: Form, _order: OrderSnapshot) -> Body:
    return {"status": form.one("status"), "line_ids": form.all("line")}


def _paper(form: Form, _order: OrderSnapshot) -> Body:
    return {"document": form.one("document"), "language": form.one("language") or None}


WAITING: tuple[UnitState, ...] = ("open", "back-ordered")
GONE: tuple[UnitState, ...] = ("shipped", "delivered")
DEEDS: Mapping[str, Deed] = {
    deed.name: deed
    for deed in (
        Deed("process", "process", units_of, "process", ("open",)),
        Deed("ship", "ship", moved_units, "ship", WAITING),
        Deed("deliver", "deliver", moved_units, "deliver", ("shipped",)),
        Deed("back-order", "back-order", moved_units, "back-order", ("open",)),
        Deed("return", "return", moved_units, "return", GONE),
        Deed("claim", "claim", moved_units, "claim", GONE),
        Deed("credit", "credit", moved_units, "credit", ("returned", "claimed")),
        Deed("cancel", "cancel", cancelled_units, "cancel", WAITING),
        Deed("book-shipment", "shipments", booked_units, "book-shipment", ("open", "shipped")),
        Deed("confirm-payment", "confirm-payment", amount_and_reason, "confirm-payment"),
        Deed("capture", "capture", amount_of, "capture"),
        Deed("refund", "refund", amount_and_reason, "refund"),
        Deed("void", "void", nothing, "void"),
        Deed("cancel-shipment", "shipments/cancel", field("shipment_id"), "cancel-shipment"),
        Deed("transfer", "transfer", nothing, "transfer"),
        Deed("resend", "confirmation", field("content"), "resend-confirmation", in_place=True),
        Deed("print", "documents", _paper, "print-document", in_place=True),
        Deed("contact", "contact", contact_of),
        Deed("customer", "customer", field("customer_id", empty=True)),
        Deed("message", "messages", message_of, "send-message"),
        Deed("line-status", "line-status", _lines),
        Deed("status", "status", field("status"), in_place=True),
        Deed("internal-status", "internal-status", field("status", empty=True), in_place=True),
        Deed("folder", "folder", field("folder", empty=True), in_place=True),
        Deed("retry", "retry", entry_of),
        Deed("skip", "skip", skipped),
        Deed("settle", "settle", settled),
        Deed("fix-address-and-send", "fix-address-and-send", corrected),
        Deed("comment", "comments", comment_of, in_place=True),
        Deed("delete-comment", "comments/delete", field("comment_id"), in_place=True),
    )
}
MOVES = ("ship", "deliver", "back-order", "return", "claim", "credit")
"""Beside processing and cancelling, what happens to units."""
SYSTEMS = ("capture", "refund", "void", "book-shipment", "cancel-shipment", "transfer")
"""What the shop's connected systems do (R075)."""
WITH_REASON = frozenset({*MOVES, "cancel", "confirm-payment", "refund", "skip", "settle"})
REPAIRS = ("fix-address-and-send", "retry", "settle", "skip")
"""What is done about an entry of the log that tells of something that went wrong (R205)."""
WITH_AMOUNT = frozenset({"confirm-payment", "capture", "refund"})

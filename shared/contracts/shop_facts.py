"""What every service needs to know about a shop, published by its owner; the last record is the whole truth."""

from typing import Annotated, ClassVar, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, Field, StringConstraints

from shared.contracts.files import DocumentKind
from shared.contracts.message import Message
from shared.contracts.order import UnitState
from shared.contracts.topics import SHOPS_FACTS
from shared.contracts.values import (
    CountryCode,
    Currency,
    Email,
    Identifier,
    Language,
    Line,
    Name,
    Price,
    Prose,
    ShopId,
    Value,
)


def _known_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError("not a time zone of the IANA database") from None
    return name


Within = Annotated[int, Field(ge=1, le=30 * 86400)]
"""Seconds after an event in which what it promises is to have an outcome; later it is overdue (R201)."""


class ShopFact(Message, topic=SHOPS_FACTS):
    """One owner's whole public truth about one shop."""

    owner: ClassVar[str]
    shop: ShopId

    @property
    def subject(self) -> str:
        return f"{self.shop}/{self.owner}"

    @property
    def shop_in_data(self) -> str:
        return self.shop


class PaymentConnection(Value):
    """Where the shop's customers pay."""

    provider: Identifier
    """Which adapter speaks with it: `sandbox`."""
    capture: Literal["by-hand", "when-shipped"] = "by-hand"
    """Whether shipping units captures what they cost."""


class ShippingConnection(Value):
    """Who carries the shop's parcels."""

    provider: Identifier


class ErpConnection(Value):
    """Where the shop keeps its books."""

    provider: Identifier


class ShopConnections(ShopFact, type="shop.connections.v1"):
    """What a shop has connected, and what happens by itself; it decides what can be asked of an order (R075)."""

    owner = "integrations"
    written_by = ("integrations",)
    payment: PaymentConnection | None = None
    shipping: ShippingConnection | None = None
    erp: ErpConnection | None = None
    within: Within = 900


class PromisedMessage(Value):
    """One event, and a message that it sends."""

    event: Identifier
    """Its type: `order.placed.v1`."""
    message: Identifier
    """What the order log calls it: `order-received`."""


class ShopMessages(ShopFact, type="shop.messages.v1"):
    """Which event of the shop's orders sends which messages."""

    owner = "notifications"
    written_by = ("notifications",)
    messages: Annotated[list[PromisedMessage], Field(max_length=200)]
    within: Within


class ShopLooks(ShopFact, type="shop.looks.v1"):
    """Which documents can be printed for the shop."""

    owner = "documents"
    written_by = ("documents",)
    documents: Annotated[list[DocumentKind], Field(max_length=20)]
    within: Within


class Status(Value):
    """One word of a catalogue of the shop's: what an order or a line can be called (R034, R035, R036, R039)."""

    id: Identifier
    axis: Literal["order", "line", "internal"]
    """Whether it is for the order as the customer sees it, for lines, or for the merchant alone."""
    names: Annotated[dict[Language, Name], Field(min_length=1, max_length=3)]
    position: Annotated[int, Field(ge=0, le=10_000)] = 0
    """Where it stands in lists, from the lowest."""
    visible: bool = True
    """Whether the customer may see it (R037); one for the merchant alone is never shown."""
    moves_to: UnitState | None = None
    """For lines: the state into which it moves their units, and which gives a line this status."""
    prints: DocumentKind | None = None
    """Which document is printed when an order is given it."""
    sends: Identifier | None = None
    """Which message its customer gets when an order is given it, as notifications calls it: `order-status`."""
    retired: bool = False
    """Whether no order is given it any more; those that have it keep it."""


class Folder(Value):
    """One of the folders that a shop sorts its orders into (R005)."""

    id: Identifier
    name: Name


class ShopSettings(ShopFact, type="shop.settings.v1"):
    """How a shop presents itself: names, languages, money, time."""

    owner = "orders"
    written_by = ("orders",)
    name: Name
    languages: Annotated[list[Language], Field(min_length=1, max_length=10)]
    """What the shop speaks, its own language first."""
    currency: Currency
    time_zone: Annotated[
        str, StringConstraints(max_length=64, pattern=r"^[A-Za-z0-9_+/-]{1,64}$"), AfterValidator(_known_zone)
    ]
    """IANA name: `Europe/Stockholm`."""
    prices_include_vat: bool = True
    """Whether its pages and mails show prices with VAT first (R084)."""
    email: Email
    """The address that customers may answer to; mails are sent in its name."""
    phone: Line = ""
    website: Line = ""
    postal_address: Prose = ""
    first_order_number: Annotated[int, Field(ge=1, le=10**12)] = 1
    """Where the shop's order numbers begin (R084)."""
    total_tolerance: Price = 0
    """By how many minor units the shop front's total may differ from ours without an order being flagged."""
    rounding: Literal["none", "whole"] = "none"
    """Whether the sum to pay of an order in the shop's own currency is rounded to whole kronor or euros (R084)."""
    vat_country: CountryCode | None = None
    """Whose VAT the shop charges: its rates are known by class and day, and others are flagged (R084)."""
    statuses: Annotated[list[Status], Field(max_length=300)] = []  # noqa: RUF012 - pydantic copies it
    """Its catalogues of statuses; empty: those that every shop begins with."""
    process_within_hours: Annotated[int, Field(ge=1, le=10_000)] = 48
    """After how many hours an order that nobody has processed is overdue (R110)."""
    folders: Annotated[list[Folder], Field(max_length=500)] = []  # noqa: RUF012 - pydantic copies it
    features: Annotated[list[Identifier], Field(max_length=100)] = []  # noqa: RUF012 - pydantic copies it
    """What the platform's operator has switched on for this shop (R082)."""

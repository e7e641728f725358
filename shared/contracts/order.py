"""An order, as shop fronts describe it and as events show it: every consumer finds here all that it needs."""

from datetime import date
from decimal import Decimal
from typing import Annotated, Literal

from pydantic import AfterValidator, AwareDatetime, Field, StringConstraints, model_validator

from shared.contracts.values import (
    Address,
    Currency,
    Email,
    ExchangeRate,
    Identifier,
    Language,
    Line,
    MinorUnits,
    Money,
    Name,
    OrderId,
    Personal,
    Price,
    Prose,
    Quantity,
    ShopId,
    Value,
    VatRate,
)

MAX_LINES = 2_000

UnitState = Literal["open", "back-ordered", "shipped", "delivered", "returned", "claimed", "credited", "cancelled"]
"""Where a unit of a line is (R034); each is in exactly one of these."""
Processing = Literal["unprocessed", "partly", "processed"]
"""How far a person has handled the order (R110): not noticed yet, noticed with units still open, all dealt with."""
Goods = Literal["open", "partly-shipped", "shipped", "delivered", "returned", "cancelled"]
"""Where the goods are as a whole, derived from the units (R103)."""
PaymentStatus = Literal[
    "none",
    "declined",
    "authorized",
    "voided",
    "partly-captured",
    "captured",
    "partly-refunded",
    "refunded",
]
"""How far the order is paid, derived from the payment entries; `none` where no provider has told of one."""
PaymentAction = Literal["capture", "refund", "void"]
ReturnState = Literal["received", "credited"]
ShipmentState = Literal["booked", "cancelled", "handed-over", "in-transit", "delivered"]
"""Where a shipment is, as its carrier says."""


class Customer(Value):
    """Who ordered."""

    full_name: Personal[Line] = ""
    company: Personal[Line] = ""
    email: Personal[Email]
    phone: Personal[Line] = ""
    customer_id: Personal[Identifier] | None = None
    """The shop front's id of the customer's account (R023); absent for a guest."""
    address: Address


class OrderLine(Value):
    """What was ordered: one article, so many of it, at the price the shop front showed."""

    line_id: Identifier
    article_number: Line = ""
    name: Name
    kind: Literal["physical", "digital", "service"] = "physical"
    quantity: Quantity
    unit_price: Price
    """In minor units of the order's currency; with VAT where the order says `prices_include_vat`."""
    discount: Price = 0
    """Off the whole line, on the same basis as the unit price; never more than the line costs."""
    vat_rate: VatRate
    vat_class: Identifier | None = None
    """What it is to the VAT law of the shop's country: `food`. The rate stands beside it in any case (R084)."""
    stock_location: Line = ""
    weight_g: Annotated[int, Field(ge=0, le=10**9)] | None = None
    """Of one unit, in grams (R028)."""
    volume_ml: Annotated[int, Field(ge=0, le=10**9)] | None = None
    """Of one unit, in millilitres (R029)."""
    supplier: Identifier | None = None

    @model_validator(mode="after")
    def _discount_within_the_line(self) -> "OrderLine":
        if self.discount > self.quantity * self.unit_price:
            raise ValueError("the discount is larger than the line")
        return self


class Delivery(Value):
    """The chosen delivery method (R134) and what it costs."""

    method: Identifier
    name: Name
    price: Price = 0
    """In minor units, on the same basis as the lines' prices."""
    vat_rate: VatRate = Decimal(25)
    pick_up_point: Line = ""
    promised_date: date | None = None


class Payment(Value):
    """The chosen payment method (R115) and what the shop charges for it."""

    method: Identifier
    name: Name
    cost: Price = 0
    """In minor units, on the same basis as the lines' prices."""
    vat_rate: VatRate = Decimal(25)
    reference: Annotated[str, StringConstraints(max_length=128, pattern=r"^[\x21-\x7e]{0,128}$")] = ""
    """What the payment provider calls this payment, where it was begun at checkout."""


class PaymentSums(Value):
    """What the payment provider has done, in minor units of the order's currency."""

    authorized: Price = 0
    captured: Price = 0
    refunded: Price = 0


class Shipment(Value):
    """A shipment that was booked at a carrier."""

    shipment_id: Identifier
    """What the carrier calls it."""
    tracking_number: Line = ""
    tracking_url: Line = ""
    state: ShipmentState = "booked"


class CheckoutStep(Value):
    """Something that the customer did in the shop on the way to the order (R125)."""

    at: AwareDatetime
    step: Identifier
    """What it was: `added-to-cart`, `chose-delivery`, `chose-payment`, `went-to-payment`."""
    detail: Line = ""
    """Which article, which method; nothing about the person."""


CheckoutSteps = Annotated[list[CheckoutStep], Field(max_length=200)]


class PlacedContent(Value):
    """What a shop front says of an order when it is placed."""

    placed_at: AwareDatetime | None = None
    """When the customer confirmed; the time of acceptance where it is absent."""
    language: Language
    currency: Currency
    exchange_rate: ExchangeRate | None = None
    """Units of the shop's own currency for one unit of the order's (R021)."""
    prices_include_vat: bool
    customer: Customer
    delivery_address: Address | None = None
    """Only where it differs from the customer's (R014, R015)."""
    message: Personal[Prose] = ""
    """Written by the customer at checkout (R016)."""
    lines: Annotated[list[OrderLine], Field(min_length=1, max_length=MAX_LINES)]
    delivery: Delivery
    payment: Payment
    total: Price | None = None
    """The grand total that the shop front showed, with VAT, in minor units; kept beside our own."""
    ip_address: Personal[Line] = ""
    reference: Line = ""
    """The shop front's own number for it, such as a cart or invoice number."""

    @model_validator(mode="after")
    def _line_ids_are_unique(self) -> "PlacedContent":
        seen: set[str] = set()
        for line in self.lines:
            if line.line_id in seen:
                raise ValueError(f"line_id {line.line_id} stands on two lines")
            seen.add(line.line_id)
        return self


class PricedLine(OrderLine):
    """An ordered line with what it comes to, in minor units of the order's currency like its price."""

    unit_price_excl_vat: MinorUnits
    unit_price_incl_vat: MinorUnits
    total_excl_vat: MinorUnits
    total_incl_vat: MinorUnits
    """Rounded for the line alone; the totals per rate are computed from exact sums, so these need not add up."""
    units: Annotated[dict[UnitState, Quantity], Field(max_length=8)] = {}  # noqa: RUF012 - pydantic copies it
    """How many units are in which state; all of them are open where nothing stands here."""
    status: Identifier | None = None
    """The line's status, from the shop's catalogue (R024, R034)."""


class LineUnits(Value):
    """So many units of one line."""

    line_id: Identifier
    units: Quantity


def _one_row_for_each_line(rows: list[LineUnits]) -> list[LineUnits]:
    if len({row.line_id for row in rows}) < len(rows):
        raise ValueError("a line_id stands twice")
    return rows


Units = Annotated[list[LineUnits], Field(max_length=MAX_LINES), AfterValidator(_one_row_for_each_line)]
"""Units of several lines, each line at most once."""


class Return(Value):
    """Units that came back (R131)."""

    number: Identifier
    """The order's number and a count: `1001-1`."""
    units: Units
    reason: Line = ""
    received_at: AwareDatetime
    state: ReturnState = "received"


class VatTotal(Value):
    """All of an order that bears one VAT rate."""

    rate: VatRate
    excl_vat: Money
    vat: Money
    incl_vat: Money


class Totals(Value):
    """What the order comes to, with delivery and payment costs (R032)."""

    per_rate: Annotated[list[VatTotal], Field(max_length=MAX_LINES + 2)]
    excl_vat: Money
    vat: Money
    incl_vat: Money
    shop_front: Money | None = None
    """The total that the shop front showed, where it said one."""
    difference: MinorUnits = 0
    """The shop front's total less the sum to pay, in minor units."""
    rounding: MinorUnits = 0
    """What was added so that the sum to pay is whole, in minor units; it bears no VAT and may be negative (R084)."""

    @property
    def to_pay(self) -> Money:
        """What the customer owes: `incl_vat` and `rounding`."""
        return Money(amount=self.incl_vat.amount + self.rounding, currency=self.incl_vat.currency)


class OrderSnapshot(PlacedContent):
    """The whole order as it is at one moment."""

    id: OrderId
    shop: ShopId
    number: Annotated[int, Field(ge=1, le=10**15)]
    """Unique and rising per shop; gaps are allowed (R006)."""
    version: Annotated[int, Field(ge=1, le=10**9)]
    """Counts what people change (R208)."""
    changed_at: AwareDatetime | None = None
    """When a person last changed it (R008); absent while it is as it was placed."""
    changed_by: Identifier | None = None
    """Who that was (R009): an id, never a name."""
    placed_at: AwareDatetime
    lines: Annotated[list[PricedLine], Field(max_length=MAX_LINES)]  # type: ignore[assignment]
    totals: Totals
    processing: Processing = "unprocessed"
    goods: Goods = "open"
    cancelled: bool = False
    """Whether the whole order was cancelled (R131)."""
    status: Identifier = "received"
    """What the customer is shown, from the shop's catalogue (R035)."""
    internal_status: Identifier | None = None
    """For the merchant alone (R036)."""
    folder: Identifier | None = None
    """Which of the shop's folders it lies in; none: it is unsorted, "Root" (R042)."""
    payment_status: PaymentStatus = "none"
    paid: PaymentSums = PaymentSums()
    shipments: Annotated[list[Shipment], Field(max_length=100)] = []  # noqa: RUF012 - pydantic copies it
    returns: Annotated[list[Return], Field(max_length=1000)] = []  # noqa: RUF012 - pydantic copies it
    attention: Annotated[list[Identifier], Field(max_length=20)] = []  # noqa: RUF012 - pydantic copies it
    """Why a person should look at the order: `total-differs`, `vat-rate-differs`."""

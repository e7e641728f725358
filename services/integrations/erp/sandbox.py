"""Sandbox ERP, the ERP system of the demo and the tests; its interface stands in `deploy/local/sandbox`.

It knows no idempotency keys, but an order's reference is unique there: so it is asked before it is told, and what it
has already is changed. Our version of the order is part of the reference to a change, so none is made twice.
"""

import base64
import json
from collections.abc import Mapping
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import httpx2

from services.integrations.calling import Calling, Checked, Heard, NotAnAnswer
from services.integrations.connections import Connection
from shared.contracts.order import OrderSnapshot
from shared.contracts.values import minor_digits
from shared.messaging.effects import Done, Failed, NotSent, Permit

CLEAR_NO = frozenset({400, 401, 404, 422})
RACED = frozenset({409, 412})
"""Somebody, perhaps we, was faster; what is there now is looked at."""
VAT_CODES = {
    Decimal(0): "NONE",
    Decimal(6): "SE06",
    Decimal(10): "FI10",
    Decimal(12): "SE12",
    Decimal("13.5"): "FI135",
    Decimal("17.5"): "GB175",
    Decimal(20): "GB20",
    Decimal(25): "SE25",
    Decimal("25.5"): "FI255",
}
"""By the rate in per cent."""
RATES = {code: rate for rate, code in VAT_CODES.items()}
CENT, PRICE = Decimal("0.01"), Decimal("0.0001")


class NoVatCode(Exception):
    """This system has no code for such a rate; the message says for which."""


class SandboxErp:
    """One company's books at Sandbox ERP."""

    def __init__(self, connection: Connection, *, seconds: float, heard: Heard | None = None) -> None:
        password = base64.b64encode(connection.api_key.encode()).decode()
        headers = {"Authorization": f"Basic {password}"}
        self._calling = Calling(connection.url, seconds=seconds, headers=headers, heard=heard)

    async def push(self, order: OrderSnapshot, permit: Permit) -> Done | Failed:
        """See ErpSystem."""
        try:
            body = json.dumps(sales_order(order)).encode()
        except NoVatCode as error:
            return Failed("no-vat-code", str(error))
        there = await self._asked_first(order)
        if there is None:
            answer = await self._calling.send("POST", "/api/salesorders", permit, body=body)
        elif there["remarks"] == note_of(order):
            return _done(there)
        else:
            path, headers = f"/api/salesorders/{there['documentNumber']}", {"If-Match": f'"{there["revision"]}"'}
            answer = await self._calling.send("PUT", path, permit, body=body, headers=headers)
        return await self._outcome(order, answer)

    async def find(self, order: OrderSnapshot) -> Done | None:
        """See ErpSystem."""
        there = await self._there(order)
        return _done(there) if there is not None and there["remarks"] == note_of(order) else None

    async def check(self) -> Checked:
        """See ErpSystem."""
        return await self._calling.check("/api/company", lambda company: bool(company["companyId"]))

    async def close(self) -> None:
        """See ErpSystem."""
        await self._calling.close()

    async def _asked_first(self, order: OrderSnapshot) -> dict[str, Any] | None:
        """What is there already. Raises NotSent where that cannot be said: nothing was told then."""
        try:
            return await self._there(order)
        except (NotAnAnswer, httpx2.TransportError) as error:
            raise NotSent(f"the ERP system did not say what it has: {error}") from error

    async def _there(self, order: OrderSnapshot) -> dict[str, Any] | None:
        found = await self._calling.look("/api/salesorders", externalReference=str(order.id))
        orders: list[dict[str, Any]] = found["salesOrders"]
        return orders[0] if orders else None

    async def _outcome(self, order: OrderSnapshot, answer: httpx2.Response) -> Done | Failed:
        if answer.is_success:
            return _done(answer.json())
        if answer.status_code in CLEAR_NO:
            said = answer.json()
            return Failed(said["errorCode"], said["errorMessage"])
        if answer.status_code in RACED and (found := await self.find(order)) is not None:
            return found
        raise NotAnAnswer(f"the ERP system answered {answer.status_code}")


def note_of(order: OrderSnapshot) -> str:
    """Which version of the order it is; kept there beside the order."""
    return f"version {order.version}"


def sales_order(order: OrderSnapshot) -> dict[str, Any]:
    """The order in the words of this system. Raises NoVatCode."""
    customer = order.customer
    return {
        "externalReference": str(order.id),
        "remarks": note_of(order),
        "customerName": (customer.company or customer.full_name or customer.address.full_name or "-")[:200],
        "customerNumber": customer.customer_id or None,
        "orderDate": order.placed_at.date().isoformat(),
        "currency": order.currency,
        "rows": rows_of(order),
    }


def rows_of(order: OrderSnapshot) -> list[dict[str, str]]:
    """All that is charged: lines at what they cost after their discount, delivery, payment, and what makes it whole.

    This system rounds each row for itself, to hundredths; the last row holds what then is missing of the sum to pay,
    and bears no VAT. Raises NoVatCode.
    """
    rows = [
        _row(line.article_number or "-", line.name, line.quantity, line.total_excl_vat, line.vat_rate, order)
        for line in order.lines
    ]
    for article, name, price, rate in (
        ("DELIVERY", order.delivery.name, order.delivery.price, order.delivery.vat_rate),
        ("PAYMENT", order.payment.name, order.payment.cost, order.payment.vat_rate),
    ):
        if price:
            rows.append(_row(article, name, 1, without_vat(price, rate, order), rate, order))
    to_pay = Decimal(order.totals.to_pay.amount).scaleb(-minor_digits(order.currency))
    missing = to_pay - sum((gross_of(row) for row in rows), Decimal(0))
    if missing:
        rows.append(_said("ROUNDING", "Rounding", 1, str(missing), VAT_CODES[Decimal(0)]))
    return rows


def _row(article: str, name: str, quantity: int, excl_vat: int, rate: Decimal, order: OrderSnapshot) -> dict[str, str]:
    """A row that comes to this amount in minor units without VAT, or as near as four decimals of a price can."""
    if excl_vat % quantity:
        price = (Decimal(excl_vat).scaleb(-minor_digits(order.currency)) / quantity).quantize(PRICE, ROUND_HALF_UP)
        return _said(article, name, quantity, str(price), vat_code(rate))
    return _said(article, name, quantity, amount(excl_vat // quantity, order.currency), vat_code(rate))


def _said(article: str, name: str, quantity: int, price: str, code: str) -> dict[str, str]:
    return {
        "articleNumber": article,
        "description": name,
        "quantity": str(quantity),
        "unitPrice": price,
        "vatCode": code,
    }


def gross_of(row: Mapping[str, str]) -> Decimal:
    """What this system makes of a row with VAT: both parts rounded to hundredths, a half up."""
    net = (Decimal(row["quantity"]) * Decimal(row["unitPrice"])).quantize(CENT, ROUND_HALF_UP)
    return net + (net * RATES[row["vatCode"]] / 100).quantize(CENT, ROUND_HALF_UP)


def without_vat(price: int, rate: Decimal, order: OrderSnapshot) -> int:
    """A price on the order's basis, in minor units, without its VAT."""
    if not order.prices_include_vat:
        return price
    return price - int((price * rate / (100 + rate)).quantize(Decimal(1), ROUND_HALF_UP))


def vat_code(rate: Decimal) -> str:
    """What this system calls a rate. Raises NoVatCode."""
    code = VAT_CODES.get(rate)
    if code is None:
        raise NoVatCode(f"there is no code for {rate} % VAT")
    return code


def amount(minor: int, currency: str) -> str:
    """17800 as `178.00`."""
    return str(Decimal(minor).scaleb(-minor_digits(currency)))


def _done(there: dict[str, Any]) -> Done:
    return Done({"number": str(there["documentNumber"])})

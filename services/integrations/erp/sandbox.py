"""Sandbox ERP, the ERP system of the demo and the tests; its interface stands in `deploy/local/sandbox`.

It knows no idempotency keys, but an order's reference is unique there: so it is asked before it is told, and what it
has already is changed. Our version of the order is part of the reference to a change, so none is made twice.
"""

import base64
import json
from decimal import Decimal
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
        "rows": [
            {
                "articleNumber": line.article_number or "-",
                "description": line.name,
                "quantity": str(line.quantity),
                "unitPrice": amount(line.unit_price_excl_vat, order.currency),
                "vatCode": vat_code(line.vat_rate),
            }
            for line in order.lines
        ],
    }


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

"""The page of one order: it is handled from top to bottom, by several people at once, in three languages."""

import re
from datetime import UTC, date, datetime
from decimal import Decimal
from uuid import uuid4

import httpx2
import pytest

from shared.contracts.order import CheckoutStep, Delivery, OrderSnapshot
from tests.builders import a_customer, a_line, an_address, an_order, to_place
from tests.plugins.backoffice import Backoffice

HANDLER, VIEWER, ADMINISTRATOR = "handler@example.org", "viewer@example.org", "administrator@example.org"


def hidden(page: httpx2.Response) -> dict[str, str]:
    """What every form of the page says of itself."""
    names = ("csrf", "key", "version", "seen")
    return {name: re.findall(rf'name="{name}" value="([^"]*)"', page.text)[-1] for name in names}


async def placed(backoffice: Backoffice, **changes: object) -> OrderSnapshot:
    """An order of three lines."""
    lines = [
        a_line(name="Sencha, 100 g", quantity=3, stock_location="A-12", weight_g=120, volume_ml=300),
        a_line(name="Tekanna", article_number="POT-1", quantity=1, unit_price=34900, vat_rate=Decimal(25)),
        a_line(name="Presentkort", article_number="GIFT", kind="digital", quantity=1, unit_price=50000),
    ]
    order = an_order(
        lines=lines,
        message="Ring innan ni levererar, tack.\nHälsningar Åsa",
        delivery=Delivery(
            method="parcel",
            name="PostNord ombud",
            price=4900,
            pick_up_point="ICA Nära Hornstull",
            promised_date=date(2026, 11, 30),
        ),
        **changes,
    )
    assert (await backoffice.system.place(order)).is_success
    await backoffice.system.noted(order, "message.sent.v1")
    return order


async def do(http: httpx2.AsyncClient, page: httpx2.Response, name: str, **fields: str) -> httpx2.Response:
    """Sends a form of the page."""
    path = page.url.path
    return await http.post(f"{path}/do/{name}", data=hidden(page) | fields)


@pytest.mark.requirement("R101", "R102", "R103")
async def test_the_page_has_everything_of_the_order(backoffice: Backoffice) -> None:
    order = await placed(backoffice)
    async with backoffice.client(HANDLER, **{"accept-language": "sv"}) as http:
        page = await http.get(f"/orders/{order.id}")
        assert page.status_code == 200
        for said in ("Sencha, 100 g", "ICA Nära Hornstull", "Orderstatus", "A-12", "Ring innan ni levererar", "Root"):
            assert said in page.text

"""What the ERP system is told of an order adds up, by its own arithmetic, to what the customer has to pay."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploy.local.sandbox.erp.model import SalesOrderWanted
from services.integrations.erp.sandbox import NoVatCode, sales_order
from shared.contracts.order import Delivery, OrderSnapshot, Payment
from tests.builders import a_line, a_shop
from tests.unit.test_orders_order import PRICES, place

RATES = st.sampled_from([Decimal(each) for each in ("0", "6", "10", "12", "13.5", "17.5", "20", "25", "25.5")])


def gross(order: OrderSnapshot) -> Decimal:
    """What the ERP system itself makes of it."""
    said = SalesOrderWanted.model_validate(sales_order(order))
    return sum((row.net + row.vat for row in said.rows), Decimal(0))


@st.composite
def orders(draw: st.DrawFn) -> OrderSnapshot:
    """Orders of all that there is: rates, discounts, costs, both bases of prices, rounded and exact."""
    ordered = []
    for number in range(draw(st.integers(1, 8))):
        quantity, price = draw(st.integers(1, 200)), draw(PRICES)
        discount = draw(st.integers(0, quantity * price))
        given: dict[str, Any] = {"quantity": quantity, "unit_price": price, "discount": discount}
        ordered.append(a_line(line_id=str(number), vat_rate=draw(RATES), **given))
    return place(
        a_shop(rounding=draw(st.sampled_from(["none", "whole"]))),
        lines=ordered,
        prices_include_vat=draw(st.booleans()),
        delivery=Delivery(method="parcel", name="Ombud", price=draw(PRICES), vat_rate=draw(RATES)),
        payment=Payment(method="invoice", name="Faktura", cost=draw(PRICES), vat_rate=draw(RATES)),
    )


@pytest.mark.requirement("R072", "R084")
@given(order=orders())
def test_the_rows_add_up_to_the_sum_to_pay(order: OrderSnapshot) -> None:
    assert gross(order) * 100 == order.totals.to_pay.amount
    rounding = [row for row in sales_order(order)["rows"] if row["articleNumber"] == "ROUNDING"]
    assert len(rounding) <= 1
    for row in rounding:
        assert row["vatCode"] == "NONE"
        most = 50 + 2 * sum(line.quantity for line in order.lines) // 100 + len(order.lines) + 2
        assert abs(Decimal(row["unitPrice"])) * 100 <= most, "the krona, and what rows are rounded by"


@pytest.mark.requirement("R084")
def test_an_order_that_is_rounded_says_so_in_a_row_of_its_own() -> None:
    order = place(
        a_shop(rounding="whole"),
        lines=[
            a_line(article_number="A1", name="Te", quantity=3, unit_price=100_40, discount=60, vat_rate=Decimal(12))
        ],
        delivery=Delivery(method="parcel", name="Ombud", price=49_00),
    )
    assert [(r["articleNumber"], r["quantity"], r["unitPrice"], r["vatCode"]) for r in sales_order(order)["rows"]] == [
        ("A1", "3", "89.4633", "SE12"),
        ("DELIVERY", "1", "39.20", "SE25"),
        ("ROUNDING", "1", "0.40", "NONE"),
    ]


def test_a_rate_that_the_system_has_no_code_for_is_named() -> None:
    with pytest.raises(NoVatCode, match="no code for 7 % VAT"):
        sales_order(place(lines=[a_line(vat_rate=Decimal(7))]))

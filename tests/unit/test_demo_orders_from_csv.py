"""Every row of a shop's files ends in exactly one order or one refusal, and each refusal says why."""

from collections import Counter
from decimal import Decimal
from pathlib import Path

import pytest

from deploy.local.demo.asked import Asked, TurnedAway
from deploy.local.demo.csv_invoices import OrderFilesError
from deploy.local.demo.orders_from_csv import order_id, orders_in
from shared.contracts.order_commands import PlaceOrder

HEADER = "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country"
DAY = "2010-12-01 08:26:00"
FIVE_REAL_DAYS = Path(__file__).parents[3] / "shared/data/online-retail"


def row(
    invoice: str = "536365",
    *,
    code: str = "85123A",
    name: str = "WHITE HANGING HEART T-LIGHT HOLDER",
    quantity: object = 6,
    at: str = DAY,
    price: object = "2.55",
    customer: str = "17850.0",
    country: str = "United Kingdom",
) -> str:
    return f"{invoice},{code},{name},{quantity},{at},{price},{customer},{country}"


def found_in(folder: Path, *rows: str) -> list[Asked | TurnedAway]:
    (folder / "2010-12-01.csv").write_text("\n".join([HEADER, *rows, ""]), encoding="utf-8")
    return orders_in(folder)


def the_order(folder: Path, *rows: str) -> PlaceOrder:
    [found] = found_in(folder, *rows)
    assert isinstance(found, Asked), found
    assert found.rows == len(rows)
    return found.order


def the_refusal(folder: Path, *rows: str) -> TurnedAway:
    [found] = found_in(folder, *rows)
    assert isinstance(found, TurnedAway), found
    assert found.rows == len(rows)
    assert found.words
    return found


def test_the_rows_of_an_invoice_become_the_lines_of_one_order(tmp_path: Path) -> None:
    order = the_order(tmp_path, row(), row(code="71053", name="WHITE METAL LANTERN", price="3.39"))
    assert [(line.line_id, line.article_number, line.quantity, line.unit_price) for line in order.lines] == [
        ("1", "85123A", 6, 255),
        ("2", "71053", 6, 339),
    ]
    assert (order.currency, order.language, order.reference) == ("GBP", "en", "536365")
    assert order.customer.customer_id == "17850"
    assert order.customer.email == "customer-17850@customers.example"
    assert order.customer.address.country == "GB"


def test_an_invoice_that_is_interrupted_by_another_is_still_one_order(tmp_path: Path) -> None:
    found = found_in(tmp_path, row("1"), row("2"), row("1"))
    assert [(one.label, one.rows) for one in found] == [("2010-12-01.csv 1", 2), ("2010-12-01.csv 2", 1)]


def test_the_same_article_twice_stays_two_lines(tmp_path: Path) -> None:
    assert len(the_order(tmp_path, row(), row()).lines) == 2


def test_an_order_without_a_customer_number_is_a_guests(tmp_path: Path) -> None:
    order = the_order(tmp_path, row(customer=""))
    assert order.customer.customer_id is None
    assert order.customer.email == "guest-536365@customers.example"


def test_the_earliest_row_says_when_an_order_was_placed_in_british_time(tmp_path: Path) -> None:
    order = the_order(tmp_path, row(at="2011-06-08 16:58:00"), row(at="2011-06-08 16:57:00"))
    assert order.placed_at is not None
    assert order.placed_at.isoformat() == "2011-06-08T16:57:00+01:00"


@pytest.mark.parametrize("code", ["POST", "DOT", "C2", "23444"])
def test_postage_is_the_price_of_the_delivery(tmp_path: Path, code: str) -> None:
    order = the_order(tmp_path, row(), row(code=code, name="POSTAGE", quantity=3, price="18.0"))
    assert (order.delivery.name, order.delivery.price) == ("POSTAGE", 5400)
    assert len(order.lines) == 1


def test_an_order_without_postage_says_that_its_delivery_is_not_stated(tmp_path: Path) -> None:
    delivery = the_order(tmp_path, row()).delivery
    assert (delivery.method, delivery.price) == ("not-stated", 0)


def test_bank_charges_beside_goods_are_the_cost_of_the_payment(tmp_path: Path) -> None:
    order = the_order(tmp_path, row(), row(code="BANK CHARGES", name="Bank Charges", quantity=1, price="15.0"))
    assert (order.payment.name, order.payment.cost) == ("Invoice, Bank Charges", 1500)
    assert len(order.lines) == 1


def test_what_was_typed_by_hand_is_a_service_and_a_voucher_is_digital(tmp_path: Path) -> None:
    voucher = "Dotcomgiftshop Gift Voucher £20.00"
    order = the_order(tmp_path, row(), row(code="M", name="Manual"), row(code="gift_0001_20", name=voucher))
    assert [line.kind for line in order.lines] == ["physical", "service", "digital"]
    assert order.lines[2].name == voucher


def test_a_discount_is_shared_out_over_the_lines_to_the_penny(tmp_path: Path) -> None:
    lines = [row(price="0.01", quantity=1), row(price="9.99", quantity=1), row(price="10.00", quantity=1)]
    order = the_order(tmp_path, *lines, row(code="D", name="Discount", quantity=-1, price="6.67"))
    assert sum(line.discount for line in order.lines) == 667
    assert all(line.discount <= line.quantity * line.unit_price for line in order.lines)


def test_a_discount_larger_than_the_goods_is_refused(tmp_path: Path) -> None:
    discount = row(code="D", name="Discount", quantity=-1, price="900.00")
    assert the_refusal(tmp_path, row(), discount).reason == "discount-too-large"


def test_a_free_article_among_others_stays_in_the_order(tmp_path: Path) -> None:
    assert [line.unit_price for line in the_order(tmp_path, row(), row(price="0.0")).lines] == [255, 0]


def test_quotes_commas_and_line_breaks_inside_names_are_read(tmp_path: Path) -> None:
    order = the_order(tmp_path, row(name='"LETTER ""L"" BLING, KEY RING"'), row(name='NECKL36"TURQUOIS'))
    assert [line.name for line in order.lines] == ['LETTER "L" BLING, KEY RING', 'NECKL36"TURQUOIS']


def test_a_line_without_a_description_bears_its_article_number(tmp_path: Path) -> None:
    assert the_order(tmp_path, row(name="")).lines[0].name == "85123A"


@pytest.mark.parametrize(
    ("day", "country", "rate"),
    [
        ("2010-12-01", "United Kingdom", "17.5"),
        ("2011-01-03", "United Kingdom", "17.5"),
        ("2011-01-04", "United Kingdom", "20"),
        ("2011-10-31", "EIRE", "20"),
        ("2011-10-31", "Norway", "0"),
        ("2011-10-31", "Switzerland", "0"),
    ],
)
def test_vat_is_the_british_standard_rate_of_the_day_and_none_for_exports(
    tmp_path: Path, day: str, country: str, rate: str
) -> None:
    order = the_order(tmp_path, *(row(at=f"{day} 09:00:00", country=country, code=code) for code in ("1", "POST")))
    assert order.prices_include_vat is False
    assert {order.lines[0].vat_rate, order.delivery.vat_rate, order.payment.vat_rate} == {Decimal(rate)}


@pytest.mark.parametrize(
    ("name", "code"), [("EIRE", "IE"), ("USA", "US"), ("RSA", "ZA"), ("Czech Republic", "CZ"), ("Hong Kong", "HK")]
)
def test_a_countrys_other_name_stands_for_its_code(tmp_path: Path, name: str, code: str) -> None:
    assert the_order(tmp_path, row(country=name)).customer.address.country == code


@pytest.mark.parametrize("name", ["Unspecified", "European Community", "Channel Islands", "Korea", "West Indies", ""])
def test_a_name_that_means_no_one_country_is_refused(tmp_path: Path, name: str) -> None:
    assert the_refusal(tmp_path, row(country=name)).reason == "unknown-country"


@pytest.mark.parametrize(
    ("reason", "rows"),
    [
        ("cancellation", [row("C536379", code="D", name="Discount", quantity=-1, price="27.5")]),
        ("cancellation", [row("C573549", code="AMAZONFEE", name="AMAZON FEE", quantity=-1, price="5942.57")]),
        ("negative-quantity", [row(name="check", quantity=-70, price="0.0", customer="")]),
        ("negative-quantity", [row(), row(quantity=-1)]),
        ("no-quantity", [row(), row(quantity=0)]),
        ("nothing-sold", [row(name="", quantity=56, price="0.0", customer="")]),
        ("negative-price", [row("A563186", code="B", name="Adjust bad debt", quantity=1, price="-11062.06")]),
        ("only-charges", [row(code="BANK CHARGES", name="Bank Charges", quantity=1, price="15.0")]),
        ("only-charges", [row(code="POST", name="POSTAGE", quantity=1, price="0.55")]),
        ("only-charges", [row(code="D", name="Discount", quantity=-1, price="5.00")]),
        ("several-customers", [row(), row(customer="12345.0")]),
        ("several-customers", [row(), row(country="France")]),
        ("part-of-a-penny", [row(price="0.001")]),
        ("no-invoice-number", [row("")]),
        ("unreadable-row", [row(), row(quantity="six")]),
        ("unreadable-row", [row(quantity="1.5")]),
        ("unreadable-row", [row(price="NaN")]),
        ("unreadable-row", [row(price="1e400")]),
        ("unreadable-row", [row(at="12/1/2010 8:26")]),
        ("unreadable-row", [row() + ",one more"]),
        ("unreadable-row", ["536365,85123A"]),
        ("does-not-fit", [row(name="X" * 201)]),
        ("does-not-fit", [row(quantity=1_000_001)]),
        ("does-not-fit", [row()] * 2_001),
    ],
)
def test_what_cannot_be_an_order_is_refused_with_its_reason(tmp_path: Path, reason: str, rows: list[str]) -> None:
    assert the_refusal(tmp_path, *rows).reason == reason


def test_a_row_that_cannot_be_read_is_named_by_its_line(tmp_path: Path) -> None:
    assert the_refusal(tmp_path, row(), row(quantity="six")).words.startswith("line 3: Quantity is 'six'")


def test_every_row_belongs_to_exactly_one_order_or_refusal(tmp_path: Path) -> None:
    rows = [row("1"), row("2"), row("C3", quantity=-1), row(""), "", row(""), row("1", code="POST"), "4,x", row("2")]
    found = found_in(tmp_path, *rows)
    assert sum(one.rows for one in found) == 8
    assert [one.rows for one in found if isinstance(one, Asked)] == [2, 2]
    assert len({one.label for one in found}) == len(found) == 6


def test_an_order_has_the_same_id_whenever_and_wherever_its_file_is_read(tmp_path: Path) -> None:
    again = tmp_path / "elsewhere"
    again.mkdir()
    assert the_order(tmp_path, row()).order_id == the_order(again, row()).order_id
    assert order_id("a.csv", "1") != order_id("b.csv", "1")


def test_a_file_from_a_spreadsheet_with_byte_order_mark_and_windows_line_ends_is_read(tmp_path: Path) -> None:
    (tmp_path / "orders.CSV").write_bytes(b"\xef\xbb\xbf" + f"{HEADER}\r\n{row()}\r\n".encode())
    assert len(orders_in(tmp_path)) == 1


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "line 1: the columns InvoiceNo, StockCode"),
        (HEADER.replace(",Country", "").encode(), "line 1: the column Country is missing"),
        (b"a;b\n1;2\n", "line 1: the columns InvoiceNo"),
        (f"{HEADER}\n{row()}\n".encode() + b"536366,\xa3", "line 3: this is not UTF-8"),
        (f"{HEADER}\n{row(name=chr(34) + 'A' + chr(34) + 'B')}\n".encode(), "line 2: this is not CSV"),
        (f"{HEADER}\n{row()}\n{row(name=chr(34) + 'never closed')}\n".encode(), "line 3: this is not CSV"),
    ],
)
def test_a_file_of_another_kind_is_named_with_its_line(tmp_path: Path, content: bytes, said: str) -> None:
    (tmp_path / "wrong.csv").write_bytes(content)
    with pytest.raises(OrderFilesError) as problem:
        orders_in(tmp_path)
    assert f"wrong.csv, {said}" in str(problem.value)


def test_a_folder_that_is_missing_empty_or_a_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(OrderFilesError, match=r"no folder .*nowhere"):
        orders_in(tmp_path / "nowhere")
    with pytest.raises(OrderFilesError, match="no CSV file in"):
        orders_in(tmp_path)
    (tmp_path / "empty.csv").write_text(HEADER)
    with pytest.raises(OrderFilesError, match="have no rows"):
        orders_in(tmp_path)
    with pytest.raises(OrderFilesError, match="is a file"):
        orders_in(tmp_path / "empty.csv")


@pytest.mark.skipif(not FIVE_REAL_DAYS.is_dir(), reason="the real orders are not here")
def test_five_real_days_are_accounted_for_to_the_last_row() -> None:
    found = orders_in(FIVE_REAL_DAYS)
    placed = [one for one in found if isinstance(one, Asked)]
    refused = Counter(one.reason for one in found if isinstance(one, TurnedAway))
    assert len(found) == 640
    assert sum(one.rows for one in found) == 13_160
    assert max(one.rows for one in placed) == 1_114
    assert refused == {"cancellation": 49, "negative-quantity": 65, "nothing-sold": 18, "only-charges": 4}
    assert len({one.order.order_id for one in placed}) == len(placed) == 504

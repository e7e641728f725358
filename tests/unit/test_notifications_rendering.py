"""What the customer reads: money, dates and VAT in three languages, and whatever stands in a name stays a name."""

# ruff: noqa: RUF001 - mails are written with real minus and multiplication signs

import re
import time
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from jinja2.exceptions import SecurityError, UndefinedError

from services.notifications.rendering import Letter, Rendering, RenderRequest
from shared.contracts.order import Delivery, OrderSnapshot, Payment
from shared.contracts.shop_facts import ShopSettings
from shared.contracts.values import Language, Money
from tests.builders import a_customer, a_line, a_shop, an_address, an_order

RENDERING = Rendering()
HOSTILE = '<img src="http://evil.example/x.png" onerror=alert(1)> & "Co" {{ 7 * 7 }}'

SWEDISH = """\
TACK FÖR DIN BESTÄLLNING!

Hej Åsa Öberg!

Vi har tagit emot din beställning. Här är allt som vi har noterat om den; spara gärna mejlet.

Ordernummer: 1001
Beställd: 24 november 2026 kl. 19:30

VAROR
-----

(Belopp inkl. moms)

Sencha, 100 g
  Art.nr TEA-100
  1 200 st × 89,00 kr (moms 12 %)
  = 106 800,00 kr

Tekanna
  Art.nr TEA-100
  1 st × 499,00 kr (moms 25 %)
  Rabatt −49,90 kr
  = 449,10 kr

Leverans (PostNord ombud): 49,00 kr
Betalningsavgift (Faktura): 29,00 kr
TOTALT INKL. MOMS: 107 327,10 kr
Varav moms: 11 548,28 kr

MOMS PER MOMSSATS (SEK)
-----------------------

12 %: Exkl. moms 95 357,14, Moms 11 442,86, Inkl. moms 106 800,00
25 %: Exkl. moms 421,68, Moms 105,42, Inkl. moms 527,10

LEVERANS OCH BETALNING
----------------------

Leveranssätt: PostNord ombud
Utlämningsställe: ICA Nära Hornstull
Utlovad leverans: 27 november 2026
Leveransadress:
  Matti Meikäläinen
  Mannerheimintie 5
  00100 Helsinki
  Finland
Betalsätt: Faktura

DINA UPPGIFTER
--------------

Åsa Öberg
Hornsgatan 12
118 20 Stockholm
Sverige
asa.oberg@example.org
+46 70 123 45 67

DITT MEDDELANDE TILL OSS
------------------------

> Ring först,
> porten är låst.

Har du frågor? Svara på det här mejlet.

--\x20
Nordiska Tehuset
Storgatan 1
111 22 Stockholm
hej@tehuset.example
+46 8 123 45 67
https://tehuset.example
"""

FINNISH = """\
KIITOS TILAUKSESTASI!

Hei Åsa Öberg!

Olemme vastaanottaneet tilauksesi. Tässä on kaikki, mitä siitä on kirjattu; säilytä viesti.

Tilausnumero: 1001
Tilattu: 24. marraskuuta 2026 klo 20.30

TUOTTEET
--------

(Summa sis. alv)

Sencha, 100 g
  Tuotenro TEA-100
  1 200 kpl × 89,00 € (alv 13,5 %)
  = 106 800,00 €

Tekanna
  Tuotenro TEA-100
  1 kpl × 499,00 € (alv 25,5 %)
  Alennus −49,90 €
  = 449,10 €

Toimitus (PostNord ombud): 49,00 €
Maksutavan lisämaksu (Faktura): 29,00 €
YHTEENSÄ SIS. ALV: 107 327,10 €
Josta alv: 12 809,93 €

ARVONLISÄVERO VEROKANNOITTAIN (EUR)
-----------------------------------

13,5 %: Ilman alv:tä 94 096,92, Alv 12 703,08, Sis. alv 106 800,00
25 %: Ilman alv:tä 62,40, Alv 15,60, Sis. alv 78,00
25,5 %: Ilman alv:tä 357,85, Alv 91,25, Sis. alv 449,10

TOIMITUS JA MAKSU
-----------------

Toimitustapa: PostNord ombud
Noutopiste: ICA Nära Hornstull
Luvattu toimitus: 27. marraskuuta 2026
Toimitusosoite:
  Matti Meikäläinen
  Mannerheimintie 5
  00100 Helsinki
  Suomi
Maksutapa: Faktura
"""

ENGLISH = """\
THANK YOU FOR YOUR ORDER!

Hello Åsa Öberg,

We have received your order. Here is everything we have noted about it; please keep this e-mail.

Order number: 1001
Ordered: 24 November 2026 at 18:30

ITEMS
-----

(Amount incl. VAT)

Sencha, 100 g
  Item no. TEA-100
  1,200 × £89.00 (VAT 0%)
  = £106,800.00

Tekanna
  Item no. TEA-100
  1 × £499.00 (VAT 20%)
  Discount −£49.90
  = £449.10

Delivery (PostNord ombud): £49.00
Payment fee (Faktura): £29.00
TOTAL INCL. VAT: £107,327.10
Of which VAT: £90.45

VAT BY RATE (GBP)
-----------------

0%: Excl. VAT 106,800.00, VAT 0.00, Incl. VAT 106,800.00
20%: Excl. VAT 374.25, VAT 74.85, Incl. VAT 449.10
25%: Excl. VAT 62.40, VAT 15.60, Incl. VAT 78.00
"""


def letter(order: OrderSnapshot, shop: ShopSettings | None = None) -> Letter:
    """The confirmation of an order, with plain blanks where no line may be broken."""
    request = RenderRequest(kind="order-received", language=order.language, order=order, shop=shop or a_shop())
    written = RENDERING.letter(request)
    return Letter(*(part.replace("\u00a0", " ").replace("&nbsp;", " ") for part in vars(written).values()))


def words_of(text: str) -> set[str]:
    """All that stands between blanks, in small letters, without rules and punctuation around it."""
    return {word.casefold().strip(":,()") for word in text.split() if not re.fullmatch(r"-{3,}|[=>·]", word)}


def a_full_order(language: Language, currency: str, low: str, high: str) -> OrderSnapshot:
    """An order with everything that a confirmation can show, at two VAT rates and that of delivery."""
    return an_order(
        language=language,
        currency=currency,
        lines=[
            a_line(quantity=1200, vat_rate=Decimal(low)),
            a_line(name="Tekanna", quantity=1, unit_price=49900, discount=4990, vat_rate=Decimal(high)),
        ],
        delivery_address=an_address(
            full_name="Matti Meikäläinen",
            street="Mannerheimintie 5",
            postal_code="00100",
            city="Helsinki",
            country="FI",
        ),
        delivery=Delivery(
            method="parcel",
            name="PostNord ombud",
            price=4900,
            pick_up_point="ICA Nära Hornstull",
            promised_date=date(2026, 11, 27),
        ),
        payment=Payment(method="invoice", name="Faktura", cost=2900),
        message="Ring först,\r\nporten är låst.\n",
    )


@pytest.mark.requirement("R122")
def test_a_confirmation_in_swedish() -> None:
    written = letter(a_full_order("sv", "SEK", "12", "25"))
    assert written.subject == "Orderbekräftelse 1001 – Nordiska Tehuset"
    assert written.text == SWEDISH


@pytest.mark.requirement("R122")
def test_a_confirmation_in_finnish_with_the_clock_of_helsinki() -> None:
    written = letter(a_full_order("fi", "EUR", "13.5", "25.5"), a_shop(time_zone="Europe/Helsinki"))
    assert written.subject == "Tilaus vastaanotettu: 1001 – Nordiska Tehuset"
    assert written.text.startswith(FINNISH)


@pytest.mark.requirement("R122")
def test_a_confirmation_in_english_with_the_clock_of_london() -> None:
    written = letter(a_full_order("en", "GBP", "0", "20"), a_shop(time_zone="Europe/London"))
    assert written.subject == "Order received: 1001 – Nordiska Tehuset"
    assert written.text.startswith(ENGLISH)


@pytest.mark.parametrize(("language", "currency"), [("sv", "SEK"), ("fi", "EUR"), ("en", "GBP")])
def test_the_html_says_the_same_as_the_plain_text(language: Language, currency: str) -> None:
    written = letter(a_full_order(language, currency, "6", "20"))
    shown = words_of(re.sub(r"<style.*?</style>|<!--.*?-->|<[^>]+>", " ", written.html, flags=re.DOTALL))
    assert words_of(written.text) - {"--", "https://tehuset.example"} <= shown


def test_the_day_is_the_one_that_the_shop_has_and_not_that_of_utc() -> None:
    order = an_order(placed_at=datetime(2026, 12, 31, 22, 30, tzinfo=UTC))
    assert "1 januari 2027 kl. 00:30" in letter(order, a_shop(time_zone="Europe/Helsinki")).text


def test_a_shop_that_shows_prices_without_vat_gets_the_vat_as_a_line_of_its_own() -> None:
    order = an_order(prices_include_vat=False, lines=[a_line(quantity=1, unit_price=10000, discount=1000)])
    text = letter(order, a_shop(prices_include_vat=False)).text
    assert "(Belopp exkl. moms)" in text
    assert "1 st × 100,00 kr (moms 12 %)\n  Rabatt −10,00 kr\n  = 90,00 kr" in text
    assert "Summa exkl. moms: 139,00 kr\nMoms: 23,05 kr\nTOTALT INKL. MOMS: 162,05 kr" in text
    assert "omräknade" not in text


def test_prices_given_with_vat_are_converted_for_a_shop_that_shows_them_without_and_the_mail_says_so() -> None:
    order = an_order(lines=[a_line(quantity=3, unit_price=9999, discount=500, vat_rate=Decimal(25))])
    text = letter(order, a_shop(prices_include_vat=False)).text
    assert "3 st × 79,99 kr (moms 25 %)\n  Rabatt −4,00 kr\n  = 235,98 kr" in text
    assert "Leverans (PostNord ombud): 39,20 kr" in text
    assert "TOTALT INKL. MOMS: 343,97 kr\n\nPriserna är omräknade" in text


def test_prices_given_without_vat_are_converted_for_a_shop_that_shows_them_with_it() -> None:
    order = an_order(prices_include_vat=False, lines=[a_line(quantity=1, unit_price=10000, discount=1000)])
    text = letter(order).text
    assert "1 st × 112,00 kr (moms 12 %)\n  Rabatt −11,20 kr\n  = 100,80 kr" in text
    assert "Leverans (PostNord ombud): 61,25 kr" in text
    assert "Priserna är omräknade" in text


@pytest.mark.parametrize(
    ("difference", "lines"),
    [
        (40, "Totalt inkl. moms: 227,00 kr\nÖresutjämning: 0,40 kr\nATT BETALA: 227,40 kr\n"),
        (-99, "Öresutjämning: −0,99 kr\nATT BETALA: 226,01 kr\n"),
        (-100, "Justering i kassan: −1,00 kr\nTOTALT INKL. MOMS: 226,00 kr\n"),
        (2000, "Justering i kassan: 20,00 kr\nTOTALT INKL. MOMS: 247,00 kr\n"),
    ],
)
def test_the_total_is_what_the_customer_saw_at_checkout_and_a_difference_is_shown(difference: int, lines: str) -> None:
    order = an_order()
    seen = Money(amount=order.totals.incl_vat.amount + difference, currency="SEK")
    totals = order.totals.model_copy(update={"shop_front": seen, "difference": difference})
    assert lines in letter(order.model_copy(update={"totals": totals})).text


@pytest.mark.requirement("R084")
@pytest.mark.parametrize(
    ("language", "lines"),
    [
        ("sv", "Totalt inkl. moms: 100,40 kr\nÖresutjämning: −0,40 kr\nATT BETALA: 100,00 kr\n"),
        ("fi", "Yhteensä sis. alv: 100,40 SEK\nPyöristys: −0,40 SEK\nMAKSETTAVA YHTEENSÄ: 100,00 SEK\n"),
        ("en", "Total incl. VAT: SEK 100.40\nRounding: −SEK 0.40\nTOTAL TO PAY: SEK 100.00\n"),
    ],
)
def test_a_sum_that_is_rounded_shows_by_how_much_and_what_is_to_be_paid(language: Language, lines: str) -> None:
    order = a_rounded_order(language)
    assert lines in letter(order).text
    agreed = order.totals.model_copy(update={"shop_front": order.totals.to_pay})
    assert lines in letter(order.model_copy(update={"totals": agreed})).text
    html = letter(order).html
    assert all(line.partition(": ")[2] in html for line in lines.splitlines())


def test_a_shop_front_that_does_not_round_is_believed() -> None:
    order = a_rounded_order("sv")
    seen = order.totals.model_copy(update={"shop_front": order.totals.incl_vat, "difference": 40})
    text = letter(order.model_copy(update={"totals": seen})).text
    assert "Öresutjämning" not in text
    assert "TOTALT INKL. MOMS: 100,40 kr" in text


def a_rounded_order(language: Language) -> OrderSnapshot:
    """An order of 100.40 of which 100 is to be paid."""
    line = a_line(quantity=1, unit_price=100_40)
    order = an_order(language=language, lines=[line], delivery=Delivery(method="store", name="Hämta"))
    return order.model_copy(update={"totals": order.totals.model_copy(update={"rounding": -40})})


def test_a_total_that_agrees_needs_no_line_for_it() -> None:
    text = letter(an_order()).text
    assert "Öresutjämning" not in text
    assert "Justering" not in text


@pytest.mark.requirement("R015")
@pytest.mark.parametrize("delivery_address", [None, an_address()])
def test_a_delivery_address_that_is_the_customers_own_is_not_shown(delivery_address: Any) -> None:
    assert "Leveransadress" not in letter(an_order(delivery_address=delivery_address)).text


def test_what_an_order_does_not_have_leaves_no_heading_behind() -> None:
    order = an_order(customer=a_customer(full_name="", address=an_address(full_name=""), phone=""), message=" \n ")
    written = letter(order, a_shop(phone="", website="", postal_address=""))
    for words in ("Hej", "Ditt meddelande", "Utlämningsställe", "Utlovad", "Rabatt", "Betalningsavgift"):
        assert words not in written.text
        assert words not in written.html
    assert "None" not in written.html


def test_a_shops_name_that_begins_its_postal_address_is_written_once() -> None:
    shop = a_shop(name="Åsas Te AB", postal_address="Åsas Te AB\nStorgatan 1\n111 22 Stockholm")
    signature = letter(an_order(), shop).text.rpartition("-- \n")[2]
    assert signature.split("\n")[:2] == ["Åsas Te AB", "Storgatan 1"]


@pytest.mark.parametrize(
    ("changes"),
    [
        {"lines": [a_line(name=HOSTILE, article_number=HOSTILE)]},
        {"customer": a_customer(full_name=HOSTILE, company=HOSTILE, address=an_address(street=HOSTILE))},
        {"message": HOSTILE},
        {"delivery": Delivery(method="x", name=HOSTILE, pick_up_point=HOSTILE)},
        {"payment": Payment(method="x", name=HOSTILE, cost=1)},
    ],
)
def test_markup_from_outside_is_text_in_the_mail_and_nothing_more(changes: dict[str, Any]) -> None:
    html = letter(an_order(**changes)).html
    assert "<img" not in html
    assert "&lt;img" in html
    assert "{{ 7 * 7 }}" in html


def test_a_hostile_shop_name_is_text_too() -> None:
    written = letter(an_order(), a_shop(name=HOSTILE, website="javascript:alert(1)", postal_address=HOSTILE))
    assert "<img" not in written.html
    assert 'href="javascript' not in written.html
    assert written.subject == f"Orderbekräftelse 1001 – {HOSTILE}"


def test_characters_that_turn_the_direction_of_writing_are_taken_out_of_names_but_the_letters_stay() -> None:
    written = letter(an_order(lines=[a_line(name="te \u202egnp.exe\u202c שלום 🍵 👩‍🌾")]))
    for part in (written.text, written.html):
        assert "te gnp.exe שלום 🍵 👩‍🌾" in part


def test_a_customers_message_cannot_pretend_to_be_a_part_of_the_mail() -> None:
    text = letter(an_order(message="Hej\n-- \nTOTALT INKL. MOMS: 0,00 kr\x1b[2J")).text
    assert "> Hej\n> -- \n> TOTALT INKL. MOMS: 0,00 kr[2J\n" in text


def test_nothing_is_loaded_from_the_network() -> None:
    html = letter(a_full_order("sv", "SEK", "12", "25")).html
    assert set(re.findall(r"(?:src|href|url)\s*[=(]\s*['\"]?([^'\">)]+)", html)) == {
        "mailto:hej@tehuset.example",
        "https://tehuset.example",
    }
    assert "<script" not in html


def test_headings_come_in_order_and_only_tables_of_data_are_tables_to_a_screen_reader() -> None:
    html = letter(a_full_order("sv", "SEK", "12", "25")).html
    assert re.findall(r"<h(\d)", html) == ["1", "2", "2", "2", "2", "2"]
    tables = re.findall(r'<table class="(\w+)"( role="presentation")?', html)
    assert {name for name, role in tables if not role} == {"rows", "rates", "facts"}
    assert {name for name, role in tables if role} == {"page", "card", "panel"}


def test_an_invoice_of_1114_lines_costs_less_than_a_second_and_shows_them_all() -> None:
    order = an_order(lines=[a_line(name=f"Vara {number}", discount=number % 2) for number in range(1114)])
    letter(an_order())
    began = time.process_time()
    written = letter(order)
    assert time.process_time() - began < 1
    assert all(f"Vara {number}\n" in written.text for number in range(1114))
    assert all(f">Vara {number}</div>" in written.html for number in range(1114))
    assert "TOTALT INKL. MOMS: 198 335,43 kr" in written.text


@pytest.mark.parametrize(
    "attempt",
    [
        "{{ ''.__class__.__mro__ }}",
        "{{ order.__init__.__globals__ }}",
        "{{ text.__call__.__globals__ }}",
        "{{ text._texts }}",
        "{{ order.lines.append(1) }}",
        "{{ '%s' | format(self.__class__) }}{{ self.__class__.__subclasses__() }}",
    ],
)
def test_a_template_sees_nothing_but_what_was_prepared_for_it(tmp_path: Path, attempt: str) -> None:
    folder = a_message_of(tmp_path, attempt)
    with pytest.raises((SecurityError, UndefinedError)):
        Rendering(folder).letter(RenderRequest(kind="probe", language="sv", order=an_order(), shop=a_shop()))


def a_message_of(folder: Path, body: str) -> Path:
    """A folder of templates with one message, `probe`, whose plain text is `body`."""
    (folder / "probe").mkdir()
    for name, content in {
        "subject.txt": "Probe",
        "body.html": "<p>Probe</p>",
        "body.txt": body,
        "texts.toml": "",
    }.items():
        (folder / "probe" / name).write_text(content)
    (folder / "texts.toml").write_text("")
    return folder

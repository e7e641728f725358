"""What is on the paper: every line once, every language whole, and whatever stands in a name stays a name."""

import hashlib
import subprocess
import sys
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import Any, get_args

import pytest
from pypdf import PdfReader

from services.documents.papers import CATALOGUE
from services.documents.typesetting import PrintRequest, Typesetting
from shared.contracts.files import DocumentKind
from shared.contracts.order import OrderSnapshot, UnitState
from shared.contracts.values import Language
from shared.runtime.child import Fault
from tests.builders import a_customer, a_line, a_shop, an_address, an_order

KINDS: tuple[DocumentKind, ...] = get_args(DocumentKind)
LANGUAGES: tuple[Language, ...] = get_args(Language)
TYPESETTING = Typesetting()
AT = datetime(2026, 11, 26, 9, 5, tzinfo=UTC)


def a_request(document: DocumentKind, order: OrderSnapshot, language: Language = "sv", **changes: Any) -> PrintRequest:
    fields: dict[str, Any] = {"document": document, "language": language, "at": AT, "order": order, "shop": a_shop()}
    return PrintRequest(**fields | changes)


def pages(request: PrintRequest) -> list[str]:
    """The text of each page, with plain blanks and without places where a word may be broken."""
    found = PdfReader(BytesIO(TYPESETTING.pages(request))).pages
    return [page.extract_text().replace("\u00a0", " ").replace("\u202f", " ").replace("\u200b", "") for page in found]


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("document", KINDS)
def test_every_document_is_set_in_every_language_for_keeping_and_for_screen_readers(
    document: DocumentKind, language: Language
) -> None:
    request = a_request(document, an_order(number=4711), language)
    pdf = PdfReader(BytesIO(TYPESETTING.pages(request)))
    catalogue: Any = pdf.trailer["/Root"]
    metadata = catalogue["/Metadata"].get_data().decode()
    assert catalogue["/Lang"] == language
    assert "<pdfaid:part>2</pdfaid:part>" in metadata
    assert "<pdfuaid:part>1</pdfuaid:part>" in metadata
    assert pdf.metadata is not None
    assert pdf.metadata.creation_date == AT
    assert "4711" in str(pdf.metadata.title)


def test_the_catalogue_has_every_kind() -> None:
    assert set(CATALOGUE) == set(KINDS)


@pytest.mark.requirement("R067")
def test_an_order_print_has_the_whole_order_with_its_money() -> None:
    order = an_order(
        number=1001,
        lines=[a_line(name="Sencha", quantity=2), a_line(name="Tekanna", unit_price=49900, quantity=1, discount=4990)],
        delivery_address=an_address(full_name="Matti Meikäläinen", city="Helsinki", country="FI"),
        message="Ring först,\nporten är låst.",
    )
    (page,) = pages(a_request("order-print", order))
    for words in (
        *("Orderutskrift", "1001", "24 november 2026 kl. 19:30", "Nordiska Tehuset", "Åsa Öberg", "Matti Meikäläinen"),
        *("Sencha", "178,00 kr", "Tekanna", "Rabatt −49,90 kr", "449,10 kr"),  # noqa: RUF001 - a real minus sign
        *("Totalt inkl. moms", "676,10 kr", "Ring först,", "porten är låst.", "Kort"),
    ):
        assert words in page, words


@pytest.mark.requirement("R067", "R084")
@pytest.mark.parametrize(
    ("language", "sums"),
    [
        ("sv", ("Totalt inkl. moms", "227,40 kr", "Öresutjämning", "−0,40 kr", "Att betala", "227,00 kr")),  # noqa: RUF001
        ("fi", ("Yhteensä sis. alv", "227,40 SEK", "Pyöristys", "−0,40 SEK", "Maksettava yhteensä", "227,00 SEK")),  # noqa: RUF001
        ("en", ("Total incl. VAT", "SEK 227.40", "Rounding", "−SEK 0.40", "Total to pay", "SEK 227.00")),  # noqa: RUF001
    ],
)
def test_an_order_print_shows_what_a_sum_was_rounded_by(language: Language, sums: tuple[str, ...]) -> None:
    order = an_order(lines=[a_line(quantity=2, unit_price=8920)])
    (page,) = pages(a_request("order-print", order, language))
    assert sums[2] not in page, "nothing was rounded"
    rounded = order.totals.model_copy(update={"rounding": -40})
    (page,) = pages(a_request("order-print", order.model_copy(update={"totals": rounded}), language))
    places = [page.index(each) for each in sums[::2]]
    assert places == sorted(places)
    assert all(each in page for each in sums)


@pytest.mark.requirement("R070")
def test_a_delivery_note_says_what_is_sent_and_what_follows_and_no_prices() -> None:
    order = an_order(lines=[a_line(line_id=n, name=f"Te {n}", quantity=5) for n in ("A", "B", "C")])
    units: list[dict[UnitState, int]] = [{"back-ordered": 2, "shipped": 3}, {"cancelled": 5}, {}]
    lines = [line.model_copy(update={"units": each}) for line, each in zip(order.lines, units, strict=True)]
    (page,) = pages(a_request("delivery-note", order.model_copy(update={"lines": lines})))
    assert "Te A 5 3 2" in " ".join(page.split())
    assert "Te B" not in page
    assert "Te C 5 5" in " ".join(page.split())
    assert "kr" not in page.replace("Utskriven", "")


@pytest.mark.requirement("R071")
def test_a_pick_list_has_only_what_is_still_to_be_sent() -> None:
    order = an_order(lines=[a_line(line_id=n, name=f"Vara {n}", quantity=5) for n in ("A", "B")])
    lines = [order.lines[0].model_copy(update={"units": {"open": 2, "shipped": 3}}), order.lines[1]]
    (page,) = pages(a_request("pick-list", order.model_copy(update={"lines": lines})))
    assert "2 TEA-100 Vara A" in " ".join(page.split())
    shipped = [line.model_copy(update={"units": {"shipped": 5}}) for line in order.lines]
    (nothing,) = pages(a_request("pick-list", order.model_copy(update={"lines": shipped}), "fi"))
    assert "Ei kerättävää" in nothing
    assert "Vara" not in nothing


@pytest.mark.parametrize("document", KINDS)
def test_an_order_of_a_thousand_lines_has_each_of_them_once_under_a_head_on_every_page(document: DocumentKind) -> None:
    order = an_order(lines=[a_line(line_id=str(n), name=f"Vara_{n:04}_") for n in range(1114)])
    found = pages(a_request(document, order, "en"))
    together = "".join(found)
    assert [together.count(f"Vara_{n:04}_") for n in range(1114)] == [1] * 1114
    assert len(found) > 20
    assert all("Item no." in page for page in found if "Vara_" in page)
    assert [f"Page {n} of {len(found)}" in page for n, page in enumerate(found, 1)] == [True] * len(found)


HOSTILE = '#sys.inputs *stjärna* _streck_ $x^2$ `kod` <etikett> @ref \\ // /* [a](b) #import "/etc/passwd"'


@pytest.mark.parametrize("document", KINDS)
def test_what_stands_in_a_name_is_data_and_never_markup(document: DocumentKind) -> None:
    order = an_order(lines=[a_line(name=HOSTILE)], customer=a_customer(full_name="#panic()"), message="#read('/x')")
    (page,) = pages(a_request(document, order, shop=a_shop(name="= Rubrik")))
    assert HOSTILE.replace(" ", "") in "".join(page.split())
    assert "#panic()" in page
    assert "#read('/x')" in page


@pytest.mark.parametrize("name", ["茶", "🙂🍵", "Ελλάδα", "Москва", "\u0651\u0628", "e\u0301", "\u2066steers\u2069"])
def test_a_character_that_no_font_has_stops_no_document(name: str) -> None:
    assert len(pages(a_request("delivery-note", an_order(lines=[a_line(name=name)])))) == 1


def test_a_name_without_a_blank_stays_in_its_column() -> None:
    order = an_order(lines=[a_line(name="W" * 200, article_number="A" * 100)])
    assert "W" * 200 in "".join("".join(pages(a_request("order-print", order))).split())


def test_the_same_request_gives_the_same_bytes_in_another_process_too() -> None:
    request = a_request("order-print", an_order(lines=[a_line(line_id="1")]))
    code = (
        "import sys, hashlib; from services.documents.typesetting import *;"
        "r = PrintRequest.model_validate_json(sys.stdin.read());"
        "print(hashlib.sha256(Typesetting().pages(r)).hexdigest())"
    )
    said = subprocess.run(  # noqa: S603 - our own code
        [sys.executable, "-c", code], input=request.model_dump_json(), text=True, capture_output=True, check=True
    ).stdout
    assert said.strip() == hashlib.sha256(TYPESETTING.pages(request)).hexdigest()


def test_another_moment_gives_other_bytes() -> None:
    order = an_order()
    later = a_request("pick-list", order, at=AT.replace(minute=6))
    assert TYPESETTING.pages(a_request("pick-list", order)) != TYPESETTING.pages(later)


@pytest.mark.parametrize(
    ("language", "name"), [("sv", "foljesedel-7.pdf"), ("fi", "lahete-7.pdf"), ("en", "delivery-note-7.pdf")]
)
def test_a_file_is_named_in_its_language(language: Language, name: str) -> None:
    assert TYPESETTING.file_name(a_request("delivery-note", an_order(number=7), language)) == name


def test_a_template_that_is_wrong_says_what_is(tmp_path: Path) -> None:
    (tmp_path / "pick-list").mkdir()
    (tmp_path / "texts.toml").write_text("")
    (tmp_path / "pick-list" / "texts.toml").write_text("")
    (tmp_path / "pick-list" / "page.typ").write_text("#nothing-of-that-name")
    with pytest.raises(Fault, match="pick-list: unknown variable: nothing-of-that-name"):
        Typesetting(tmp_path).pages(a_request("pick-list", an_order()))


def test_a_template_reads_nothing_outside_its_folder(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret")
    folder = tmp_path / "templates"
    (folder / "pick-list").mkdir(parents=True)
    (folder / "texts.toml").write_text("")
    (folder / "pick-list" / "texts.toml").write_text("")
    (folder / "pick-list" / "page.typ").write_text('#read("../../secret")')
    with pytest.raises(Fault, match="pick-list"):
        Typesetting(folder).pages(a_request("pick-list", an_order()))

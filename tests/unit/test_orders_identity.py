"""Which texts are a personal identity number of Sweden or Finland, and in which form each is kept."""

from contextlib import suppress
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stdnum import luhn
from stdnum.fi import hetu

from services.orders.domain.identity import NotANumber, masked, normal, without_numbers

NORMAL = {
    "850709-9805": "19850709-9805",
    "8507099805": "19850709-9805",
    "19850709-9805": "19850709-9805",
    "198507099805": "19850709-9805",
    " 850709 9805 ": "19850709-9805",
    "121212-1212": "20121212-1212",
    "121212+1212": "19121212-1212",
    "19121212+1212": "19121212-1212",
    "850769-9802": "19850769-9802",  # samordningsnummer: 60 is added to the day
    "131052-308T": "131052-308T",
    "131052-308t": "131052-308T",
    "131052+308T": "131052+308T",
    **{f"131052{sign}308T": f"131052{sign}308T" for sign in "YXWVU"},
    **{f"010116{sign}002M": f"010116{sign}002M" for sign in "ABCDEF"},
}
NONE = (
    "",
    "850709",
    "850709-9806",
    "850732-9802",
    "850761-9802",
    "851309-9802",
    "850760-9803",
    "08507099805",
    "17121212-1212",
    "00010101-1212",
    "131052-308U",
    "310252-308Y",
    "010101-001P",
    "010101-900R",
    "131052A308T",
    "131052G308T",
    "١٣١٠٥٢-308T",
    "850709-9805\x00",
    "850709-9805 och mer",
    "x" * 30,
)


@pytest.mark.requirement("R011")
@pytest.mark.parametrize("text", NORMAL)
def test_a_number_is_kept_in_its_normal_form(text: str) -> None:
    assert normal(text) == NORMAL[text]
    assert normal(NORMAL[text]) == NORMAL[text]


@pytest.mark.parametrize("text", NONE)
def test_anything_else_is_refused_without_repeating_it(text: str) -> None:
    with pytest.raises(NotANumber) as raised:
        normal(text)
    assert str(raised.value) == "expected a Swedish personnummer or samordningsnummer, or a Finnish henkilötunnus"


def test_nobody_is_born_tomorrow() -> None:
    tomorrow = date.today() + timedelta(days=1)  # noqa: DTZ011 - as the library has it
    digits = f"{tomorrow:%y%m%d}123"
    with pytest.raises(NotANumber):
        normal(f"{tomorrow:%Y}"[:2] + digits + luhn.calc_check_digit(digits))


@pytest.mark.parametrize(
    ("number", "shown"),
    [
        ("19850709-9805", "850709-****"),
        ("131052-308T", "131052-****"),
        ("131052+308T", "131052-****"),
        ("010116F002M", "010116-****"),
    ],
)
def test_of_a_number_its_date_alone_is_shown(number: str, shown: str) -> None:
    assert masked(number) == shown


def test_what_is_a_number_in_both_countries_stays_as_it_was_written() -> None:
    both = "290165-0297"
    assert hetu.is_valid(both)
    assert luhn.is_valid(both.replace("-", ""))
    assert normal(both) == both
    assert normal("19290165-0297") == "19290165-0297"


@given(st.text(max_size=30) | st.text("0123456789-+AYT ", max_size=15))
def test_whatever_is_given_it_is_a_number_or_it_is_none(text: str) -> None:
    with suppress(NotANumber):
        assert masked(normal(text)).endswith("-****")


def test_numbers_are_taken_out_of_a_text_and_nothing_else_is() -> None:
    text = "131052-308T, 850709-9805 8507099805 (198507099805) order 8507099806, 2026-11-27, 0701234567"
    assert without_numbers(text) == "***, *** *** (***) order 8507099806, 2026-11-27, 0701234567"

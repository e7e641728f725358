"""Money is written with exactly the decimals of its currency, as each language writes it."""

# ruff: noqa: RUF001 - money is written with a real minus sign

from decimal import Decimal

import pytest

from shared.contracts.values import Language, Money
from shared.runtime.presentation.formats import Formats


@pytest.mark.parametrize(
    ("language", "amount", "currency", "written"),
    [
        ("sv", 1234550, "SEK", "12 345,50 kr"),
        ("fi", 1234550, "SEK", "12 345,50 SEK"),
        ("en", 1234550, "SEK", "SEK 12,345.50"),
        ("sv", 1234550, "EUR", "12 345,50 €"),
        ("fi", 1234550, "EUR", "12 345,50 €"),
        ("en", 1234550, "EUR", "€12,345.50"),
        ("en", 5, "GBP", "£0.05"),
        ("sv", 100, "NOK", "1,00 NOK"),
        ("sv", 100, "DKK", "1,00 DKK"),
        ("fi", 1500, "JPY", "1 500 ¥"),
        ("sv", 1500, "ISK", "1 500 ISK"),
        ("en", 1234567, "KWD", "KWD 1,234.567"),
        ("sv", 1234567, "IQD", "1 234,567 IQD"),
        ("sv", 150, "HUF", "1,50 HUF"),
        ("sv", -4990, "SEK", "−49,90 kr"),
        ("en", -4990, "GBP", "−£49.90"),
        ("en", -4990, "SEK", "−SEK 49.90"),
        ("sv", 0, "SEK", "0,00 kr"),
        ("sv", 10**15, "SEK", "10 000 000 000 000,00 kr"),
    ],
)
def test_money(language: Language, amount: int, currency: str, written: str) -> None:
    shown = Formats(language, "UTC").money(Money(amount=amount, currency=currency))
    assert shown.replace("\u00a0", " ") == written
    assert " " not in shown, "an amount must not be broken over two lines"


@pytest.mark.parametrize(
    ("language", "rate", "written"),
    [
        ("sv", "25", "25 %"),
        ("sv", "0", "0 %"),
        ("fi", "25.5", "25,5 %"),
        ("en", "25.50", "25.5%"),
        ("fi", "7.25", "7,25 %"),
    ],
)
def test_vat_rates(language: Language, rate: str, written: str) -> None:
    assert Formats(language, "UTC").rate(Decimal(rate)).replace("\u00a0", " ") == written


def test_a_country_without_a_name_is_shown_by_its_code() -> None:
    assert Formats("sv", "UTC").country("FI") == "Finland"
    assert Formats("fi", "UTC").country("FI") == "Suomi"
    assert Formats("sv", "UTC").country("QX") == "QX"


def test_a_length_of_time_is_written_in_its_largest_unit() -> None:
    seconds = (0.4, 59, 61, 7_200, 90_000)
    assert [Formats("sv", "UTC").lasting(each) for each in seconds] == ["0 s", "59 s", "1 min", "2 tim", "1 d"]
    assert [Formats("fi", "UTC").lasting(each) for each in seconds] == ["0 s", "59 s", "1 min", "2 t", "1 pv"]
    assert [Formats("en", "UTC").lasting(each) for each in seconds] == ["0 secs", "59 secs", "1 min", "2 hrs", "1 day"]

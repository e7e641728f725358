"""VAT: whatever is ordered, nothing is lost or made between amounts with and without it."""

from decimal import Decimal
from fractions import Fraction
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.orders.domain.vat import Split, Taxed, half_up, plain, split, split_per_rate

RATES = st.sampled_from(["0", "6", "12", "25", "25.00", "10", "14", "25.5", "13.5", "99.99", "100"]).map(Decimal)
AMOUNTS = st.integers(0, 10**12)
TAXED = st.lists(st.builds(Taxed, AMOUNTS, RATES), max_size=30)


@given(amount=AMOUNTS, rate=RATES, includes_vat=st.booleans())
def test_the_amount_itself_never_changes_and_nothing_is_negative(
    *, amount: int, rate: Decimal, includes_vat: bool
) -> None:
    amounts = split(amount, rate, includes_vat=includes_vat)
    assert amount == (amounts.incl_vat if includes_vat else amounts.excl_vat)
    assert amounts.excl_vat >= 0
    assert amounts.vat >= 0


@given(amount=AMOUNTS, rate=RATES, includes_vat=st.booleans())
def test_the_vat_is_within_half_a_minor_unit_of_the_exact_one(
    *, amount: int, rate: Decimal, includes_vat: bool
) -> None:
    exact = Fraction(amount) * Fraction(rate) / (100 + Fraction(rate) if includes_vat else 100)
    assert abs(split(amount, rate, includes_vat=includes_vat).vat - exact) <= Fraction(1, 2)


@pytest.mark.requirement("R031")
@given(AMOUNTS, RATES)
def test_what_was_split_with_vat_comes_back_without_it_within_one_minor_unit(amount: int, rate: Decimal) -> None:
    there = split(amount, rate, includes_vat=True)
    back = split(there.excl_vat, rate, includes_vat=False)
    assert abs(back.incl_vat - amount) <= 1


@given(charges=TAXED, includes_vat=st.booleans())
def test_the_rates_together_are_all_that_was_charged(*, charges: list[Taxed], includes_vat: bool) -> None:
    rates = split_per_rate(charges, includes_vat=includes_vat)
    kept = [amounts.incl_vat if includes_vat else amounts.excl_vat for amounts in rates.values()]
    assert sum(kept) == sum(charge.amount for charge in charges)


@given(charges=TAXED, includes_vat=st.booleans(), chance=st.randoms(use_true_random=False))
def test_the_order_of_the_charges_does_not_matter(*, charges: list[Taxed], includes_vat: bool, chance: Random) -> None:
    shuffled = list(charges)
    chance.shuffle(shuffled)
    first, second = (split_per_rate(some, includes_vat=includes_vat) for some in (charges, shuffled))
    assert list(first.items()) == list(second.items())


@given(st.integers(0, 10**20), st.integers(1, 10**9))
def test_half_up_is_the_nearest_whole_number_and_takes_the_upper_of_two(numerator: int, denominator: int) -> None:
    exact, rounded = Fraction(numerator, denominator), half_up(numerator, denominator)
    assert -Fraction(1, 2) < rounded - exact <= Fraction(1, 2)


@pytest.mark.parametrize(
    ("amount", "rate", "includes_vat", "expected"),
    [
        (10_000, "25", False, Split(10_000, 2_500)),
        (12_500, "25", True, Split(10_000, 2_500)),
        (12_550, "25.5", True, Split(10_000, 2_550)),
        (2, "25", False, Split(2, 1)),
        (100, "12", True, Split(89, 11)),
        (999, "0", True, Split(999, 0)),
        (1, "100", True, Split(0, 1)),
    ],
)
def test_amounts_known_by_heart(*, amount: int, rate: str, includes_vat: bool, expected: Split) -> None:
    assert split(amount, Decimal(rate), includes_vat=includes_vat) == expected


def test_rounding_is_per_rate_and_not_per_line() -> None:
    three_lines = [Taxed(10, Decimal(12))] * 3
    assert split_per_rate(three_lines, includes_vat=False)[Decimal(12)].vat == 4
    assert sum(split(10, Decimal(12), includes_vat=False).vat for _ in three_lines) == 3


def test_the_same_rate_written_in_two_ways_is_one_rate() -> None:
    rates = split_per_rate([Taxed(100, Decimal(25)), Taxed(100, Decimal("25.00"))], includes_vat=False)
    assert rates == {Decimal(25): Split(200, 50)}


@pytest.mark.parametrize(("written", "shown"), [("25.00", "25"), ("25.50", "25.5"), ("1E+1", "10"), ("0.00", "0")])
def test_a_rate_is_shown_without_needless_zeros(written: str, shown: str) -> None:
    assert str(plain(Decimal(written))) == shown

"""Amounts with and without VAT, in whole minor units: what they are with VAT less what they are without is the VAT."""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

PER_CENT = 10_000
"""A rate is counted in hundredths of a per cent: 25.5 % is 2,550 of these."""


@dataclass(frozen=True, slots=True)
class Split:
    """One amount seen three ways, in minor units."""

    excl_vat: int
    vat: int

    @property
    def incl_vat(self) -> int:
        """What is paid."""
        return self.excl_vat + self.vat


@dataclass(frozen=True, slots=True)
class Taxed:
    """An exact amount in minor units, never negative, and the VAT rate that it bears, in per cent."""

    amount: int
    rate: Decimal


def half_up(numerator: int, denominator: int) -> int:
    """The nearest whole number; a half goes up. Neither may be negative, the denominator not 0."""
    return (2 * numerator + denominator) // (2 * denominator)


def split(amount: int, rate: Decimal, *, includes_vat: bool) -> Split:
    """Split an amount at a rate in per cent; only the VAT is rounded, so the amount itself never changes.

    Without VAT: the VAT is `amount * rate / 100` (EN 16931, BR-CO-17). With VAT: it is the part
    `rate / (100 + rate)` of the amount. Halves go up, as in the rounding of EN 16931's own validation rules.
    """
    share = int(rate * 100)
    if includes_vat:
        vat = half_up(amount * share, PER_CENT + share)
        return Split(amount - vat, vat)
    return Split(amount, half_up(amount * share, PER_CENT))


def split_per_rate(amounts: Iterable[Taxed], *, includes_vat: bool) -> dict[Decimal, Split]:
    """Add up what bears the same rate and split each sum once: rounded per rate on exact sums, never per line.

    EN 16931 has it so: the VAT of an invoice is the sum over its rates (BR-CO-14), each computed from the whole
    amount that bears the rate (BR-CO-17). Lowest rate first; rates come without needless zeros (`25`, `25.5`).
    """
    sums: dict[Decimal, int] = {}
    for taxed in amounts:
        sums[taxed.rate] = sums.get(taxed.rate, 0) + taxed.amount
    return {plain(rate): split(sums[rate], rate, includes_vat=includes_vat) for rate in sorted(sums)}


def plain(rate: Decimal) -> Decimal:
    """The same rate without needless zeros or an exponent: 25.00 is 25, 25.50 is 25.5, 1E+1 is 10."""
    return Decimal(int(rate * 100)) / 100

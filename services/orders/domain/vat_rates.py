"""The statutory VAT rates of Sweden and Finland by class and day; the table begins with 2013 and knows nothing before.

Sweden: mervärdesskattelagen (2023:200), 9 kap. Food bears 6 % from 1 April 2026 to and including 31 December 2027, and
12 % before and after (prop. 2025/26:55). What is eaten at a restaurant keeps 12 %.
Finland: arvonlisäverolaki (1501/1993), 84 §, 85 § and 85 a §. In general 24 % from 1 January 2013 and 25.5 % from
1 September 2024; food and restaurants 14 % from 1 January 2013 and 13.5 % from 1 January 2026 (HE 93/2025); books went
from 10 % to 14 % on 1 January 2025, papers and magazines that are subscribed to did not (HE 141/2024).

A class says what is sold, not how high its tax is: what is alike on one day need not be on another. The day is that of
the order, in the shop's time zone. The law goes by the day of delivery, or of payment where that comes first; so an
order that is placed before a change and delivered after it may bear the other rate: a shop front that knows says both.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from shared.contracts.refusal import Refused


@dataclass(frozen=True)
class Rate:
    """What a class bears from one day to another, both included, in per cent; without an end as far as is known."""

    vat_class: str
    rate: Decimal
    since: date
    until: date | None = None


BEGINNING = date(2013, 1, 1)


def _rates(vat_class: str, first: str, *later: tuple[date, str]) -> list[Rate]:
    """The rates of a class, one after the other."""
    steps = [(BEGINNING, first), *later]
    ends = [date.fromordinal(since.toordinal() - 1) for since, _ in later]
    return [
        Rate(vat_class, Decimal(rate), since, until) for (since, rate), until in zip(steps, [*ends, None], strict=True)
    ]


RATES: Mapping[str, Sequence[Rate]] = {
    "SE": [
        *_rates("standard", "25"),
        *_rates("food", "12", (date(2026, 4, 1), "6"), (date(2028, 1, 1), "12")),
        *_rates("restaurant", "12"),
        *_rates("book", "6"),
        *_rates("press", "6"),
        *_rates("zero", "0"),
    ],
    "FI": [
        *_rates("standard", "24", (date(2024, 9, 1), "25.5")),
        *_rates("food", "14", (date(2026, 1, 1), "13.5")),
        *_rates("restaurant", "14", (date(2026, 1, 1), "13.5")),
        *_rates("book", "10", (date(2025, 1, 1), "14"), (date(2026, 1, 1), "13.5")),
        *_rates("press", "10"),
        *_rates("zero", "0"),
    ],
}
"""By country (ISO 3166-1 alpha-2)."""


def require_known(country: str | None) -> None:
    """Raises Refused, `unknown-vat-country`, for a country whose rates are not in the table."""
    if country is not None and country not in RATES:
        raise Refused("unknown-vat-country", f"the VAT rates of {country} are not known, only those of SE and FI")


def rates_on(country: str, day: date) -> list[Rate]:
    """What each class of a country bears on a day; nothing where that is not known."""
    return [each for each in RATES.get(country, ()) if each.since <= day and (each.until is None or day <= each.until)]


def rate_of(country: str | None, vat_class: str, day: date) -> Decimal:
    """What a class bears on a day. Raises Refused: `no-vat-country`, `unknown-vat-class`."""
    if country is None:
        raise Refused("no-vat-country", f"the VAT class {vat_class} has no rate: the shop has set no VAT country")
    rates = {each.vat_class: each.rate for each in rates_on(country, day)}
    if vat_class not in rates:
        known = ", ".join(rates) or "none at all"
        raise Refused("unknown-vat-class", f"{country} has no VAT class {vat_class} on {day}, but {known}")
    return rates[vat_class]

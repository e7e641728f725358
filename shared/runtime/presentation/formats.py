"""Money, dates and numbers as a language writes them; money always with all decimals of its currency (ISO 4217)."""

from copy import copy
from datetime import date, datetime, time
from decimal import Decimal
from functools import lru_cache
from zoneinfo import ZoneInfo

from babel import Locale
from babel.dates import format_date, format_time, format_timedelta
from babel.numbers import NumberPattern, get_currency_symbol

from shared.contracts.values import Language, Money, minor_digits

LOCALES: dict[Language, Locale] = {"sv": Locale("sv", "SE"), "fi": Locale("fi", "FI"), "en": Locale("en", "GB")}
NO_BREAK_SPACE = "\u00a0"
MINUS = "\u2212"


class Formats:
    """How a language writes things, in a shop's time zone (an IANA name). Raises ZoneInfoNotFoundError for no zone."""

    def __init__(self, language: Language, time_zone: str) -> None:
        self._locale = LOCALES[language]
        self._zone = ZoneInfo(time_zone)

    def money(self, money: Money) -> str:
        """1234500 öre as `12 345,00 kr`, `12 345,00 SEK` or `SEK 12,345.00`."""
        symbol = _symbol(money.currency, self._locale)
        if self._locale.currency_formats["standard"].pattern.startswith("¤"):
            sign, number = self.amount(money)[: money.amount < 0], self.amount(money).removeprefix(MINUS)
            return f"{sign}{symbol}{NO_BREAK_SPACE if symbol[-1].isalpha() else ''}{number}"
        return f"{self.amount(money)}{NO_BREAK_SPACE}{symbol}"

    def amount(self, money: Money) -> str:
        """1234500 öre as `12 345,00`; a negative amount with a real minus sign."""
        return _amount(money.amount, minor_digits(money.currency), self._locale)

    def rate(self, rate: Decimal) -> str:
        """A rate in per cent: `25 %`, `25,5 %`, `25.5%`."""
        return str(_percents(self._locale).apply(rate / 100, self._locale))

    def number(self, number: int) -> str:
        """A whole number: `1 000`."""
        return str(_decimals(self._locale, 0).apply(number, self._locale))

    def day(self, day: date) -> str:
        """`24 november 2026`."""
        return format_date(day, "long", self._locale)

    def local_day(self, moment: datetime) -> str:
        """The day that it is in the shop at this moment."""
        return self.day(moment.astimezone(self._zone).date())

    def local_time(self, moment: datetime) -> str:
        """What the shop's clock shows at this moment: `19:30`, `19.30`."""
        return format_time(moment.astimezone(self._zone).time(), "short", locale=self._locale)

    def short(self, moment: datetime) -> str:
        """Day and time in the shop, in figures: `2026-11-24 19:30`, `24.11.2026 19.30`, `24/11/2026 19:30`."""
        local = moment.astimezone(self._zone)
        return _short(local.date(), local.hour, local.minute, self._locale)

    def lasting(self, seconds: float) -> str:
        """A length of time in its largest unit: `12 min`, `3 tim`, `2 pv`."""
        return format_timedelta(int(seconds), format="short", threshold=1, locale=self._locale)

    def country(self, code: str) -> str:
        """The name of a country; its code where it has none."""
        return str(self._locale.territories.get(code, code))


@lru_cache(maxsize=10_000)
def _amount(amount: int, digits: int, locale: Locale) -> str:
    number = _decimals(locale, digits).apply(Decimal(abs(amount)).scaleb(-digits), locale)
    return f"{MINUS if amount < 0 else ''}{number}"


@lru_cache
def _decimals(locale: Locale, digits: int) -> NumberPattern:
    pattern: NumberPattern = copy(locale.decimal_formats[None])
    pattern.frac_prec = (digits, digits)
    return pattern


@lru_cache(maxsize=10_000)
def _short(day: date, hour: int, minute: int, locale: Locale) -> str:
    return f"{format_date(day, 'short', locale)} {format_time(time(hour, minute), 'short', locale=locale)}"


@lru_cache
def _percents(locale: Locale) -> NumberPattern:
    pattern: NumberPattern = copy(locale.percent_formats[None])
    pattern.frac_prec = (0, 2)
    return pattern


@lru_cache
def _symbol(currency: str, locale: Locale) -> str:
    """The sign of a currency where it is one; of those in letters only the `kr` of Swedish in Swedish is clear."""
    symbol = get_currency_symbol(currency, locale)
    return symbol if not symbol.isalpha() or (locale.language, currency) == ("sv", "SEK") else currency

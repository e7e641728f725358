"""The fields of a shop's settings: how each is shown as text, and read from what a person typed."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any, Literal
from zoneinfo import available_timezones

from services.backoffice.visiting import Form
from shared.contracts.values import minor_digits
from shared.runtime.presentation.texts import LANGUAGES

Kind = Literal["line", "email", "tel", "url", "prose", "number", "amount", "choice", "languages", "zone", "currency"]
LARGEST = 10**12
WHOLE = re.compile(r"[0-9]{1,13}")
COUNTRIES = ("SE", "FI")
"""Whose VAT rates are known."""
CURRENCIES = ("SEK", "EUR", "NOK", "DKK", "ISK", "GBP", "USD", "CHF", "PLN")
ZONES = sorted(zone for zone in available_timezones() if zone.startswith(("Europe/", "Atlantic/")))
"""What is proposed; any other of ISO 4217 and of the IANA database can be typed."""
MAIN, OTHERS = "languages.main", "languages.other"
NO_ENTRY = ""


class Wrong(ValueError):
    """What was typed cannot be meant."""


@dataclass(frozen=True)
class Field:
    """One of them; `name` is that of `PUT /v1/shop`."""

    name: str
    kind: Kind
    group: str
    needed: bool = False
    choices: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        """As texts and ids have it."""
        return self.name.replace("_", "-")


FIELDS: Mapping[str, Field] = {
    field.name: field
    for field in (
        Field("name", "line", "who", needed=True),
        Field("email", "email", "who", needed=True),
        Field("phone", "tel", "who"),
        Field("website", "url", "who"),
        Field("postal_address", "prose", "who"),
        Field("languages", "languages", "where", needed=True),
        Field("time_zone", "zone", "where", needed=True),
        Field("currency", "currency", "money", needed=True),
        Field("vat_country", "choice", "money", choices=(NO_ENTRY, *COUNTRIES)),
        Field("prices_include_vat", "choice", "money", choices=("true", "false")),
        Field("rounding", "choice", "money", choices=("none", "whole")),
        Field("total_tolerance", "amount", "money", needed=True),
        Field("process_within_hours", "number", "handling", needed=True),
        Field("first_order_number", "number", "handling", needed=True),
    )
}
GROUPS = tuple(dict.fromkeys(field.group for field in FIELDS.values()))


def shown(settings: Mapping[str, Any]) -> dict[str, str]:
    """Every field as a form has it."""
    return {name: _shown(field, settings.get(name), str(settings["currency"])) for name, field in FIELDS.items()}


def typed_in(form: Form) -> dict[str, str]:
    """What a form says of every field; the shop's own language first."""
    typed = {name: form.one(name).replace("\r\n", "\n").strip() for name in FIELDS}
    spoken = [form.one(MAIN), *form.all(OTHERS)]
    typed["languages"] = ",".join(dict.fromkeys(each for each in spoken if each in LANGUAGES))
    typed["currency"] = typed["currency"].upper()
    return typed


def read(typed: Mapping[str, str]) -> tuple[dict[str, Any], frozenset[str]]:
    """The fields as orders takes them, and those that cannot be meant."""
    found: dict[str, Any] = {}
    wrong = set()
    for name, text in typed.items():
        try:
            found[name] = _read(FIELDS[name], text, typed.get("currency", ""))
        except Wrong:
            wrong.add(name)
    return found, frozenset(wrong)


def plain(amount: int, currency: str) -> str:
    """An amount as people type it: `1234,50`."""
    digits = minor_digits(currency)
    whole, rest = divmod(amount, 10**digits)
    return f"{whole},{rest:0{digits}}" if digits else str(whole)


def _shown(field: Field, value: Any, currency: str) -> str:
    if field.kind == "languages":
        return ",".join(value)
    if field.kind == "amount":
        return plain(int(value or 0), currency)
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)


def _read(field: Field, text: str, currency: str) -> Any:
    if field.needed and not text:
        raise Wrong
    return _READERS[field.kind](text, currency) if field.kind != "choice" else _choice(field, text)


def _choice(field: Field, text: str) -> Any:
    if text in {"true", "false"}:
        return text == "true"
    if field.name != "vat_country" and text not in field.choices:
        raise Wrong
    return text or None


def _number(text: str, _currency: str) -> int:
    if not WHOLE.fullmatch(text):
        raise Wrong
    return int(text)


def _amount(text: str, currency: str) -> int:
    try:
        minor = Decimal("".join(text.split()).replace(",", ".")).scaleb(_digits(currency))
        if not (minor.is_finite() and 0 <= minor <= LARGEST) or minor != int(minor):
            raise Wrong
    except InvalidOperation:
        raise Wrong from None
    return int(minor)


def _digits(currency: str) -> int:
    """As many as most have, for a currency that is wrong itself."""
    try:
        return minor_digits(currency)
    except KeyError:
        return 2


def _currency(text: str, _currency: str) -> str:
    try:
        minor_digits(text)
    except KeyError:
        raise Wrong from None
    return text


def _as_it_is(text: str, _currency: str) -> str:
    return text


_READERS: Mapping[str, Callable[[str, str], Any]] = {
    **dict.fromkeys(("line", "email", "tel", "url", "prose", "zone"), _as_it_is),
    "number": _number,
    "amount": _amount,
    "currency": _currency,
    "languages": lambda text, _: text.split(","),
}

"""Values that messages are made of; whatever text comes in, by HTTP or by topic, passes the one validator here."""

import re
import unicodedata
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, Any, Literal, TypeVar, get_args
from uuid import UUID

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    GetJsonSchemaHandler,
    GetPydanticSchema,
    StringConstraints,
    WithJsonSchema,
)
from pydantic.fields import FieldInfo
from pydantic_core import CoreSchema, core_schema

T = TypeVar("T")


@dataclass(frozen=True)
class SchemaKeyword:
    """Says in a field's JSON schema what only code demands of it."""

    keyword: str
    value: Any

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {**handler(schema), self.keyword: self.value}


@dataclass(frozen=True)
class PersonalMark(SchemaKeyword):
    """Marks a field that tells about a person; logs, listings and metrics mask it by this declaration."""

    keyword: str = "x-personal"
    value: Any = True


Personal = Annotated[T, PersonalMark()]
"""`Personal[Line]`: a field that tells about a person."""


class Value(BaseModel):
    """A value has no identity and never changes; unknown fields are ignored by readers, refused by HTTP."""

    model_config = ConfigDict(
        frozen=True, extra="ignore", strict=True, allow_inf_nan=False, use_attribute_docstrings=True
    )


def _without_control_characters(text: str) -> str:
    if text.isprintable():  # the usual case, many times faster than looking at each character
        return text
    if any(unicodedata.category(character) in {"Cc", "Cs", "Zl", "Zp"} for character in text):
        raise ValueError("control characters and line breaks are not allowed here")
    return text


def _storable(text: str) -> str:
    if "\x00" in text:
        raise ValueError("the character NUL is not allowed")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError("lone surrogates are not allowed") from None
    return text


_CONTROL = r"\x00-\x1f\x7f-\x9f\u2028\u2029"


def _line(max_length: int, min_length: int = 0) -> Any:  # the constraints of one line of text
    not_blank = rf"[^\s{_CONTROL}][^{_CONTROL}]*" if min_length else ""
    return (
        StringConstraints(max_length=max_length, min_length=min_length, strip_whitespace=True),
        AfterValidator(_without_control_characters),
        SchemaKeyword("pattern", rf"^[^{_CONTROL}]*{not_blank}$"),
    )


def _prose(max_length: int) -> Any:  # the constraints of text that may have several lines
    return (
        StringConstraints(max_length=max_length),
        AfterValidator(_storable),
        SchemaKeyword("pattern", r"^[^\x00]*$"),
    )


Line = Annotated[str, *_line(200)]
"""One line of text, at most 200 characters, no control characters; blanks at both ends are dropped."""
Name = Annotated[str, *_line(200, 1)]
"""As `Line`, and not empty."""
Prose = Annotated[str, *_prose(5_000)]
"""Text of several lines, at most 5,000 characters."""
LongProse = Annotated[str, *_prose(20_000)]
"""As `Prose`, at most 20,000 characters."""
Detail = Annotated[str, *_prose(500)]
"""What went wrong, for people; at most 500 characters."""
Identifier = Annotated[str, StringConstraints(max_length=128, pattern=r"^[\x21-\x7e]{1,128}$")]
"""Ids, types and sources: printable ASCII without blanks, 1 to 128 characters."""
ShopId = Annotated[str, StringConstraints(max_length=63, pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")]
"""A shop's short name, as it stands in tokens and topics: `nordic-tea`."""
Reason = Annotated[str, StringConstraints(max_length=64, pattern=r"^[a-z][a-z0-9-]{1,63}$")]
"""A stable word for why something was refused: `unknown-shop`."""
Email = Annotated[
    str, StringConstraints(max_length=320, pattern=r"^[^@\s\x00-\x1f\x7f]{1,64}@[^@\s\x00-\x1f\x7f]{1,255}$")
]
"""An address as people type it; whether it takes mail is known only when a mail was sent (R124)."""
MaskedEmail = Annotated[
    str, StringConstraints(max_length=260, pattern=r"^[^@\s\x00-\x1f\x7f]?\*\*\*@[^@\s\x00-\x1f\x7f]{0,255}$")
]
"""What `masked_email` leaves of an address: `a***@example.org`."""
CountryCode = Annotated[str, StringConstraints(max_length=2, pattern=r"^[A-Z]{2}$")]
"""ISO 3166-1 alpha-2."""
OrderId = UUID
Language = Literal["sv", "fi", "en"]
Quantity = Annotated[int, Field(ge=1, le=1_000_000)]


def _plain(number: Decimal) -> Decimal:
    if number and str(number).find("E") < 0:
        return number
    return Decimal(f"{number:f}") + 0  # neither `1E+1` nor `-0`


def _decimal(pattern: str, number: dict[str, Any]) -> Any:  # how a decimal is written, and what else is read
    text = {"type": "string", "maxLength": 20, "pattern": pattern}
    return (
        AfterValidator(_plain),
        WithJsonSchema(text, mode="serialization"),
        WithJsonSchema({"anyOf": [{"type": "number", **number}, text]}, mode="validation"),
    )


VatRate = Annotated[
    Decimal,
    Field(ge=0, le=100, max_digits=5, decimal_places=2),
    *_decimal(r"^[0-9]{1,3}(\.[0-9]{1,2})?$", {"minimum": 0, "maximum": 100}),
]
"""Per cent: `25`, `25.5`, `0`."""
ExchangeRate = Annotated[
    Decimal,
    Field(gt=0, max_digits=18, decimal_places=8),
    *_decimal(r"^[0-9]{1,10}(\.[0-9]{1,8})?$", {"exclusiveMinimum": 0, "maximum": 10**10}),
]
"""Units of one currency for one unit of another: `11.24`."""

_NO_MINOR_UNIT = frozenset("BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX VND VUV XAF XOF XPF".split())
_THREE_DECIMALS = frozenset("BHD IQD JOD KWD LYD OMR TND".split())
_TWO_DECIMALS = frozenset(
    "AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF CHF CNY COP CRC CUP "
    "CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL HTG HUF IDR ILS INR IRR JMD KES "
    "KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK "
    "NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SYP SZL THB TJS "
    "TMT TOP TRY TTD TWD TZS UAH USD UYU UZS VED VES WST XCD YER ZAR ZMW ZWG".split()
)


def minor_digits(currency: str) -> int:
    """How many decimals a currency has (ISO 4217): 2 for SEK, 0 for JPY. Raises KeyError for an unknown one."""
    if currency in _TWO_DECIMALS:
        return 2
    if currency in _NO_MINOR_UNIT:
        return 0
    if currency in _THREE_DECIMALS:
        return 3
    raise KeyError(currency)


_CURRENCIES = core_schema.custom_error_schema(
    core_schema.literal_schema(sorted(_TWO_DECIMALS | _NO_MINOR_UNIT | _THREE_DECIMALS)),
    custom_error_type="currency",
    custom_error_message="not a currency of ISO 4217",
)
Currency = Annotated[
    str,
    GetPydanticSchema(lambda _type, _handler: _CURRENCIES),
    WithJsonSchema({"type": "string", "minLength": 3, "maxLength": 3, "pattern": "^[A-Z]{3}$"}),
]
"""ISO 4217, upper case."""
MinorUnits = Annotated[int, Field(ge=-(10**15), le=10**15)]
"""An amount in the smallest unit of its currency: öre, cent, pence."""
Price = Annotated[int, Field(ge=0, le=10**12)]
"""An amount in minor units that cannot be negative."""


class Money(Value):
    """An amount: whole minor units and their currency."""

    amount: MinorUnits
    currency: Currency


class Address(Value):
    """Where a parcel or a letter goes."""

    full_name: Personal[Line] = ""
    company: Personal[Line] = ""
    street: Personal[Line] = ""
    street2: Personal[Line] = ""
    postal_code: Personal[Annotated[str, *_line(20)]] = ""
    city: Personal[Line] = ""
    region: Personal[Line] = ""
    country: CountryCode


def masked_email(address: str) -> str:
    """The address with all but its first letter and its domain hidden: `a***@example.org`."""
    local, _, domain = address.partition("@")
    return f"{local[:1]}***@{domain}"


def _is_marked(annotation: Any) -> bool:
    return isinstance(annotation, PersonalMark) or any(_is_marked(part) for part in get_args(annotation))


def is_personal(field: FieldInfo) -> bool:
    """Whether a field is declared personal, be it as a whole or in one part of a union."""
    return any(isinstance(mark, PersonalMark) for mark in field.metadata) or _is_marked(field.annotation)


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for part in get_args(annotation) for model in _models_in(part)]


def personal_fields_of(model: type[BaseModel]) -> set[str]:
    """The names of all fields declared personal in a model and in the models it is made of."""
    names = set()
    for name, field in model.model_fields.items():
        if is_personal(field):
            names.add(name)
        for inner in _models_in(field.annotation):
            names |= personal_fields_of(inner)
    return names


def masked(document: Any, personal: frozenset[str]) -> Any:
    """The JSON document with every value under a personal name replaced by `***`; empty ones stay empty."""
    if isinstance(document, dict):
        return {
            name: ("***" if value not in ("", None) and not isinstance(value, dict | list) else masked(value, personal))
            if name in personal
            else masked(value, personal)
            for name, value in document.items()
        }
    if isinstance(document, list):
        return [masked(item, personal) for item in document]
    return document


_EMAIL = re.compile(r"[^@\s<>()\[\],;:\"']{1,64}@[^@\s<>()\[\],;:\"']{1,255}")


def with_masked_emails(text: str) -> str:
    """The text with every e-mail address in it masked: what a mail server answers often quotes the recipient."""
    return _EMAIL.sub(lambda found: masked_email(found[0]), text)


_LINE_BREAKS = re.compile(r"\s+")


def on_one_line(text: str, limit: int = 500) -> str:
    """Text from outside, made fit for a `Line`-like field of a log entry: one line, cut, storable."""
    printable = "".join(c if unicodedata.category(c) not in {"Cc", "Cs", "Zl", "Zp"} else " " for c in text)
    return _LINE_BREAKS.sub(" ", printable).strip()[:limit]

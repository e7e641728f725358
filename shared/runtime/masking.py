"""What people are shown of records and errors: personal fields masked by the contracts' own declaration."""

import json
import math
from functools import cache
from typing import Any

from shared.contracts.catalogue import all_contracts
from shared.contracts.message import personal_field_names
from shared.contracts.values import masked, with_masked_emails
from shared.runtime.observability import IDENTITY_NUMBER, MASK

DEEPEST = 100
"""Levels of a document that are shown."""


def masked_text(text: str) -> str:
    """The text with addresses masked as log entries have them, `a***@example.org`, and identity numbers wholly."""
    return IDENTITY_NUMBER.sub(MASK, with_masked_emails(text))


def without_personal(document: Any) -> Any:
    """The JSON document with personal fields masked, and addresses and identity numbers in all other texts too."""
    return _shown(masked(document, _personal()))


def read_json(record: bytes | None) -> Any:
    """The JSON document in these bytes. Raises ValueError where there is none."""
    try:
        return json.loads(record or b"")
    except RecursionError:
        raise ValueError("it is nested too deep") from None


def masked_bytes(value: bytes | None) -> str | None:
    """Text, masked; of what is not text, its length."""
    if value is None:
        return None
    try:
        return masked_text(value.decode())
    except UnicodeDecodeError:
        return f"{len(value)} bytes that are no text"


def masked_record(value: bytes | None) -> Any:
    """A record's JSON document, masked; of anything else, its length: nobody knows what is personal in it."""
    if value is None:
        return None
    try:
        return without_personal(read_json(value))
    except (ValueError, RecursionError):
        return f"{len(value)} bytes that are not JSON"


def _shown(value: Any, depth: int = DEEPEST) -> Any:
    """Masked, and such that every JSON writer can write it."""
    if isinstance(value, str):
        return masked_text(value.encode("utf-8", "backslashreplace").decode())
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if not isinstance(value, dict | list):
        return value
    if depth == 0:
        return "nested too deep to be shown"
    if isinstance(value, list):
        return [_shown(item, depth - 1) for item in value]
    return {_shown(str(name)): _shown(item, depth - 1) for name, item in value.items()}


@cache
def _personal() -> frozenset[str]:
    all_contracts()
    return personal_field_names()

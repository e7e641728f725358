"""Which columns the list has: chosen in each browser, since a phone and the screen of a packing table want others."""

from collections.abc import Iterable, Mapping, Sequence

from fastapi import Request

from services.backoffice.visiting import read_cookie

COOKIE = "columns"
COLUMNS: Mapping[str, str] = {
    "date": "date",
    "customer": "customer",
    "email": "email",
    "amount": "total",
    "internal-status": "internal-status",
    "order-status": "order-status",
    "processing": "processing",
    "payment": "payment",
    "goods": "goods",
    "folder": "folder",
    "changed": "changed",
    "message": "message",
}
"""In the order in which they stand, and the text that each is called by."""
AT_FIRST = COLUMNS.keys() - {"email", "goods", "changed"}


def chosen(request: Request) -> Sequence[str]:
    """What this browser has chosen, or what everybody has at first."""
    kept = known(read_cookie(request, COOKIE).split("."))
    return kept or [column for column in COLUMNS if column in AT_FIRST]


def known(names: Iterable[str]) -> list[str]:
    """Those of them that there are, in their order."""
    said = set(names)
    return [column for column in COLUMNS if column in said]

"""An order's page, drawn: as it is, with a form that was asked for, or with one that was refused and what it had."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from fastapi import Request
from starlette.responses import Response

from services.backoffice import order_deeds, order_log
from services.backoffice.order_deeds import DEEDS
from services.backoffice.order_sheet import Sheet
from services.backoffice.orders import Catalogue
from services.backoffice.sessions import Visitor
from services.backoffice.visiting import Form, is_part, language_of, looks_of, new_secret, page
from shared.contracts.values import Money, minor_digits
from shared.runtime.presentation.formats import Formats
from shared.runtime.presentation.written import clean_html

PREVIEW = (
    "<!doctype html><meta charset='utf-8'><meta http-equiv='Content-Security-Policy' content=\"default-src 'none'\">"
)
"""What an HTML message is shown in: a document of its own that may load and run nothing."""


@dataclass(frozen=True)
class Tried:
    """A form that came, and why it was not done; `changes` is what others did meanwhile."""

    deed: str
    form: Form
    reason: str = ""
    detail: str = ""
    changes: Sequence[order_log.LogEntry] = field(default=())


@dataclass(frozen=True)
class Asked:
    """What an address asks the page to show beside the order."""

    do: str = ""
    line: str = ""
    entry: str = ""
    kind: str = ""
    log: str = ""
    done: str = ""
    again: int = 0
    revealed: str = ""


def show(
    request: Request,
    visitor: Visitor,
    sheet: Sheet,
    asked: Asked,
    *,
    tried: Tried | None = None,
    status: int = 200,
    headers: dict[str, str] | None = None,
) -> Response:
    """The page, or for htmx its inside."""
    language, order = language_of(request), sheet.order
    formats = Formats(language, sheet.shop.time_zone)
    doing = DEEDS.get(tried.deed if tried else asked.do)

    entry_id = tried.form.one("entry") if tried else asked.entry
    about = next((entry for entry in sheet.entries if entry.id == entry_id), None)
    if doing and doing.name in order_deeds.REPAIRS and about is None:
        doing = None

    def typed(deed: str, name: str, otherwise: str = "") -> str:
        return tried.form.one(name) if tried and tried.deed == deed else otherwise

    def money(amount: int) -> str:
        return formats.money(Money(amount=amount, currency=order.currency))

    kinds = {entry.kind for entry in sheet.entries}
    entries = [entry for entry in sheet.entries if entry.kind == asked.kind] if asked.kind in kinds else sheet.entries
    tree = order_log.as_tree(entries) if len(entries) == len(sheet.entries) else order_log.as_list(entries)
    shown = tree if asked.log == "all" else order_log.latest(tree)
    return page(
        request,
        "order-inside.html" if is_part(request) else "order.html",
        status=status,
        headers=headers,
        time_zone=sheet.shop.time_zone,
        sheet=sheet,
        order=order,
        shop=sheet.shop,
        catalogue=Catalogue(sheet.shop, language),
        asked=asked,
        tried=tried,
        about=about,
        doing=doing if doing and visitor.may("orders:write") and not doing.in_place else None,
        typed=typed,
        money=money,
        plain=lambda amount: plain(amount, order.currency),
        known=looks_of(request).texts["en"].keys(),
        deeds=order_deeds,
        writes=visitor.may("orders:write"),
        key=new_secret(),
        sums=sums_of(sheet),
        left=lambda deed: sum(DEEDS[deed].available(line) for line in order.lines),
        kinds=[kind for kind in order_log.KINDS if kind in kinds],
        tree=shown,
        older=sum(branch.size for branch in tree[len(shown) :]),
        flat=len(entries) < len(sheet.entries),
        causes=order_log.causes(sheet.entries),
        of_kind=lambda kind: [entry for entry in sheet.entries if entry.kind == kind],
        as_moment=as_moment,
        preview=preview(tried),
    )


def as_moment(said: object, otherwise: datetime) -> datetime:
    """The moment that an entry of the log says beside its own."""
    try:
        return datetime.fromisoformat(str(said))
    except ValueError:
        return otherwise


def plain(amount: int, currency: str) -> str:
    """An amount as people type it: `1234,50`."""
    digits = minor_digits(currency)
    whole, rest = divmod(amount, 10**digits)
    return f"{whole},{rest:0{digits}}" if digits else str(whole)


def sums_of(sheet: Sheet) -> dict[str, int]:
    """What is proposed where an amount is asked for, and what payments come to."""
    paid, total = sheet.order.paid, sheet.order.totals.to_pay.amount
    return {
        "confirm-payment": max(0, total - paid.captured + paid.refunded),
        "capture": max(0, paid.authorized - paid.captured),
        "refund": max(0, paid.captured - paid.refunded),
    }


def preview(tried: Tried | None) -> dict[str, Any] | None:
    """How a message will look, where that was asked for."""
    if tried is None or tried.deed != "message" or not tried.form.one("preview") or tried.reason:
        return None
    form = tried.form
    html = form.one("format") == "html"
    return {
        "headline": form.one("headline"),
        "text": "" if html else form.one("text"),
        "document": f"{PREVIEW}{clean_html(form.one('text'))}" if html else "",
    }

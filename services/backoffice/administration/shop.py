"""The shop's own settings: one form, saved on the version that it was filled in on; two people lose nothing."""

import re
from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from services.backoffice.administration.desk import CONFLICT, Kept, put_shop, read_shop
from services.backoffice.administration.fields import CURRENCIES, FIELDS, GROUPS, ZONES, read, shown, typed_in
from services.backoffice.administration.frame import OF_THE_SHOP, Owner, Tried, refused, show, since, write_down
from services.backoffice.administration.history import Done
from services.backoffice.others import Refusal
from services.backoffice.sessions import Visitor
from services.backoffice.visiting import Form, Posted, Somebody, go_to
from shared.runtime.problems import Problem
from shared.runtime.tokens import OPERATOR

router = APIRouter(include_in_schema=False)
ETAG = re.compile(r'"[0-9a-f]{16}"')
WAS = "was."
"""Before the name of a field, in that of the one which says what the page showed."""


@router.get("/settings")
async def first(request: Request, visitor: Somebody) -> Response:
    """To the first page of the settings that there is for whoever asks."""
    return go_to(request, "/settings/shops" if visitor.shop is None and visitor.may(OPERATOR) else "/settings/shop")


@router.get("/settings/shop")
async def shop(request: Request, visitor: Owner) -> Response:
    """The form."""
    kept = await read_shop(request, visitor)
    return await form_of(request, visitor, kept, shown(kept.settings))


@router.post("/settings/shop")
async def save(request: Request, visitor: Owner, sent: Posted) -> Response:
    """Save what was changed; where somebody was faster, show both."""
    if not ETAG.fullmatch(sent.one("version")):
        raise Problem(422, "invalid-request", "The form does not say which version of the settings it is about.")
    typed, was = typed_in(sent), {name: sent.one(WAS + name).replace("\r\n", "\n") for name in FIELDS}
    mine = {name: text for name, text in typed.items() if text != was[name].strip()}
    values, wrong = read(typed)
    kept = await read_shop(request, visitor)
    if wrong:
        tried = Tried("save", sent, reason="wrong-fields", fields=wrong)
        return await form_of(request, visitor, kept, typed, tried=tried, was=was, version=sent.one("version"))
    if not mine:
        return go_to(request, "/settings/shop?done=nothing")
    put = {*mine, "total_tolerance"} if "currency" in mine else mine
    try:
        await put_shop(request, visitor, kept.settings | {name: values[name] for name in put}, sent.one("version"))
    except Refusal as no:
        return await again(request, visitor, sent, kept, (typed, was, mine), no)
    changed = {name: [was[name], text] for name, text in mine.items()}
    await write_down(request, visitor, str(kept.settings["shop"]), "shop", Done("shop-changed", what=changed))
    return go_to(request, "/settings/shop?done=saved")


async def again(
    request: Request,
    visitor: Visitor,
    sent: Form,
    kept: Kept,
    texts: tuple[Mapping[str, str], Mapping[str, str], Mapping[str, str]],
    no: Refusal,
) -> Response:
    """The form with what was typed; what others have changed stands where it was left as it was."""
    typed, was, mine = texts
    tried = refused(no, "save", sent)
    if no.reason == "unknown-vat-country":
        tried = Tried("save", sent, reason="wrong-fields", fields=frozenset({"vat_country"}))
    if no.status != CONFLICT:
        if tried.reason == "invalid-request" and tried.fields & FIELDS.keys():
            tried = Tried("save", sent, reason="wrong-fields", fields=tried.fields)
        return await form_of(
            request, visitor, kept, typed, tried=tried, was=was, version=sent.one("version"), status=no.status
        )
    now = shown(kept.settings)
    theirs = {name: now[name] for name in FIELDS if now[name].strip() != was[name].strip()}
    changes = await since(request, str(kept.settings["shop"]), sent, OF_THE_SHOP)
    tried = Tried("save", sent, reason="version-conflict", changes=changes)
    return await form_of(request, visitor, kept, {**now, **mine}, tried=tried, theirs=theirs, status=CONFLICT)


async def form_of(
    request: Request,
    visitor: Visitor,
    kept: Kept,
    typed: Mapping[str, str],
    *,
    tried: Tried | None = None,
    was: Mapping[str, str] | None = None,
    theirs: Mapping[str, str] | None = None,
    version: str = "",
    status: int = 422,
) -> Response:
    """The page; `was` is what the form began with, where that is not what the shop has now."""
    said: dict[str, Any] = {
        "groups": [(group, [field for field in FIELDS.values() if field.group == group]) for group in GROUPS],
        "values": typed,
        "was": was or shown(kept.settings),
        "theirs": theirs or {},
        "version": version or kept.etag,
        "zones": ZONES,
        "currencies": CURRENCIES,
        "shop_name": kept.settings["name"],
    }
    return await show(
        request,
        visitor,
        "shop",
        shop=str(kept.settings["shop"]),
        time_zone=kept.time_zone,
        tried=tried,
        status=status if tried else 200,
        **said,
    )

"""The shops of the platform and what each has switched on (R082), for operators alone; here new ones are made."""

import re
from collections.abc import Mapping
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from services.backoffice.administration.fields import CURRENCIES, FIELDS, ZONES, read, typed_in
from services.backoffice.administration.frame import NotSo, Operator, Tried, refused, show, since, write_down
from services.backoffice.administration.history import Done
from services.backoffice.orders import ORDERS
from services.backoffice.others import Refusal
from services.backoffice.sessions import Visitor
from services.backoffice.visiting import Form, Posted, go_to, others_of
from shared.runtime.actors import is_shop
from shared.runtime.problems import Problem

router = APIRouter(include_in_schema=False)
FEATURE = re.compile(r"[\x21-\x7e]{1,128}")
NEW = ("name", "email", "languages", "time_zone", "currency", "vat_country")
"""What a new shop says of itself; the rest is as every shop begins, and its own to change."""
BEGINS = {
    "name": "",
    "email": "",
    "languages": "sv,fi,en",
    "time_zone": "Europe/Stockholm",
    "currency": "SEK",
    "vat_country": "SE",
}
CONFLICT, NOT_THERE = 412, 404


@router.get("/settings/shops")
async def shops(request: Request, visitor: Operator, *, edit: Annotated[str, Query(max_length=63)] = "") -> Response:
    """All shops with their features; `edit` opens those of one."""
    return await drawn(request, visitor, edit=edit)


@router.post("/settings/shops")
async def change(request: Request, visitor: Operator, sent: Posted) -> Response:
    """Make a shop, or switch features on and off."""
    do, about = sent.one("do"), sent.one("about").strip()
    if do not in {"make", "features"}:
        raise Problem(422, "invalid-request", "There is no such thing to do.")
    try:
        await (make(request, visitor, sent, about) if do == "make" else features(request, visitor, sent, about))
    except NotSo as no:
        tried = Tried(do, sent, about, no.reason, "", no.fields)
        return await drawn(request, visitor, edit=about if do == "features" else "", tried=tried)
    except Refusal as no:
        tried = refused(no, do, sent, about)
        if no.status == CONFLICT:
            changes = await since(request, about, sent)
            tried = Tried(do, sent, about, "version-conflict", changes=changes)
        edit = about if do == "features" else ""
        return await drawn(request, visitor, edit=edit, tried=tried, status=no.status)
    return go_to(request, f"/settings/shops?done={do}#shop-{about}")


async def make(request: Request, visitor: Visitor, sent: Form, name: str) -> None:
    """A new shop, where there is none of this name. Raises NotSo, Refusal, Away."""
    typed = {field: text for field, text in typed_in(sent).items() if field in NEW}
    values, wrong = read(typed)
    wrong |= frozenset() if is_shop(name) else {"about"}
    if wrong:
        raise NotSo("wrong-fields", *wrong)
    try:
        await others_of(request).get(ORDERS, path_of(name), visitor)
    except Refusal as no:
        if no.status != NOT_THERE:
            raise
    else:
        raise NotSo("shop-there", "about")
    await others_of(request).put(ORDERS, path_of(name), visitor, values)
    await write_down(request, visitor, name, "shops", Done("shop-made", name, {"name": values["name"]}))


async def features(request: Request, visitor: Visitor, sent: Form, name: str) -> None:
    """Exactly these are on. Raises NotSo, Refusal, Away."""
    more = sent.one("more").replace(",", " ").split()
    wanted = sorted({*sent.all("feature"), *more})
    if not all(FEATURE.fullmatch(each) for each in wanted):
        raise NotSo("wrong-feature", "more")
    answer = await others_of(request).get(ORDERS, path_of(name), visitor)
    before = sorted(answer.body["features"])
    if before == wanted:
        return
    body = {field: value for field, value in answer.body.items() if field != "shop"} | {"features": wanted}
    seen = sent.one("version") if re.fullmatch(r'"[0-9a-f]{16}"', sent.one("version")) else answer.etag
    await others_of(request).put(ORDERS, path_of(name), visitor, body, seen=seen)
    what = {"on": [each for each in wanted if each not in before], "off": [e for e in before if e not in wanted]}
    await write_down(request, visitor, name, "shops", Done("features-changed", name, what))


def path_of(shop: str) -> str:
    """Where a shop is at orders."""
    return f"/v1/shops/{quote(shop, safe='')}"


async def drawn(
    request: Request, visitor: Visitor, *, edit: str = "", tried: Tried | None = None, status: int = 422
) -> Response:
    """The page; the shop that is changed is read anew, for its version."""
    found: list[Mapping[str, Any]] = (await others_of(request).get(ORDERS, "/v1/shops", visitor)).body["shops"]
    version, typed = "", typed_in(tried.form) if tried and tried.do == "make" else BEGINS
    if edit in {each["shop"] for each in found}:
        version = (await others_of(request).get(ORDERS, path_of(edit), visitor)).etag
    return await show(
        request,
        visitor,
        "shops",
        time_zone=next((each["time_zone"] for each in found if each["shop"] == visitor.shop), "UTC"),
        status=status if tried else 200,
        tried=tried,
        shops=found,
        every_feature=sorted({feature for each in found for feature in each["features"]}),
        fields=[FIELDS[name] for name in NEW],
        begins=typed,
        zones=ZONES,
        currencies=CURRENCIES,
        edit=edit,
        version=version,
    )

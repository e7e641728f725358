"""What all pages of the settings share: their menu, how a refusal stands at its form, and the history below."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any

from fastapi import Depends, Request
from starlette.responses import Response

from services.backoffice.administration.history import SHOWN, Change, Done, changes, latest, note
from services.backoffice.orders import shop_of
from services.backoffice.others import Refusal, or_away
from services.backoffice.sessions import Visitor
from services.backoffice.visiting import Form, is_part, looks_of, others_of, page, somebody, who_may
from shared.runtime.database import connected, transaction
from shared.runtime.problems import Problem
from shared.runtime.tokens import OPERATOR

AREAS: Mapping[str, str] = {
    "shop": "shop:write",
    "statuses": "shop:write",
    "folders": "shop:write",
    "people": "users:write",
    "tokens": "tokens:write",
    "shops": OPERATOR,
}
"""The pages of the settings, in the order of their menu, and the scope that each needs."""
OF_THE_SHOP = ("shop", "statuses", "folders", "shops")
"""Whose changes give the shop's settings another version."""

Owner = Annotated[Visitor, Depends(who_may("shop:write"))]
KeeperOfPeople = Annotated[Visitor, Depends(who_may("users:write"))]
KeeperOfTokens = Annotated[Visitor, Depends(who_may("tokens:write"))]


async def operator(visitor: Annotated[Visitor, Depends(somebody)]) -> Visitor:
    """An operator of the platform, in a shop or in none; 403 for others."""
    if not visitor.may(OPERATOR):
        raise Problem(403, "not-your-role", "Your role in this shop does not include that.")
    return visitor


Operator = Annotated[Visitor, Depends(operator)]


class NotSo(ValueError):
    """What was asked for cannot be; `reason` is a stable word, `fields` are those that are to blame."""

    def __init__(self, reason: str, *fields: str, conflict: bool = False) -> None:
        super().__init__(reason)
        self.reason, self.fields, self.conflict = reason, frozenset(fields), conflict


@dataclass(frozen=True)
class Tried:
    """A form that came and was not done: what it was about, why not, and what others did meanwhile."""

    do: str
    form: Form
    about: str = ""
    reason: str = ""
    detail: str = ""
    fields: frozenset[str] = frozenset()
    changes: Sequence[Change] = field(default=())

    def typed(self, name: str) -> str:
        """What a field had."""
        return self.form.one(name)


def refused(refusal: Refusal, do: str, form: Form, about: str = "") -> Tried:
    """What another service refused, with the fields that it names."""
    errors = refusal.document.get("errors")
    faults = [each for each in errors if isinstance(each, dict)] if isinstance(errors, list) else []
    places = [str(each.get("pointer", "")).removeprefix("#/").split("/") for each in faults]
    said = [refusal.detail, *(f"{each.get('pointer')}: {each.get('detail')}" for each in faults)]
    fields = frozenset(steps[0] for steps in places if steps[0])
    return Tried(do, form, about, refusal.reason, "; ".join(filter(None, said)), fields)


async def show(
    request: Request,
    visitor: Visitor,
    area: str,
    *,
    shop: str | None = None,
    time_zone: str = "UTC",
    status: int = 200,
    tried: Tried | None = None,
    headers: Mapping[str, str] | None = None,
    **said: Any,
) -> Response:
    """A page of the settings; its history is that of the shop, or of all where none is said."""
    async with connected(request.app.state.pool) as connection:
        history = await changes(connection, shop, [area])
        seen = await latest(connection, shop) if shop else 0
    return page(
        request,
        f"settings-{area}.html",
        status=status,
        headers=headers,
        time_zone=time_zone,
        area=area,
        areas=[name for name, scope in AREAS.items() if visitor.may(scope) and (visitor.shop or name == "shops")],
        history=history,
        longest=SHOWN,
        seen=seen,
        tried=tried,
        done=request.query_params.get("done", "") if request.method == "GET" else "",
        known=looks_of(request).texts["en"].keys(),
        part=is_part(request),
        **said,
    )


async def zone_of(request: Request, visitor: Visitor) -> str:
    """The shop's time zone, as far as it can be had now."""
    try:
        shop = await or_away(shop_of(others_of(request), visitor))
    except Refusal:
        shop = None
    return shop.time_zone if shop else "UTC"


async def write_down(request: Request, visitor: Visitor, shop: str, area: str, *done: Done) -> None:
    """Put what was done into the history."""
    async with transaction(request.app.state.pool) as connection:
        await note(connection, visitor, shop, area, done)


async def since(request: Request, shop: str, form: Form, areas: Sequence[str] = OF_THE_SHOP) -> list[Change]:
    """What others have changed since the page was made that the form stood on."""
    said = form.one("history")
    if not (said.isascii() and said.isdecimal() and len(said) < 19):  # noqa: PLR2004 - fits into 64 bits
        return []
    async with connected(request.app.state.pool) as connection:
        return await changes(connection, shop, areas, since=int(said), most=10)

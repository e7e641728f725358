"""What the shop has connected, how it is and what to do about it; a person has one checked, and is told how it was."""

import asyncio
from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Request
from starlette.responses import Response

from services.backoffice.connections import Check, check_connection, connections_of
from services.backoffice.orders import shop_of
from services.backoffice.others import Away, Others, Refusal, or_away
from services.backoffice.sessions import Visitor
from services.backoffice.visiting import Posted, Watching, go_to, is_part, looks_of, others_of, page, who_may
from shared.runtime.problems import Problem

router = APIRouter(prefix="/settings/connections", include_in_schema=False)
NOTHING_NEW = 204
OTHERWISE_CALLED = {"sealing-key-missing": "connection-unreadable"}
"""What orders says of a personal number, integrations says of a connection."""

Reader = Annotated[Visitor, Depends(who_may("connections:read"))]
Checker = Annotated[Visitor, Depends(who_may("connections:write"))]
Kind = Annotated[str, Path(pattern="^[a-z-]{1,30}$")]


@dataclass(frozen=True)
class Tried:
    """A check that somebody asked for: how it was, or why there was none."""

    kind: str
    check: Check | None = None
    reason: str = ""
    wait: int = 0


@router.get("")
async def connections(request: Request, visitor: Reader) -> Response:
    """Every kind of connection, whether the shop has it or not."""
    return await show(request, visitor)


@router.get("/live")
async def live(request: Request, visitor: Watching, known: Annotated[str, Query(max_length=64)] = "") -> Response:
    """The same as it is now, for a page that is open; nothing where that is what it shows."""
    if not visitor.may("connections:read"):
        raise Problem(403, "not-your-role", "Your role in this shop does not include that.")
    return await show(request, visitor, known=known)


@router.get("/{kind}/check")
async def again(request: Request, _visitor: Reader, kind: Kind) -> Response:
    """Whoever reloads the page that a check had led to gets the page."""
    return go_to(request, f"/settings/connections#{kind}")


@router.post("/{kind}/check")
async def check(request: Request, visitor: Checker, _sent: Posted, kind: Kind) -> Response:
    """Ask the provider now, and show how it answered beside its connection."""
    return await show(request, visitor, tried=await try_it(others_of(request), visitor, kind))


async def try_it(others: Others, visitor: Visitor, kind: str) -> Tried:
    """How the check went, whatever it was."""
    try:
        return Tried(kind, await check_connection(others, visitor, kind))
    except Refusal as refusal:
        return Tried(kind, reason=refusal.reason, wait=refusal.wait)
    except Away as away:
        return Tried(kind, reason=OTHERWISE_CALLED.get(away.reason, "unavailable"))


async def show(request: Request, visitor: Visitor, *, tried: Tried | None = None, known: str = "") -> Response:
    """The page, or for htmx its inside; the same status whatever came of a check: the answer is the page."""
    others = others_of(request)
    shop, found = await asyncio.gather(or_away(shop_of(others, visitor)), or_away(connections_of(others, visitor)))
    tag = found.tag if found else "away"
    if known == tag:
        return Response(status_code=NOTHING_NEW)
    return page(
        request,
        "connections-inside.html" if is_part(request) else "connections.html",
        time_zone=shop.time_zone if shop else "UTC",
        shop=shop,
        found=found,
        tag=tag,
        tried=tried,
        known=looks_of(request).texts["en"].keys(),
    )

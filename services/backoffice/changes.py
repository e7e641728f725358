"""What pages ask by themselves: whether there is news, and only the rows or the words that are new."""

import asyncio
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from services.backoffice.live import Live
from services.backoffice.order_list import found_for, listed
from services.backoffice.order_sheet import PERSON, log_of, names_of
from services.backoffice.orders import OrderPage, list_of, shop_of
from services.backoffice.sessions import Visitor
from services.backoffice.visiting import Watching, language_of, others_of, page, read_cookie, sessions_of
from services.backoffice.wanted import Wanted
from shared.runtime.event_stream import EventStream
from shared.runtime.problems import AWAY

router = APIRouter(include_in_schema=False)
MOST_ROWS = 12
"""So many rows are asked for one by one; of more the whole list is."""
AT_ONCE = 6
NOTHING_NEW = 204
PEOPLE = (PERSON, "token/")
"""What is done in their name is somebody's doing; everything else services do by themselves."""


@router.get("/changes")
async def changes(request: Request, visitor: Watching, order: UUID | None = None) -> Response:
    """Server-sent events: `again`, `order` and `stale`, as orders says them, of the shop or of one order."""
    live: Live = request.app.state.live
    listener = live.listen(visitor, str(order) if order else "")
    return EventStream(
        listener.outlet,
        may_go_on=lambda: still_here(request, visitor),
        left=lambda: live.leave(listener),
        every=live.look_every,
    )


async def still_here(request: Request, visitor: Visitor) -> bool:
    """Whether they have not signed out, nor gone to another shop; while the database is away nobody has."""
    try:
        now = await sessions_of(request).find(read_cookie(request, "session"), used=False)
    except AWAY:
        return True
    return now is not None and now.shop == visitor.shop and now.may("orders:read")


@router.get("/orders/live")
async def rows(
    request: Request,
    visitor: Watching,
    row: Annotated[list[int] | None, Query(max_length=MOST_ROWS)] = None,
    known: Annotated[str, Query(max_length=64)] = "",
    *,
    new: bool = False,
) -> Response:
    """The rows of these numbers as they are now, or all of the list where it is not the one that is `known`."""
    wanted = Wanted.of(request.query_params.multi_items())
    shop, (found, ids) = await asyncio.gather(
        shop_of(others_of(request), visitor),
        some_rows(request, visitor, wanted, row or [], new=new) if row or new else whole_list(request, visitor, wanted),
    )
    if found.tag and found.tag == known:
        return Response(status_code=NOTHING_NEW)
    said: dict[str, Any] = listed(request, wanted, shop, found) | {"ids": ids}
    return page(request, "list-live.html", time_zone=shop.time_zone, **said)


async def whole_list(request: Request, visitor: Visitor, wanted: Wanted) -> tuple[OrderPage, list[str]]:
    """The list as it is wanted, and which orders stand on its first page."""
    found = await found_for(request, visitor, wanted)
    return found, [] if wanted.one("after") else [order.id for order in found.orders]


async def some_rows(
    request: Request, visitor: Visitor, wanted: Wanted, numbers: list[int], *, new: bool
) -> tuple[OrderPage, list[str]]:
    """Orders by their numbers, whether the list still wants them or not; with `new` what its first page has."""
    hands = asyncio.Semaphore(AT_ONCE)

    async def one(number: int) -> OrderPage:
        async with hands:
            asked = [("number_from", str(number)), ("number_to", str(number)), ("limit", "1")]
            return await list_of(others_of(request), visitor, asked)

    first = wanted.one("after") or not new
    pages, listed_now = await asyncio.gather(
        asyncio.gather(*map(one, numbers)),
        nobody() if first else found_for(request, visitor, wanted),
    )
    orders = [order for each in pages for order in each.orders]
    return OrderPage(orders=orders, next=None), [order.id for order in listed_now.orders]


async def nobody() -> OrderPage:
    """No orders."""
    return OrderPage(orders=[], next=None)


@router.get("/orders/{order_id}/news")
async def news(
    request: Request, visitor: Watching, order_id: UUID, seen: Annotated[int, Query(ge=0, le=2**62)] = 0
) -> Response:
    """Who has changed the order since its log was seen so far; what services did is only said to be there."""
    language = language_of(request)
    others = others_of(request)
    entries = await log_of(others, visitor, str(order_id), language, after=seen)
    if not entries:
        return Response(status_code=NOTHING_NEW)
    shop = await shop_of(others, visitor)
    last = next((entry for entry in entries[::-1] if entry.kind == "order" and entry.actor.startswith(PEOPLE)), None)
    names = await names_of(request.app.state.pool, {last.actor} if last else set())
    return page(
        request,
        "order-news.html",
        time_zone=shop.time_zone,
        last=last,
        who=names.get(last.actor, "") if last else "",
        order_id=order_id,
    )

"""An order's log as its shop reads it: what every service did, what can be done about it, and whether it is intact."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request, Response

from services.orders import examples
from services.orders.answers import RefusingRoute
from services.orders.asking import UNKNOWN, reader
from services.orders.log_answers import LogVerified, TimelinePage, entry_answer, ways_out
from services.orders.repository import currency_of, require_log, shop_of
from services.orders.sentences import Sentences, labels
from services.orders.timeline import read_page, verified
from shared.contracts.values import Identifier, Language
from shared.runtime.database import connected
from shared.runtime.tokens import Caller

router = APIRouter(prefix="/v1/orders/{order_id}/log", tags=["orders"], route_class=RefusingRoute)


@router.get(
    "",
    summary="Read an order's log",
    responses={200: {"model": TimelinePage, "content": examples.LOG}, 404: UNKNOWN},
)
async def read_log(
    request: Request,
    caller: Annotated[Caller, Depends(reader)],
    order_id: UUID,
    *,
    after: Annotated[int, Query(ge=0, le=2**62, description="The last place that was seen.")] = 0,
    limit: Annotated[int, Query(ge=1, le=500, description="At most so many entries.")] = 100,
    types: Annotated[
        list[Identifier] | None, Query(alias="type", max_length=20, description="Only entries of these types.")
    ] = None,
    language: Annotated[Language | None, Query(description="Say each entry in words, as `text`.")] = None,
) -> Response:
    """What every service did to the order, in the order in which it was recorded; with `repairs` where it needs a hand.

    An order that was lost in a restore has its log still, or again.
    """
    async with connected(request.app.state.pool) as connection:
        await require_log(connection, order_id, caller.shop)
        page = await read_page(connection, order_id, caller.shop, after=after, types=types, limit=limit)
        ways = await ways_out(connection, order_id, caller.shop, [entry for _, entry in page.entries])
        sentences = None
        if language is not None:
            shop = await shop_of(connection, caller.shop)
            currency = await currency_of(connection, order_id) or shop.settings.currency
            sentences = Sentences(language, shop.settings, currency)
    names = labels(language) if language else None
    body = TimelinePage(
        entries=[
            entry_answer(n, entry, sentences.of(entry) if sentences else None, ways.get(entry.id, ()), names)
            for n, entry in page.entries
        ],
        after=page.entries[-1][0] if page.entries else after,
        more=page.more,
    )
    return Response(body.model_dump_json(), media_type="application/json")


@router.get(
    "/verify",
    summary="Verify an order's log",
    responses={200: {"model": LogVerified, "content": examples.VERIFIED}, 404: UNKNOWN},
)
async def verify_log(request: Request, caller: Annotated[Caller, Depends(reader)], order_id: UUID) -> Response:
    """Whether every entry is what was recorded, and where not, which is the first (R206)."""
    async with connected(request.app.state.pool) as connection:
        await require_log(connection, order_id, caller.shop)
        found = await verified(connection, order_id, caller.shop)
    body = LogVerified(
        intact=found.broken is None, entries=found.entries, first_broken=found.broken, entry_id=found.entry_id
    )
    return Response(body.model_dump_json(), media_type="application/json")

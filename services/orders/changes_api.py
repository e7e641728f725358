"""Live changes: which orders are worth reading again, as server-sent events; reading is never replaced by them."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request, Response

from services.orders.answers import RefusingRoute
from services.orders.asking import UNKNOWN, reader
from services.orders.live import AGAIN, STALE, Live
from services.orders.repository import require_log
from shared.runtime.database import connected
from shared.runtime.event_stream import MEDIA_TYPE, EventStream, event
from shared.runtime.openapi import problem_response
from shared.runtime.tokens import Caller, still_allowed

router = APIRouter(prefix="/v1/changes", tags=["orders"], route_class=RefusingRoute)

CHANGED = event(
    "order",
    {
        "id": "01a213cc-0338-7a51-9c3e-5f0b7d2a1e44",
        "version": 2,
        "what": "order.processed.v1",
        "at": "2026-11-25T17:41:08.161204+00:00",
    },
)
STREAM: dict[str, Any] = {
    "description": "A stream without end.",
    "content": {
        MEDIA_TYPE: {"schema": {"type": "string"}, "example": b"".join([AGAIN, CHANGED, STALE, AGAIN]).decode()}
    },
}
TOO_MANY = problem_response("429", "too-many-streams", "The shop listens too often already.")


@router.get(
    "",
    status_code=200,
    summary="Listen for changes",
    response_class=EventStream,
    responses={200: STREAM, 404: UNKNOWN, 429: TOO_MANY},
)
async def listen(
    request: Request,
    caller: Annotated[Caller, Depends(reader)],
    order: Annotated[UUID | None, Query(description="Only changes of this order.")] = None,
) -> Response:
    """Server-sent events that say what to read again; what it is now they never tell.

    `again`: from here on every change is said, read now what you show. `order`: this order, or its log, has changed;
    `what` is the type of the latest event or entry, `version` the order's where it is known. An order is named at most
    ten times a second, the last change always. `stale`: changes are not heard now; `again` follows. Who reads too
    slowly hears `again` instead of what it has missed. A line of comment comes at least every 15 seconds.
    """
    live: Live = request.app.state.live
    if order is not None:
        async with connected(request.app.state.pool) as connection:
            await require_log(connection, order, caller.shop)
    listener = live.listen(caller.shop, order)
    return EventStream(
        listener.outlet,
        may_go_on=lambda: still_allowed(request, "orders:read"),
        left=lambda: live.leave(listener),
        every=live.look_every,
    )

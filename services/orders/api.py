"""The public API for shop fronts and pages: every answer is about the caller's own shop; a foreign order is unknown."""

import json
from dataclasses import asdict
from functools import cache
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel

from services.orders import examples
from services.orders.answers import (
    Comment,
    Comments,
    ConfirmationAsked,
    DocumentAsked,
    PlacedOrder,
    PossibleAction,
    PossibleActions,
    Promises,
    RefusingRoute,
    confirmation_answer,
    document_answer,
    etag_of,
    placed_answer,
    promises_answer,
)
from services.orders.asking import ETAG, UNKNOWN, handled, placed, reader, writer
from services.orders.domain.allowed import possible
from services.orders.number_api import OrderShown, OrderToPlace, with_number
from services.orders.personal_numbers import Holder, PersonalNumbers
from services.orders.promises import promises_of
from services.orders.repository import comments_of, find_order, require_log, shop_of
from shared.contracts.asyncapi import asyncapi_document
from shared.contracts.files import DocumentKind
from shared.contracts.order_commands import PrintDocument, ResendConfirmation
from shared.contracts.values import Language
from shared.runtime.bodies import json_body
from shared.runtime.database import connected
from shared.runtime.idempotency import IdempotencyKey
from shared.runtime.openapi import leads_to, problem_response
from shared.runtime.tokens import Caller

documents = APIRouter(tags=["documents"])
router = APIRouter(prefix="/v1/orders", tags=["orders"], route_class=RefusingRoute)

TAKEN = problem_response("409", "order-id-taken", "The order id cannot be used.")
REFUSED = problem_response("422", "order-too-large", "The order is too large.", description="Not valid, or refused.")
BELOW = leads_to("/v1/orders/{order_id}", order_id="$response.body#/id")
LOCATION = {"Location": {"schema": {"type": "string"}, "description": "Where it can be looked at."}}


class Again(BaseModel):
    """Which order the confirmation shall show: as it was placed, or with its later changes."""

    content: Literal["as-then", "as-now"] = "as-then"


class Paper(BaseModel):
    """Which document, and in which language; the order's own where it is absent."""

    document: DocumentKind
    language: Language | None = None


@router.post(
    "",
    status_code=201,
    summary="Place an order",
    responses={
        201: {
            "model": PlacedOrder,
            "description": "The order was accepted; its events are on their way.",
            "content": examples.PLACED,
            "headers": LOCATION | ETAG,
        }
        | BELOW,
        200: {
            "model": PlacedOrder,
            "description": "The shop has placed this order before; nothing was changed.",
            "content": examples.PLACED,
            "headers": LOCATION | ETAG,
        }
        | BELOW,
        409: TAKEN,
        422: REFUSED,
    },
    openapi_extra={"requestBody": {"content": examples.TO_PLACE}},
)
async def place(
    request: Request,
    caller: Annotated[Caller, Depends(writer)],
    key: IdempotencyKey,
    wanted: Annotated[OrderToPlace, Depends(json_body(OrderToPlace))],
) -> Response:
    """Accept a confirmed cart. `order_id` is the caller's own UUID and makes the order idempotent for ever.

    Amounts are whole minor units. The order's totals are computed here; a `total` of the shop front that differs is
    kept beside ours and flagged, never refused. A line says its `vat_rate`, or a `vat_class` of the shop's country
    (`GET /v1/vat-rates`), which has its rate on the day of the order; where both are there the rate stands.
    """
    if wanted.personal_identity_number is not None:
        number = wanted.personal_identity_number
        return await placed(request, caller, key, wanted.command(), number, placed_answer)
    return await handled(request, caller, key, wanted.command(), placed_answer)


@router.get(
    "/{order_id}",
    summary="Read an order",
    responses={200: {"model": OrderShown, "content": examples.ORDER, "headers": ETAG}, 404: UNKNOWN},
)
async def read(request: Request, caller: Annotated[Caller, Depends(reader)], order_id: UUID) -> Response:
    """The order as it is now; its version is the ETag.

    The personal identity number is masked, and there only where the order has one.
    """
    numbers: PersonalNumbers = request.app.state.personal_numbers
    async with connected(request.app.state.pool) as connection:
        order = await find_order(connection, order_id, caller.shop)
        number = await numbers.shown(connection, Holder(order_id, caller.shop))
    body = with_number(order.now, number)
    return Response(body, headers={"ETag": etag_of(order)}, media_type="application/json")


@router.get(
    "/{order_id}/promises",
    summary="Read what is expected of others",
    responses={200: {"model": Promises, "content": examples.PROMISES}, 404: UNKNOWN},
)
async def read_promises(request: Request, caller: Annotated[Caller, Depends(reader)], order_id: UUID) -> Response:
    """What other services are expected to do for the order, and whether each has happened."""
    async with connected(request.app.state.pool) as connection:
        await require_log(connection, order_id, caller.shop)
        found = await promises_of(connection, order_id, caller.shop)
    return Response(promises_answer(found).model_dump_json(), media_type="application/json")


@router.get(
    "/{order_id}/actions",
    summary="Read what can be done",
    responses={200: {"model": PossibleActions, "content": examples.ACTIONS}, 404: UNKNOWN},
)
async def read_actions(request: Request, caller: Annotated[Caller, Depends(reader)], order_id: UUID) -> Response:
    """What can be done with the order now, and why not the rest; what connected systems do names them (R075)."""
    async with connected(request.app.state.pool) as connection:
        order = await find_order(connection, order_id, caller.shop)
        shop = await shop_of(connection, caller.shop)
    found = [PossibleAction(**asdict(each)) for each in possible(order, shop)]
    answer = PossibleActions(version=order.now.version, actions=found).model_dump_json()
    return Response(answer, headers={"ETag": etag_of(order)}, media_type="application/json")


@router.get(
    "/{order_id}/comments",
    summary="Read internal comments",
    responses={200: {"model": Comments, "content": examples.COMMENTS}, 404: UNKNOWN},
)
async def read_comments(request: Request, caller: Annotated[Caller, Depends(reader)], order_id: UUID) -> Response:
    """What people have written inside the order (R065); what was deleted stays, and says by whom (R066)."""
    async with connected(request.app.state.pool) as connection:
        await require_log(connection, order_id, caller.shop)
        found = await comments_of(connection, order_id, caller.shop)
    comments = [Comment(**{name: row[name] for name in Comment.model_fields}) for row in found]
    return Response(Comments(comments=comments).model_dump_json(), media_type="application/json")


@router.post(
    "/{order_id}/confirmation",
    status_code=202,
    summary="Send the order confirmation again",
    responses={202: {"model": ConfirmationAsked, "content": examples.ASKED, "headers": LOCATION}, 404: UNKNOWN},
    openapi_extra={"requestBody": {"content": examples.AGAIN}},
)
async def confirm_again(
    request: Request,
    caller: Annotated[Caller, Depends(writer)],
    key: IdempotencyKey,
    order_id: UUID,
    wanted: Annotated[Again, Depends(json_body(Again))],
) -> Response:
    """Ask for the confirmation to be sent to the customer again; the order's log says when it was."""
    command = ResendConfirmation(order_id=order_id, content=wanted.content)
    return await handled(request, caller, key, command, lambda order, _: confirmation_answer(order, wanted.content))


@router.post(
    "/{order_id}/documents",
    status_code=202,
    summary="Print a document of an order",
    responses={202: {"model": DocumentAsked, "content": examples.PRINTING, "headers": LOCATION}, 404: UNKNOWN},
    openapi_extra={"requestBody": {"content": examples.TO_PRINT}},
)
async def print_document(
    request: Request,
    caller: Annotated[Caller, Depends(writer)],
    key: IdempotencyKey,
    order_id: UUID,
    wanted: Annotated[Paper, Depends(json_body(Paper))],
) -> Response:
    """Ask for an order print, a delivery note or a pick list; the order's log says when it is there, and where."""
    command = PrintDocument(order_id=order_id, document=wanted.document, language=wanted.language)
    return await handled(request, caller, key, command, lambda order, _: document_answer(order, command))


@cache
def asyncapi_text() -> str:
    """The document as JSON; it takes a good part of a second to write and stays the same."""
    return json.dumps(asyncapi_document(), ensure_ascii=False)


@documents.get("/asyncapi.json", summary="Read the AsyncAPI document", response_model=dict[str, Any])
async def asyncapi() -> Response:
    """Every topic and message of the system, as an AsyncAPI 3 document."""
    return Response(asyncapi_text(), media_type="application/json")

"""An order's page, where one person handles one order from top to bottom, and what it opens."""

from typing import Annotated
from urllib.parse import quote
from uuid import UUID

from fastapi import APIRouter, Path, Query, Request
from starlette.responses import Response

from services.backoffice.order_sheet import WholeMessage, log_of, read_sheet
from services.backoffice.order_show import Asked, show
from services.backoffice.orders import ORDERS, Catalogue, ListedOrder, shop_of
from services.backoffice.visiting import AtWork, is_part, language_of, others_of, page
from shared.contracts.values import Identifier, Money
from shared.runtime.problems import Problem

router = APIRouter(include_in_schema=False)
PDF = b"%PDF-"
Word = Annotated[str, Query(max_length=200)]


@router.get("/orders/{order_id}")
async def order(
    request: Request,
    visitor: AtWork,
    order_id: Annotated[UUID, Path()],
    *,
    do: Word = "",
    line: Word = "",
    entry: Word = "",
    kind: Word = "",
    log: Word = "",
    done: Word = "",
    again: Annotated[int, Query(ge=0, le=100)] = 0,
) -> Response:
    """Everything about it; `do` opens the form of something to be done, `kind` shows the log's entries of one kind."""
    sheet = await read_sheet(others_of(request), request.app.state.pool, visitor, str(order_id), language_of(request))
    return show(
        request, visitor, sheet, Asked(do=do, line=line, entry=entry, kind=kind, log=log, done=done, again=again)
    )


@router.get("/orders/{order_id}/messages/{message}")
async def message(
    request: Request, visitor: AtWork, order_id: Annotated[UUID, Path()], message: Annotated[int, Path(ge=1, le=2**62)]
) -> Response:
    """What one mail says."""
    answer = await others_of(request).get("notifications", f"/v1/orders/{order_id}/messages/{message}", visitor)
    told = WholeMessage.model_validate_json(answer.content)
    template = "order-message-text.html" if is_part(request) else "order-message.html"
    return page(request, template, message=told, order_id=order_id)


@router.get("/orders/{order_id}/documents/{document_id}/{name}")
async def document(
    request: Request, visitor: AtWork, order_id: Annotated[UUID, Path()], document_id: Identifier, name: str
) -> Response:
    """A document that was printed of this order; its name is what a browser saves it under."""
    others = others_of(request)
    printed = await log_of(others, visitor, str(order_id), "en", "document.printed.v1")
    if document_id not in {entry.data.get("document_id") for entry in printed}:
        raise Problem(404, "unknown-document", "There is no such document.")
    answer = await others.get("documents", f"/v1/documents/{quote(document_id, safe='')}", visitor)
    if not answer.content.startswith(PDF):
        raise Problem(404, "unknown-document", "There is no such document.")
    headers = {
        "Content-Disposition": f"inline; filename*=UTF-8''{quote(name, safe='')}",
        "Cache-Control": "private, no-store",
    }
    return Response(answer.content, headers=headers, media_type="application/pdf")


@router.get("/customers/{customer_id}")
async def customer(request: Request, visitor: AtWork, customer_id: Identifier) -> Response:
    """A customer's orders, and what they come to (R112, R113)."""
    others = others_of(request)
    shop = await shop_of(others, visitor)
    told = (await others.get(ORDERS, f"/v1/customers/{quote(customer_id, safe='')}", visitor)).body
    return page(
        request,
        "order-customer.html",
        time_zone=shop.time_zone,
        shop=shop,
        catalogue=Catalogue(shop, language_of(request)),
        customer=told,
        money_of=lambda amount, currency: Money(amount=amount, currency=currency),
        orders=[ListedOrder.model_validate(each) for each in told["orders"]],
    )

"""An order's payment as callers read it: how it stands, and what has happened to it (R117, R132)."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import BaseModel, Field

from services.orders import examples
from services.orders.answers import RefusingRoute
from services.orders.asking import UNKNOWN, reader
from services.orders.log_answers import TimelineEntry, entry_answer, ways_out
from services.orders.repository import find_order, shop_of
from services.orders.sentences import Sentences, labels
from services.orders.timeline import read_payment_page
from shared.contracts.order import PaymentStatus, PaymentSums
from shared.contracts.values import Currency, Language
from shared.runtime.database import connected
from shared.runtime.tokens import Caller

router = APIRouter(prefix="/v1/orders", tags=["orders"], route_class=RefusingRoute)


class OrderPayment(BaseModel):
    """How an order is paid, how far, and what has happened to its payment."""

    method: str = Field(examples=["card"])
    name: str = Field(description="The method as the customer saw it.", examples=["Kort"])
    reference: str = Field(description="What the provider calls the payment; empty where it is at none.")
    status: PaymentStatus
    currency: Currency
    total: int = Field(description="What there is to pay, with VAT and rounding, in minor units.", examples=[17800])
    paid: PaymentSums
    events: list[TimelineEntry] = Field(description="The entries of the order's log that are about it, oldest first.")
    after: int = Field(description="The last entry's place; ask again with it for what comes later.", examples=[2])
    more: bool = Field(description="Whether there are more already.")


@router.get(
    "/{order_id}/payment",
    summary="Read how an order is paid",
    responses={200: {"model": OrderPayment, "content": examples.PAYMENT}, 404: UNKNOWN},
)
async def read_payment(
    request: Request,
    caller: Annotated[Caller, Depends(reader)],
    order_id: UUID,
    *,
    after: Annotated[int, Query(ge=0, le=2**62, description="The last place that was seen.")] = 0,
    limit: Annotated[int, Query(ge=1, le=500, description="At most so many events.")] = 100,
    language: Annotated[Language | None, Query(description="Say each event in words, as `text`.")] = None,
) -> Response:
    """Method, status and sums, and what the customer, the shop, the provider and we have done about it."""
    async with connected(request.app.state.pool) as connection:
        now = (await find_order(connection, order_id, caller.shop)).now
        page = await read_payment_page(connection, order_id, caller.shop, after=after, limit=limit)
        ways = await ways_out(connection, order_id, caller.shop, [entry for _, entry in page.entries])
        shop = await shop_of(connection, caller.shop)
    names = None if language is None else labels(language)
    sentences = None if language is None else Sentences(language, shop.settings, now.currency)
    body = OrderPayment(
        method=now.payment.method,
        name=now.payment.name,
        reference=now.payment.reference,
        status=now.payment_status,
        currency=now.currency,
        total=now.totals.to_pay.amount,
        paid=now.paid,
        events=[
            entry_answer(n, entry, sentences.of(entry) if sentences else None, ways.get(entry.id, ()), names)
            for n, entry in page.entries
        ],
        after=page.entries[-1][0] if page.entries else after,
        more=page.more,
    )
    return Response(body.model_dump_json(), media_type="application/json")

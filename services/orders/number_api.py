"""The customer's personal identity number, which comes and goes by HTTP only, is shown masked, and seldom whole."""

import json
from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from services.orders import examples
from services.orders.answers import RefusingRoute
from services.orders.asking import UNKNOWN, writer
from services.orders.domain.identity import masked, normal, without_numbers
from services.orders.personal_numbers import Holder, PersonalNumbers, reveals_of
from shared.contracts.order import OrderSnapshot
from shared.contracts.order_commands import PlaceOrderV2
from shared.contracts.values import Name, Personal
from shared.runtime.bodies import json_body
from shared.runtime.database import connected, transaction
from shared.runtime.masking import masked_text
from shared.runtime.openapi import problem_response
from shared.runtime.tokens import Caller, authenticated, of_one_shop

router = APIRouter(prefix="/v1/orders/{order_id}/personal-number", tags=["orders"], route_class=RefusingRoute)
reveals = APIRouter(prefix="/v1/shop", tags=["shop"], route_class=RefusingRoute)

NOT_KEPT = problem_response("422", "personal-numbers-not-kept", "Personal identity numbers are not kept here.")
NONE = problem_response("409", "no-personal-number", "The order has no personal identity number.")
LONGEST = 30


PersonalNumber = Annotated[
    str,
    Field(
        max_length=LONGEST,
        json_schema_extra={"writeOnly": True},
        description="A Swedish personnummer or samordningsnummer, of ten or twelve digits, or a Finnish henkilötunnus. "
        "It is on no topic, and shown masked.",
    ),
    AfterValidator(normal),
]
Masked = Annotated[
    str, Field(description="The date alone, all of it hidden where no key opens it.", examples=["850709-****"])
]


class OrderToPlace(PlaceOrderV2):
    """A confirmed cart, with what no record may say of the customer."""

    personal_identity_number: Personal[PersonalNumber] | None = Field(default=None, repr=False)

    def command(self) -> PlaceOrderV2:
        """The order without the number, as it goes on."""
        return self.model_copy(update={"personal_identity_number": None})


class OrderShown(OrderSnapshot):
    """The order as it is now, with what no event says of the customer."""

    personal_identity_number: Masked = ""


class Number(BaseModel):
    """The number of an order's customer."""

    model_config = ConfigDict(extra="forbid")

    personal_identity_number: PersonalNumber = Field(repr=False)


class MaskedNumber(BaseModel):
    """What is shown of it."""

    personal_identity_number: Masked


class WholeNumber(BaseModel):
    """All of it, in its normal form."""

    personal_identity_number: str = Field(examples=["19850709-9805"])


class Wanted(BaseModel):
    """Why somebody has to see it."""

    model_config = ConfigDict(extra="forbid")

    reason: Annotated[Name, Field(description="Kept for ever, beside who asked, when, and of which order.")]


class Reveal(BaseModel):
    """Somebody was shown a whole number."""

    id: UUID
    order_id: UUID
    at: datetime
    actor: str
    reason: str


class Reveals(BaseModel):
    """Some of them, the latest first."""

    reveals: list[Reveal]
    next: UUID | None = Field(description="Ask again with it as `before`; none where this is the last page.")


async def revealer(caller: Annotated[Caller, Depends(authenticated("orders:reveal"))]) -> Caller:
    """Who may see whole numbers."""
    return of_one_shop(caller)


async def auditor(caller: Annotated[Caller, Depends(authenticated("shop:audit"))]) -> Caller:
    """Who may see who has seen them."""
    return of_one_shop(caller)


@router.put(
    "",
    summary="Set the personal identity number",
    responses={200: {"model": MaskedNumber, "content": examples.MASKED_NUMBER}, 404: UNKNOWN, 422: NOT_KEPT},
    openapi_extra={"requestBody": {"content": examples.NUMBER}},
)
async def write_number(
    request: Request,
    caller: Annotated[Caller, Depends(writer)],
    order_id: UUID,
    wanted: Annotated[Number, Depends(json_body(Number))],
) -> MaskedNumber:
    """Keep the customer's number, in place of what the order had; the order and its version stay as they are."""
    numbers: PersonalNumbers = request.app.state.personal_numbers
    number = wanted.personal_identity_number
    async with transaction(request.app.state.pool) as connection:
        await numbers.keep(connection, Holder(order_id, caller.shop), number)
    return MaskedNumber(personal_identity_number=masked(number))


@router.delete("", status_code=204, summary="Forget the personal identity number", responses={404: UNKNOWN})
async def forget_number(request: Request, caller: Annotated[Caller, Depends(writer)], order_id: UUID) -> Response:
    """Forget the customer's number, where the order has one."""
    numbers: PersonalNumbers = request.app.state.personal_numbers
    async with transaction(request.app.state.pool) as connection:
        await numbers.forget(connection, Holder(order_id, caller.shop))
    return Response(status_code=204)


@router.post(
    "/reveal",
    summary="Reveal the personal identity number",
    responses={200: {"model": WholeNumber, "content": examples.WHOLE_NUMBER}, 404: UNKNOWN, 409: NONE},
    openapi_extra={"requestBody": {"content": examples.TO_REVEAL}},
)
async def reveal_number(
    request: Request,
    caller: Annotated[Caller, Depends(revealer)],
    order_id: UUID,
    wanted: Annotated[Wanted, Depends(json_body(Wanted))],
) -> Response:
    """The whole number. That you have seen it, and why, is written down before the answer, each time anew."""
    numbers: PersonalNumbers = request.app.state.personal_numbers
    holder, reason = Holder(order_id, caller.shop), masked_text(without_numbers(wanted.reason))
    async with transaction(request.app.state.pool) as connection:
        number = await numbers.reveal(connection, holder, caller.actor, reason)
    body = WholeNumber(personal_identity_number=number).model_dump_json()
    return Response(body, headers={"Cache-Control": "no-store"}, media_type="application/json")


@reveals.get(
    "/reveals",
    summary="Read who has seen personal identity numbers",
    responses={200: {"model": Reveals, "content": examples.REVEALS}},
)
async def read_reveals(
    request: Request,
    caller: Annotated[Caller, Depends(auditor)],
    before: Annotated[UUID | None, Query(description="The `next` of the page before.")] = None,
    limit: Annotated[int, Query(ge=1, le=500, description="At most so many.")] = 100,
) -> Reveals:
    """Who was shown whole numbers of the shop's customers, when, of which order and why; the latest first."""
    async with connected(request.app.state.pool) as connection:
        rows = await reveals_of(connection, caller.shop, before, limit + 1)
    page = [Reveal.model_validate(dict(row)) for row in rows[:limit]]
    return Reveals(reveals=page, next=page[-1].id if len(rows) > limit else None)


def with_number(order: OrderSnapshot, number: str | None) -> str:
    """The order as JSON, with what is shown of its customer's number, where there is one."""
    text = order.model_dump_json()
    return text if number is None else f'{text[:-1]},"personal_identity_number":{json.dumps(number)}}}'

"""Payments without an order as people see them, and what they say of one: whose it is, or that it is nobody's."""

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

import asyncpg
from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import BaseModel, Field

from services.integrations.payment import unmatched
from services.integrations.payment.messages import Said
from services.integrations.payment.unmatched import said_in, sums_of, waited
from shared.contracts.refusal import Refused
from shared.contracts.values import Name
from shared.messaging.database import Connection
from shared.runtime.bodies import json_body
from shared.runtime.database import Pool, connected, transaction
from shared.runtime.idempotency import Answer, IdempotencyKey, claimed, request_hash
from shared.runtime.openapi import problem_response
from shared.runtime.problems import Problem
from shared.runtime.tokens import Caller, authenticated, of_one_shop

router = APIRouter(prefix="/v1/payments/unmatched", tags=["payments"])

State = Literal["open", "heard", "matched", "closed"]
REFUSALS = {
    "unknown-order": (422, "There is no such order."),
    "already-matched": (409, "The payment is an order's already."),
    "other-payment": (409, "The order has another payment."),
    "other-currency": (409, "The payment is in another currency than the order."),
}
UNKNOWN = problem_response("404", "unknown-payment", "There is no such payment.")
NOT_NOW = problem_response("409", "other-payment", "The order has another payment.")
UNFIT = problem_response("422", "unknown-order", "There is no such order.", description="Not valid, or no such order.")


class ProviderMessage(BaseModel):
    """One thing that the provider said."""

    event: str = Field(description="In the provider's own words.", examples=["payment.authorized"])
    what: str | None = Field(
        description="What happened, whatever the provider calls it: `authorized`, `capture`, `refund`, `void`; none "
        "where it changes nothing here.",
        examples=["authorized"],
    )
    said_at: datetime
    heard_at: datetime
    message_id: str
    transaction_id: str
    failed: bool
    amount: int | None = Field(description="In minor units.")
    currency: str | None
    detail: str


class UnmatchedPayment(BaseModel):
    """A payment of which a provider told before its order was here."""

    id: UUID
    state: State = Field(
        description="`open`: money and no order; `heard`: nothing was paid; `matched`: its order has come, or "
        "a person said which it is; `closed`: a person said that nothing is to be done."
    )
    provider: str = Field(examples=["sandbox"])
    reference: str = Field(description="What the provider calls the payment.", examples=["pay_4b1d2c3e"])
    merchant_reference: str = Field(description="What the shop called it when it was begun.", examples=["cart-20417"])
    currency: str | None = Field(examples=["SEK"])
    authorized: int = Field(description="In minor units.", examples=[17800])
    captured: int = Field(examples=[0])
    refunded: int = Field(examples=[0])
    voided: bool = Field(description="Whether what was authorized was let go of.")
    messages: int = Field(description="How often the provider has told of it.", examples=[1])
    first_heard_at: datetime
    last_heard_at: datetime
    waited: int = Field(description="For how many seconds there was no order, or is none.", examples=[2820])
    order_id: UUID | None
    settled_at: datetime | None = Field(description="When it was matched or closed.")
    settled_by: str | None = Field(description="Who said so; `integrations`: its order came.")
    reason: str = Field(description="Why it was closed.")


class UnmatchedInFull(UnmatchedPayment):
    """The same, with what the provider said."""

    said: list[ProviderMessage]


class UnmatchedPage(BaseModel):
    """Some payments without an order, the oldest first."""

    payments: list[UnmatchedPayment]
    next: UUID | None = Field(description="Ask again with it as `after`; none where this is the last page.")


class Owner(BaseModel):
    """Whose payment it is."""

    order_id: UUID


class Closing(BaseModel):
    """Why nothing is to be done about it."""

    reason: Name


async def reader(caller: Annotated[Caller, Depends(authenticated("payments:read"))]) -> Caller:
    """Who may look at payments of one shop."""
    return of_one_shop(caller)


async def writer(caller: Annotated[Caller, Depends(authenticated("payments:write"))]) -> Caller:
    """Who may say whose payments are."""
    return of_one_shop(caller)


@router.get("", summary="List payments without an order")
async def list_unmatched(
    request: Request,
    caller: Annotated[Caller, Depends(reader)],
    *,
    state: Annotated[State, Query(description="Those that are in this state.")] = "open",
    after: Annotated[UUID | None, Query(description="The `next` of the page before.")] = None,
    limit: Annotated[int, Query(ge=1, le=200, description="At most so many.")] = 50,
) -> UnmatchedPage:
    """What was paid at a provider and belongs to no order here, oldest first; one whose order comes is `matched`."""
    async with connected(request.app.state.pool) as connection:
        rows = await unmatched.page(connection, caller.shop, state, after=after, limit=limit + 1)
    payments = [shown(row) for row in rows[:limit]]
    return UnmatchedPage(payments=payments, next=payments[-1].id if len(rows) > limit else None)


@router.get("/{payment_id}", summary="Read a payment without an order", responses={404: UNKNOWN})
async def read_unmatched(
    request: Request, caller: Annotated[Caller, Depends(reader)], payment_id: UUID
) -> UnmatchedInFull:
    """With everything that the provider said of it."""
    async with connected(request.app.state.pool) as connection:
        try:
            row = await unmatched.find(connection, caller.shop, payment_id)
        except LookupError:
            raise unknown() from None
    said = [message(each) for each in said_in(row)]
    return UnmatchedInFull(**shown(row).model_dump(), said=said)


@router.post(
    "/{payment_id}/attach",
    summary="Attach a payment to its order",
    responses={200: {"model": UnmatchedPayment}, 404: UNKNOWN, 409: NOT_NOW, 422: UNFIT},
)
async def attach(
    request: Request,
    caller: Annotated[Caller, Depends(writer)],
    key: IdempotencyKey,
    payment_id: UUID,
    owner: Annotated[Owner, Depends(json_body(Owner))],
) -> Response:
    """Say whose payment it is; the order's log says so, and everything that the provider said is the order's."""

    async def change(connection: Connection) -> asyncpg.Record:
        return await unmatched.attach(connection, caller.shop, payment_id, owner.order_id, caller.actor)

    return await changed(request, caller, key, change)


@router.post(
    "/{payment_id}/close",
    summary="Close a payment without an order",
    responses={200: {"model": UnmatchedPayment}, 404: UNKNOWN, 409: NOT_NOW},
)
async def close(
    request: Request,
    caller: Annotated[Caller, Depends(writer)],
    key: IdempotencyKey,
    payment_id: UUID,
    closing: Annotated[Closing, Depends(json_body(Closing))],
) -> Response:
    """Say that nothing is to be done about it, and why. Should its order come, it is matched all the same."""

    async def change(connection: Connection) -> asyncpg.Record:
        return await unmatched.close(connection, caller.shop, payment_id, caller.actor, closing.reason)

    return await changed(request, caller, key, change)


async def changed(
    request: Request, caller: Caller, key: str, change: Callable[[Connection], Awaitable[asyncpg.Record]]
) -> Response:
    """Does it once for each key, and answers how the payment is then."""
    pool: Pool = request.app.state.pool
    identity = request_hash(request, await request.body())
    async with transaction(pool) as connection, claimed(connection, caller.shop, key, identity) as claim:
        if claim.seen is not None:
            return claim.seen.response()
        try:
            row = await change(connection)
        except LookupError:
            raise unknown() from None
        except Refused as refusal:
            status, title = REFUSALS[refusal.reason]
            raise Problem(status, refusal.reason, title, refusal.detail) from None
        claim.answer = Answer(200, shown(row).model_dump_json().encode())
    return claim.answer.response()


def unknown() -> Problem:
    """The answer about a payment that is not there, or not the shop's."""
    return Problem(404, "unknown-payment", "There is no such payment.")


def shown(row: asyncpg.Record) -> UnmatchedPayment:
    """A payment as callers see it."""
    said = said_in(row)
    sums = sums_of(said)
    same = {name: row[name] for name in UnmatchedPayment.model_fields.keys() & dict(row).keys()}
    return UnmatchedPayment(
        **same,
        currency=next((each.currency for each in said if each.currency), None),
        authorized=sums.authorized,
        captured=sums.captured,
        refunded=sums.refunded,
        voided=sums.voided,
        waited=int(waited(row, row["settled_at"])),
    )


def message(said: Said) -> ProviderMessage:
    """What was said as callers see it."""
    return ProviderMessage(**{name: getattr(said, name) for name in ProviderMessage.model_fields})

"""The HTTP face of Sandbox Pay."""

import re
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Depends, Header, Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field

from deploy.local.sandbox.answers import Answer, Refused
from deploy.local.sandbox.control import Vendor
from deploy.local.sandbox.desk import Desk, Manners
from deploy.local.sandbox.endpoints import add_endpoints
from deploy.local.sandbox.misbehaviour import Misbehaviour
from deploy.local.sandbox.payment.books import Payments
from deploy.local.sandbox.payment.model import Kind, Outcome
from deploy.local.sandbox.webhooks import Webhooks

KEY = re.compile(r"Bearer sk_sandbox_([A-Za-z0-9_-]{1,80})")
TYPES = {401: "authentication_error", 402: "card_error", 429: "rate_limit_error"}
Amount = Annotated[int, Field(gt=0, strict=True)]


class PaymentWanted(BaseModel):
    """What a shop's checkout asks for."""

    model_config = ConfigDict(extra="forbid")

    amount: Amount
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")]
    reference: Annotated[str, Field(min_length=1, max_length=255)]
    outcome: Outcome = "authorized"
    capture_limit: Amount | None = None


class AmountWanted(BaseModel):
    """How much to capture or to refund."""

    model_config = ConfigDict(extra="forbid")

    amount: Amount


def merchant_of(request: Request) -> str:
    """The merchant whose key the request carries. Raises Refused."""
    key = KEY.fullmatch(request.headers.get("authorization", ""))
    if key is None:
        raise Refused(401, "invalid_api_key", "Give an API key: Authorization: Bearer sk_sandbox_<merchant>.")
    return key.group(1)


async def key_of(request: Request) -> str:
    return request.headers.get("idempotency-key", "")


def refusal(refused: Refused) -> Response:
    """A no, in the words of Sandbox Pay."""
    kind = TYPES.get(refused.status, "invalid_request_error" if refused.status < 500 else "api_error")  # noqa: PLR2004
    error = {"type": kind, "code": refused.code, "message": refused.message, **refused.more}
    if refused.field:
        error["param"] = refused.field
    return JSONResponse({"error": error}, refused.status, refused.headers)


def required_key(idempotency_key: Annotated[str, Header(max_length=255)] = "") -> str:
    """The key without which no money moves. Raises Refused."""
    if not idempotency_key:
        raise Refused(400, "idempotency_key_missing", "Give an Idempotency-Key.")
    return idempotency_key


RequiredKey = Annotated[str, Depends(required_key)]


def sandbox_pay(folder: Path, misbehaviour: Misbehaviour) -> Vendor:
    """Sandbox Pay with what it has in `folder`."""
    desk = Desk(folder, Manners(merchant_of, key_of, refusal), misbehaviour)
    webhooks = Webhooks(folder, "payment")
    payments = Payments(folder, desk, webhooks)
    router = APIRouter(prefix="/v1", route_class=desk.routes())
    _add_payments(router, payments)
    _add_changes(router, payments)
    add_endpoints(router, webhooks)
    return Vendor("Sandbox Pay", router, desk, payments.executed, webhooks, payments)


def _add_payments(router: APIRouter, payments: Payments) -> None:
    @router.post("/payments", response_model=None)
    async def create(wanted: PaymentWanted, request: Request) -> Response:
        key = await key_of(request)
        did, payment = await payments.authorise(request.state.account, key, wanted.model_dump())
        return Answer(payment.shown(), 201, did)

    @router.get("/account", response_model=None)
    async def account(request: Request) -> Response:
        return Answer({"merchant": request.state.account})

    @router.get("/payments/{name}", response_model=None)
    async def get(name: str, request: Request) -> Response:
        return Answer(payments.get(request.state.account, name).shown())

    @router.get("/transactions", response_model=None)
    async def look_up(idempotency_key: str, request: Request) -> Response:
        return Answer({"data": payments.transactions(request.state.account, idempotency_key)})


def _add_changes(router: APIRouter, payments: Payments) -> None:
    async def change(request: Request, key: str, name: str, kind: Kind, amount: int) -> Response:
        did, transaction = await payments.change(request.state.account, key, name, kind, amount)
        return Answer(transaction, 201, did)

    @router.post("/payments/{name}/captures", response_model=None)
    async def capture(name: str, wanted: AmountWanted, request: Request, key: RequiredKey) -> Response:
        return await change(request, key, name, "capture", wanted.amount)

    @router.post("/payments/{name}/refunds", response_model=None)
    async def refund(name: str, wanted: AmountWanted, request: Request, key: RequiredKey) -> Response:
        return await change(request, key, name, "refund", wanted.amount)

    @router.post("/payments/{name}/void", response_model=None)
    async def void(name: str, request: Request, key: RequiredKey) -> Response:
        authorised = payments.get(request.state.account, name).authorized
        return await change(request, key, name, "void", authorised)

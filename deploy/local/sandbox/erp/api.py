"""The HTTP face of Sandbox ERP."""

import base64
import binascii
import json
import re
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import JSONResponse

from deploy.local.sandbox.answers import Answer, Refused
from deploy.local.sandbox.control import Vendor
from deploy.local.sandbox.desk import Desk, Manners
from deploy.local.sandbox.erp.books import ErpMisbehaviour, SalesOrders
from deploy.local.sandbox.erp.model import SalesOrder, SalesOrderWanted

REVISION = re.compile(r'"(\d{1,9})"')


def company_of(request: Request) -> str:
    """The user of HTTP's basic authentication; any password will do, but there must be one. Raises Refused."""
    scheme, _, given = request.headers.get("authorization", "").partition(" ")
    try:
        user, _, password = base64.b64decode(given, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        user = password = ""
    if scheme.casefold() != "basic" or not user or not password:
        headers = {"WWW-Authenticate": 'Basic realm="Sandbox ERP"'}
        raise Refused(401, "NOT_SIGNED_IN", "Sign in with user and password.", headers=headers)
    return user


async def key_of(request: Request) -> str:
    """The external reference of a document that shall be created: all by which two tries can be told to be one."""
    if request.method != "POST":
        return ""
    try:
        body = json.loads(await request.body())
    except ValueError:
        return ""
    return str(body.get("externalReference", "")) if isinstance(body, dict) else ""


def refusal(refused: Refused) -> Response:
    """A no, in the words of Sandbox ERP."""
    body = {"errorCode": refused.code.upper(), "errorMessage": refused.message, **refused.more}
    if refused.field:
        body["fieldName"] = refused.field
    return JSONResponse(body, refused.status, refused.headers)


def seen_revision(if_match: str) -> int:
    """The revision that a change is made to. Raises Refused."""
    found = REVISION.fullmatch(if_match)
    if found is None:
        raise Refused(428, "REVISION_REQUIRED", 'Say which revision you change: If-Match: "<revision>".')
    return int(found.group(1))


def sandbox_erp(folder: Path, misbehaviour: ErpMisbehaviour) -> Vendor:
    """Sandbox ERP with what it has in `folder`."""
    desk = Desk(folder, Manners(company_of, key_of, refusal), misbehaviour)
    orders = SalesOrders(folder, desk)
    router = APIRouter(prefix="/api", route_class=desk.routes())
    _add_orders(router, orders)
    return Vendor("Sandbox ERP", router, desk, orders.executed)


def answer(order: SalesOrder, status: int = 200, did: str = "executed") -> Response:
    """The document, with its revision as its ETag."""
    return Answer(order.shown(), status, did, {"ETag": f'"{order.revision}"'})


def _add_orders(router: APIRouter, orders: SalesOrders) -> None:
    @router.post("/salesorders", response_model=None)
    async def create(wanted: SalesOrderWanted, request: Request) -> Response:
        return answer(await orders.create(request.state.account, wanted), 201)

    @router.get("/company", response_model=None)
    async def company(request: Request) -> Response:
        return Answer({"companyId": request.state.account})

    @router.get("/salesorders", response_model=None)
    async def look_up(reference: Annotated[str, Query(alias="externalReference")], request: Request) -> Response:
        found = orders.with_reference(request.state.account, reference)
        return Answer({"salesOrders": [order.shown() for order in found]})

    @router.get("/salesorders/{number}", response_model=None)
    async def get(number: int, request: Request) -> Response:
        return answer(orders.get(request.state.account, number), did="read")

    @router.put("/salesorders/{number}", response_model=None)
    async def change(number: int, wanted: SalesOrderWanted, request: Request) -> Response:
        revision = seen_revision(request.headers.get("if-match", ""))
        return answer(await orders.change(request.state.account, number, revision, wanted))

"""The HTTP face of Sandbox Post; a label and the page of a tracking number are for whoever knows the address."""

import re
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Request, Response
from fastapi.responses import JSONResponse, PlainTextResponse

from deploy.local.sandbox.answers import Answer, Refused
from deploy.local.sandbox.control import Vendor
from deploy.local.sandbox.desk import Desk, Manners
from deploy.local.sandbox.endpoints import add_endpoints
from deploy.local.sandbox.misbehaviour import Misbehaviour
from deploy.local.sandbox.shipping.books import Shipments
from deploy.local.sandbox.shipping.label import label_pdf
from deploy.local.sandbox.shipping.model import Shipment, ShipmentWanted
from deploy.local.sandbox.webhooks import Webhooks

CUSTOMER = re.compile(r"[A-Za-z0-9-]{1,80}")


def customer_of(request: Request) -> str:
    """The customer number that the request carries. Raises Refused."""
    number = request.headers.get("x-api-key", "")
    if not CUSTOMER.fullmatch(number):
        raise Refused(401, "UNKNOWN_CUSTOMER", "Give your customer number as X-Api-Key.")
    return number


async def key_of(request: Request) -> str:
    return request.headers.get("idempotency-key", "")


def refusal(refused: Refused) -> Response:
    """A no, in the words of Sandbox Post: a list of errors, each with its field where there is one."""
    one = {"field": refused.field or None, "code": refused.code.upper(), "message": refused.message}
    return JSONResponse({"errors": refused.more.get("errors", [one])}, refused.status, refused.headers)


def required_key(idempotency_key: Annotated[str, Header(max_length=255)] = "") -> str:
    """The key without which nothing is booked. Raises Refused."""
    if not idempotency_key:
        raise Refused(400, "IDEMPOTENCY_KEY_REQUIRED", "Give an Idempotency-Key.")
    return idempotency_key


def sandbox_post(folder: Path, misbehaviour: Misbehaviour) -> Vendor:
    """Sandbox Post with what it has in `folder`."""
    desk = Desk(folder, Manners(customer_of, key_of, refusal), misbehaviour)
    webhooks = Webhooks(folder, "shipping")
    shipments = Shipments(folder, desk, webhooks)
    routes = APIRouter(prefix="/v1", route_class=desk.routes())
    _add_shipments(routes, shipments)
    add_endpoints(routes, webhooks)
    router = APIRouter()
    router.include_router(routes)
    _add_pages(router, shipments)
    return Vendor("Sandbox Post", router, desk, shipments.executed, webhooks, shipments)


def shown(shipment: Shipment, request: Request) -> dict[str, Any]:
    """The shipment as the API shows it, with addresses that lead back here."""
    urls = {
        "tracking_url": str(request.url_for("track", number=shipment.tracking_number)),
        "label_url": str(request.url_for("label", name=shipment.id)),
    }
    return shipment.model_dump(mode="json") | urls


def _add_shipments(router: APIRouter, shipments: Shipments) -> None:
    @router.post("/shipments", response_model=None)
    async def book(wanted: ShipmentWanted, request: Request, key: Annotated[str, Depends(required_key)]) -> Response:
        did, shipment = await shipments.book(request.state.account, key, wanted)
        return Answer(shown(shipment, request), 201, did)

    @router.get("/customer", response_model=None)
    async def customer(request: Request) -> Response:
        return Answer({"number": request.state.account})

    @router.get("/shipments", response_model=None)
    async def look_up(reference: str, request: Request) -> Response:
        found = shipments.with_reference(request.state.account, reference)
        return Answer({"shipments": [shown(one, request) for one in found]})

    @router.get("/shipments/{name}", response_model=None)
    async def get(name: str, request: Request) -> Response:
        return Answer(shown(shipments.get(request.state.account, name), request))

    @router.delete("/shipments/{name}", response_model=None)
    async def cancel(name: str, request: Request) -> Response:
        did, shipment = await shipments.cancel(request.state.account, name)
        return Answer(shown(shipment, request), 200, did)


def _add_pages(router: APIRouter, shipments: Shipments) -> None:
    @router.get("/labels/{name}.pdf", name="label", response_model=None)
    async def label(name: str) -> Response:
        try:
            shipment = shipments.any(name)
        except Refused as refused:
            return refusal(refused)
        to = shipment.receiver
        place = f"{to.country}-{to.postal_code} {to.city}"
        lines = ["SANDBOX POST", shipment.service, "", to.name, to.street, place, "", shipment.tracking_number]
        return Response(label_pdf([*lines, f"Ref. {shipment.reference}"]), media_type="application/pdf")

    @router.get("/track/{number}", name="track", response_model=None)
    async def track(number: str) -> Response:
        found = shipments.tracked_as(number)
        if found is None:
            return PlainTextResponse("unknown", 404)
        steps = [f"{event.time} {event.code}" for event in found.events]
        return PlainTextResponse("\n".join([f"{number}: {found.status}", *steps]) + "\n")

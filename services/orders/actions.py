"""What can be asked of an order that is there: each a POST below it, whose body is the command's own fields."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel, create_model

from services.orders import examples
from services.orders.answers import HandledOrder, RefusingRoute, handled_answer
from services.orders.asking import ETAG, UNKNOWN, handled, writer
from shared.contracts.order_commands import (
    BookShipment,
    CancelShipment,
    CapturePayment,
    OrderCommand,
    ProcessOrder,
    RefundPayment,
    ShipUnits,
    TransferOrder,
    VoidPayment,
)
from shared.runtime.bodies import json_body
from shared.runtime.idempotency import IdempotencyKey
from shared.runtime.openapi import problem_response
from shared.runtime.tokens import Caller

router = APIRouter(prefix="/v1/orders/{order_id}", tags=["orders"], route_class=RefusingRoute)

REFUSED = problem_response("409", "not-so-many-units", "The line has not so many units in that state.")
NOT_VALID = problem_response("422", "not-connected", "The shop has not connected this.")


@dataclass(frozen=True)
class Action:
    """One of them. With `asks` another service does it, the answer is 202, and the log says what came of it."""

    path: str
    command: type[OrderCommand]
    summary: str
    says: str
    asks: bool = True
    example: Mapping[str, Any] = field(default_factory=dict)


ACTIONS = (
    Action(
        "/process",
        ProcessOrder,
        "Process an order",
        "Say that the order was noticed and that these units were sent: by default all that are open, none for `[]`.",
        asks=False,
        example=examples.UNITS,
    ),
    Action(
        "/ship",
        ShipUnits,
        "Ship units of an order",
        "Say that units have left: by default all that were open or back-ordered.",
        asks=False,
        example=examples.UNITS,
    ),
    Action(
        "/capture",
        CapturePayment,
        "Capture a payment",
        "Ask the payment provider to take money: by default all that is authorized and not captured.",
        example={"amount": 17800},
    ),
    Action(
        "/refund",
        RefundPayment,
        "Refund a payment",
        "Ask the payment provider to give money back: by default all that is captured and not refunded.",
        example={"amount": 8900, "reason": "One package was damaged."},
    ),
    Action(
        "/void",
        VoidPayment,
        "Void a payment",
        "Ask the payment provider to let go of what is authorized and not captured.",
    ),
    Action(
        "/shipments",
        BookShipment,
        "Book a shipment",
        "Ask the carrier to take units: by default all that are open or were sent.",
        example=examples.UNITS,
    ),
    Action(
        "/shipments/cancel",
        CancelShipment,
        "Cancel a shipment",
        "Ask the carrier not to take a shipment that it has not got yet.",
        example={"shipment_id": "shp_4f1c0a9e"},
    ),
    Action(
        "/transfer",
        TransferOrder,
        "Transfer an order to the ERP system",
        "Ask the shop's ERP system to take the order as it is now (R072).",
    ),
)


def body_of(command: type[OrderCommand]) -> type[BaseModel]:
    """The command without its order, which the address names."""
    fields: dict[str, Any] = {
        name: (each.annotation, each) for name, each in command.model_fields.items() if name != "order_id"
    }
    return create_model(f"{command.__name__}Body", __doc__=command.__doc__, **fields)


def add(action: Action) -> None:
    """Makes the route."""
    body = body_of(action.command)

    async def act(
        request: Request,
        caller: Annotated[Caller, Depends(writer)],
        key: IdempotencyKey,
        order_id: UUID,
        wanted: BaseModel = Depends(json_body(body)),  # noqa: B008 - the type is known here alone
    ) -> Response:
        given = {name: getattr(wanted, name) for name in body.model_fields}
        return await handled(
            request, caller, key, action.command(order_id=order_id, **given), handled_answer(action.asks)
        )

    status = 202 if action.asks else 200
    router.add_api_route(
        action.path,
        act,
        methods=["POST"],
        status_code=status,
        name=action.command.__name__,
        summary=action.summary,
        description=action.says,
        responses={
            status: {"model": HandledOrder, "content": examples.HANDLED[status], "headers": ETAG},
            404: UNKNOWN,
            409: REFUSED,
            422: NOT_VALID,
        },
        openapi_extra={"requestBody": {"content": examples.as_json(dict(action.example))}},
    )


for each in ACTIONS:
    add(each)

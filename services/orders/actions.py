"""What can be asked of an order that is there: each a POST below it, whose body is the command's own fields."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel, create_model

from services.orders import examples
from services.orders.answers import HandledOrder, RefusingRoute, handled_answer
from services.orders.asking import ETAG, UNKNOWN, handled, version_seen, writer
from shared.contracts.order_commands import (
    AddCheckoutSteps,
    AddComment,
    AttachCustomer,
    BackOrderUnits,
    BookShipment,
    CancelOrder,
    CancelShipment,
    CapturePayment,
    ChangeInternalStatus,
    ChangeLineStatus,
    ChangeStatus,
    ClaimUnits,
    ConfirmPayment,
    CorrectContact,
    CreditUnits,
    DeleteComment,
    DeliverUnits,
    FixAddressAndSend,
    HandleOrder,
    MoveToFolder,
    ProcessOrder,
    RefundPayment,
    RetryEntry,
    ReturnUnits,
    SendMessage,
    SettleEntry,
    ShipUnits,
    SkipEntry,
    TransferOrder,
    VoidPayment,
)
from shared.runtime.bodies import json_body
from shared.runtime.idempotency import IdempotencyKey
from shared.runtime.openapi import problem_response
from shared.runtime.tokens import Caller

router = APIRouter(prefix="/v1/orders/{order_id}", tags=["orders"], route_class=RefusingRoute)

NOT_IN_BODY = {"order_id", "if_version"}
"""The address and the header If-Match say these."""
CONFLICT = problem_response("412", "version-conflict", "Somebody has changed the order meanwhile.")
REFUSED = problem_response("409", "not-so-many-units", "The line has not so many units in that state.")
NOT_VALID = problem_response("422", "not-connected", "The shop has not connected this.")


@dataclass(frozen=True)
class Action:
    """One of them. With `asks` another service does it, the answer is 202, and the log says what came of it."""

    path: str
    command: type[HandleOrder]
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
    *(
        Action(f"/{path}", command, summary, says, asks=False, example=examples.UNITS)
        for path, command, summary, says in (
            ("ship", ShipUnits, "Ship units of an order", "Units have left: by default all that wait."),
            ("deliver", DeliverUnits, "Units were delivered", "Units have arrived: by default all that were shipped."),
            ("back-order", BackOrderUnits, "Back-order units", "Units follow later: by default all that are open."),
            ("return", ReturnUnits, "Units came back", "Units came back: they are a return with its own number."),
            ("claim", ClaimUnits, "Units are complained about", "The customer complains about units that had left."),
            ("credit", CreditUnits, "Credit units", "Units that came back, or are complained about, are credited."),
        )
    ),
    Action(
        "/cancel",
        CancelOrder,
        "Cancel an order",
        "Cancel what has not left: by default the whole order. Its payment is let go of, or given back.",
        asks=False,
        example={"reason": "The customer has changed her mind."},
    ),
    Action(
        "/status",
        ChangeStatus,
        "Change the status",
        "Show the customer another status of the order.",
        asks=False,
        example={"status": "in-progress"},
    ),
    Action(
        "/line-status",
        ChangeLineStatus,
        "Change lines' status",
        "Give lines a status; one that moves units moves theirs.",
        asks=False,
        example=examples.LINE_STATUS,
    ),
    Action(
        "/internal-status",
        ChangeInternalStatus,
        "Change the internal status",
        "Give the order a status for the merchant alone, or none.",
        asks=False,
        example={"status": "to-pick"},
    ),
    Action(
        "/folder",
        MoveToFolder,
        "Move to a folder",
        "Put the order into a folder, or into none.",
        asks=False,
        example={"folder": "to-be-packed"},
    ),
    Action(
        "/comments",
        AddComment,
        "Add a comment",
        "Write an internal comment; its id is `comment` in the entry of the log.",
        asks=False,
        example={"text": "Wrap it as a present."},
    ),
    Action(
        "/comments/delete",
        DeleteComment,
        "Delete a comment",
        "Delete an internal comment; it stays in the log.",
        asks=False,
        example={"comment_id": "01a213cc-0792-7c08-8a96-0d4b6e5f2c11"},
    ),
    Action(
        "/contact",
        CorrectContact,
        "Correct the contact",
        "Correct how the customer is reached; what is absent stays.",
        asks=False,
        example={"email": "asa.oberg@example.org"},
    ),
    Action(
        "/messages",
        SendMessage,
        "Send a message",
        "Write to the customer, or to another address; the log says when it has left.",
        example={"headline": "About your order", "text": "Hello,\nthe blue one is sold out. Would green do?"},
    ),
    Action(
        "/customer",
        AttachCustomer,
        "Attach to a customer",
        "Attach the order to a customer's account, or to none again.",
        asks=False,
        example={"customer_id": "C-4711"},
    ),
    Action(
        "/checkout-steps",
        AddCheckoutSteps,
        "Add checkout steps",
        "Tell what else the customer did in the shop for this order.",
        asks=False,
        example={"steps": [{"at": "2026-11-24T18:29:12Z", "step": "went-to-payment", "detail": "card"}]},
    ),
    Action(
        "/confirm-payment",
        ConfirmPayment,
        "Confirm a payment",
        "Say that the money arrived, as a person has seen: by default all that is missing.",
        asks=False,
        example={"reason": "Seen on the bank's statement."},
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
    *(
        Action(f"/{path}", command, summary, says, example=examples.REPAIR | more)
        for path, command, summary, says, more in (
            ("retry", RetryEntry, "Try again", "What waits, was given up or was refused is tried again.", {}),
            ("skip", SkipEntry, "Let it be", "It is not tried again.", {"reason": "Sent by hand."}),
            (
                "settle",
                SettleEntry,
                "Settle an unknown",
                "Say of a call of which nobody knows whether it happened that it did, or did not.",
                {"happened": False, "again": True, "reason": "The customer has got no mail."},
            ),
            (
                "fix-address-and-send",
                FixAddressAndSend,
                "Fix the address and send",
                "Correct the customer's e-mail address, and send what could not be sent to the one before.",
                {"email": "asa.oberg@example.org"},
            ),
        )
    ),
)


def body_of(command: type[HandleOrder]) -> type[BaseModel]:
    """The command without its order, which the address names."""
    fields: dict[str, Any] = {
        name: (each.annotation, each) for name, each in command.model_fields.items() if name not in NOT_IN_BODY
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
        seen: Annotated[int | None, Depends(version_seen)],
        wanted: BaseModel = Depends(json_body(body)),  # noqa: B008 - the type is known here alone
    ) -> Response:
        given = {name: getattr(wanted, name) for name in body.model_fields}
        command = action.command(order_id=order_id, if_version=seen, **given)
        return await handled(request, caller, key, command, handled_answer(action.asks))

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
            412: CONFLICT,
            422: NOT_VALID,
        },
        openapi_extra={"requestBody": {"content": examples.as_json(dict(action.example))}},
    )


for each in ACTIONS:
    add(each)

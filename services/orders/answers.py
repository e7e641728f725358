"""What the API answers: documents for callers, and a problem for each reason that something was refused."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Literal
from uuid import UUID

from fastapi import Request, Response
from fastapi.routing import APIRoute
from pydantic import BaseModel, Field

from services.orders.domain.order import Order
from services.orders.promises import Expected, State
from shared.contracts.files import DocumentKind
from shared.contracts.order import Goods, PaymentStatus, PaymentSums, Processing, Totals
from shared.contracts.order_commands import PrintDocument
from shared.contracts.refusal import Refused
from shared.contracts.values import Language
from shared.runtime.idempotency import Answer
from shared.runtime.problems import Problem

REFUSALS = {
    "unknown-order": (404, "There is no such order."),
    "order-id-taken": (409, "The order id cannot be used."),
    "unknown-shop": (422, "There is no such shop."),
    "order-too-large": (422, "The order is too large."),
    "amount-too-large": (422, "The order comes to more than can be handled."),
    "unknown-line": (422, "The order has no such line."),
    "not-so-many-units": (409, "The line has not so many units in that state."),
    "not-connected": (422, "The shop has not connected this."),
    "no-payment": (422, "The order has no payment at a provider."),
    "not-so-much-money": (409, "There is not so much money."),
    "nothing-to-send": (409, "The order has nothing to send."),
    "unknown-shipment": (422, "The order has no such shipment."),
    "version-conflict": (412, "Somebody has changed the order meanwhile."),
    "nothing-to-move": (409, "The order has no units that could be moved."),
    "already-shipped": (409, "Something of the order has left already."),
    "nothing-to-cancel": (409, "The order has nothing that could be cancelled."),
    "unknown-return": (422, "The order has no such return."),
    "too-many-returns": (409, "The order has too many returns."),
    "unknown-status": (422, "The shop has no such status."),
    "status-retired": (422, "The status is no longer given to any order."),
    "unknown-folder": (422, "The shop has no such folder."),
    "unknown-comment": (422, "The order has no such comment."),
    "status-not-shown": (422, "A status that the customer does not see sends no message."),
    "nobody-reacts": (422, "No service does this for the shop."),
    "status-in-use": (409, "Orders have the status: it can be retired, not deleted."),
    "status-twice": (422, "A status stands twice in its catalogue."),
    "folder-in-use": (409, "Orders lie in the folder."),
    "wrong-cursor": (422, "The cursor is not of this list."),
    "nothing-to-pay": (409, "Nothing is missing of the payment."),
    "unknown-entry": (422, "The order's log has no such entry."),
    "nothing-to-repair": (409, "The entry tells of nothing that could be put right."),
    "already-repaired": (409, "It was put right, or somebody has asked for that."),
    "repair-does-not-fit": (409, "That is no way out of it."),
    "say-whether-again": (422, "It has to be said whether it is done again."),
    "no-vat-country": (422, "The shop has no VAT country."),
    "unknown-vat-country": (422, "The VAT rates of that country are not known."),
    "unknown-vat-class": (422, "The shop's country has no such VAT class."),
    "placed-at-impossible": (422, "The order cannot have been placed then."),
    "personal-numbers-not-kept": (422, "Personal identity numbers are not kept here."),
    "no-personal-number": (409, "The order has no personal identity number."),
    "sealing-key-missing": (503, "The key to the number is not there."),
}


class OrderLinks(BaseModel):
    """Where to go on."""

    self: str = Field(examples=["/v1/orders/01a213cc-0338-7a51-9c3e-5f0b7d2a1e44"])
    log: str
    promises: str
    actions: str
    comments: str
    confirmation: str
    process: str
    ship: str
    capture: str
    refund: str
    void: str
    shipments: str
    transfer: str
    documents: str
    cancel: str
    status: str


class PlacedOrder(BaseModel):
    """An order that was accepted."""

    id: UUID
    number: int = Field(description="Unique and rising per shop; shown to people.", examples=[1001])
    version: int = Field(examples=[1])
    totals: Totals
    attention: list[str] = Field(description="Why a person should look at the order.", examples=[["total-differs"]])
    links: OrderLinks


class ConfirmationAsked(BaseModel):
    """The confirmation will be sent; whether it was stands on the order's log."""

    id: UUID
    content: Literal["as-then", "as-now"]
    links: OrderLinks


class HandledOrder(BaseModel):
    """How far the order is now; what another service was asked for, its log says later."""

    id: UUID
    version: int = Field(examples=[2])
    processing: Processing
    goods: Goods
    payment_status: PaymentStatus
    paid: PaymentSums
    cancelled: bool
    status: str = Field(examples=["received"])
    internal_status: str | None = None
    folder: str | None = None
    links: OrderLinks


class DocumentAsked(BaseModel):
    """The document will be made; the order's log says when it was, and under which id documents has it."""

    id: UUID
    document: DocumentKind
    language: Language
    links: OrderLinks


class Promise(BaseModel):
    """Something that another service is expected to do for the order, and whether it has."""

    what: str = Field(description="A message, a document, or what a provider is asked for.", examples=["capture"])
    by: str = Field(description="Which service is to do it.", examples=["integrations"])
    state: State = Field(
        description="`waiting`: it is tried again later; `overdue`: there is no outcome in the time it should take."
    )
    reason: str = Field(description="Why it failed.", examples=["", "insufficient-funds"])
    event_id: str = Field(description="The event that promised it.")
    expected_at: datetime
    due_at: datetime
    told_at: datetime | None = Field(description="When the last word about it was recorded.")
    entry_id: str | None = Field(description="The entry of the order's log that said it.")


class Promises(BaseModel):
    """What is expected of others for an order, oldest first."""

    promises: list[Promise]


class PossibleAction(BaseModel):
    """Something that people do with orders, with all its defaults."""

    action: str = Field(examples=["capture"])
    possible: bool
    reason: str = Field(description="A stable word for why not.", examples=["", "not-so-much-money"])
    detail: str
    system: str | None = Field(description="Which of the shop's connected systems does it.", examples=["sandbox"])
    choices: list[str] = Field([], description="What there is to choose from: the documents that can be printed.")


class PossibleActions(BaseModel):
    """What can be done with an order, at this version of it."""

    version: int
    actions: list[PossibleAction]


class Comment(BaseModel):
    """An internal comment; one that was deleted is still here."""

    id: str
    at: datetime
    actor: str = Field(description="Who wrote it.", examples=["maria"])
    text: str = Field(examples=["Wrap it as a present."])
    deleted_at: datetime | None
    deleted_by: str | None


class Comments(BaseModel):
    """An order's internal comments, oldest first."""

    comments: list[Comment]


def links_of(order_id: UUID) -> OrderLinks:
    """The addresses of an order."""
    path = f"/v1/orders/{order_id}"
    return OrderLinks(**{name: f"{path}/{name}" for name in OrderLinks.model_fields} | {"self": path})


def etag_of(order: Order) -> str:
    """The order's version as an ETag."""
    return f'"{order.now.version}"'


def placed_answer(order: Order, new: bool) -> Answer:  # noqa: FBT001 - the desk's Reply
    """201 for an order that was placed now, 200 for one that the shop had placed before."""
    links = links_of(order.now.id)
    body = PlacedOrder(
        id=order.now.id,
        number=order.now.number,
        version=order.now.version,
        totals=order.now.totals,
        attention=order.now.attention,
        links=links,
    )
    headers = {"Location": links.self, "ETag": etag_of(order)}
    return Answer(201 if new else 200, body.model_dump_json().encode(), headers)


def confirmation_answer(order: Order, content: Literal["as-then", "as-now"]) -> Answer:
    """202: asked for, and done by another service."""
    links = links_of(order.now.id)
    body = ConfirmationAsked(id=order.now.id, content=content, links=links)
    return Answer(202, body.model_dump_json().encode(), {"Location": links.log})


def handled_answer(asks: bool) -> Callable[[Order, bool], Answer]:  # noqa: FBT001 - it is what the answer depends on
    """How far the order is now, whether or not anything has changed: 200, or 202 where another service is asked."""

    def answer(order: Order, _: bool) -> Answer:  # noqa: FBT001 - the desk's Reply
        now, links = order.now, links_of(order.now.id)
        fields = {name: getattr(now, name) for name in HandledOrder.model_fields if name != "links"}
        body = HandledOrder(**fields, links=links).model_dump_json().encode()
        headers = {"ETag": etag_of(order)} | ({"Location": links.log} if asks else {})
        return Answer(202 if asks else 200, body, headers)

    return answer


def document_answer(order: Order, asked: PrintDocument) -> Answer:
    """202: asked for, and done by another service."""
    links = links_of(order.now.id)
    language = asked.language or order.now.language
    body = DocumentAsked(id=order.now.id, document=asked.document, language=language, links=links)
    return Answer(202, body.model_dump_json().encode(), {"Location": links.log})


def promises_answer(found: Sequence[Expected]) -> Promises:
    """The promises as callers see them."""
    return Promises(promises=[Promise(**asdict(each)) for each in found])


def problem_of(refusal: Refused) -> Problem:
    """The problem document of a refusal: `/problems/<reason>`."""
    status, title = REFUSALS.get(refusal.reason, (422, "What was asked cannot be done."))
    return Problem(status, refusal.reason, title, refusal.detail or None)


class RefusingRoute(APIRoute):
    """A route whose refusals are answered as problems."""

    def get_route_handler(self) -> Callable[[Request], Awaitable[Response]]:  # type: ignore[override]
        """The route's handler, with Refused turned into its problem."""
        handler = super().get_route_handler()

        async def handle(request: Request) -> Response:
            try:
                return await handler(request)
            except Refused as refusal:
                raise problem_of(refusal) from None

        return handle

"""Examples for the API's document, made from those of the contracts, so that they cannot tell anything else."""

import json
from datetime import timedelta
from typing import Any, TypeVar

from services.orders.answers import (
    confirmation_answer,
    document_answer,
    handled_answer,
    placed_answer,
    promises_answer,
)
from services.orders.domain.order import Order
from services.orders.domain.repairing import NEEDS, Offered
from services.orders.domain.shop import Shop
from services.orders.entry import Entry
from services.orders.log_answers import entry_answer
from services.orders.promises import Expected
from shared.contracts.documents import example_of
from shared.contracts.message import Envelope, Message, read_message
from shared.contracts.order_commands import PlaceOrder, PrintDocument, ProcessOrder
from shared.contracts.order_events import OrderPlaced
from shared.contracts.order_log import LogEntry, MessageSent, OrderNoted, PaymentProviderMessage, ReactionDead
from shared.contracts.shop_facts import ShopConnections, ShopSettings

M = TypeVar("M", bound=Message)
ACCEPTED = 202
IN_WORDS = (
    "The order came in",
    "The message order confirmation was sent to a***@example.org",
    "notifications has given up; a person has to look at it",
)
LABELS = {"retry": "Try again", "skip": "Let it be"}


def message_of(contract: type[M]) -> M:
    """The example of a contract, as it is when it was received."""
    message = read_message(Envelope.model_validate_json(json.dumps(example_of(contract))))
    if not isinstance(message, contract):
        raise TypeError(f"the example of {contract.type} is a {message.type}")
    return message


def log_page() -> dict[str, Any]:
    """A page of a log: the order was placed, its confirmation was sent, another one could not be made."""
    messages: list[LogEntry] = [message_of(OrderNoted), message_of(MessageSent), message_of(ReactionDead)]
    ways: dict[type[LogEntry], list[Offered]] = {
        ReactionDead: [Offered("retry", NEEDS["retry"]), Offered("skip", NEEDS["skip"])]
    }
    entries = [
        entry_answer(n, Entry.of(message, message.meta.time), text, ways.get(type(message), ()), LABELS).model_dump(
            mode="json"
        )
        for n, (message, text) in enumerate(zip(messages, IN_WORDS, strict=True), start=1)
    ]
    return {"entries": entries, "after": len(entries), "more": False}


def payment_of_the_order() -> dict[str, Any]:
    """The order's payment: its provider has said that it is good."""
    said = message_of(PaymentProviderMessage)
    event = entry_answer(2, Entry.of(said, said.meta.time), "The payment provider said: payment.authorized")
    now = _PLACED
    return {
        "method": now.payment.method,
        "name": now.payment.name,
        "reference": said.reference,
        "status": "authorized",
        "currency": now.currency,
        "total": now.totals.incl_vat.amount,
        "paid": {"authorized": now.totals.incl_vat.amount, "captured": 0, "refunded": 0},
        "events": [event.model_dump(mode="json")],
        "after": 2,
        "more": False,
    }


def promise_of_the_confirmation() -> dict[str, Any]:
    """What is expected of the order: its confirmation, which was sent."""
    placed, sent = message_of(OrderPlaced), message_of(MessageSent)
    kept = Expected(
        what=sent.template,
        by="notifications",
        state="done",
        reason="",
        event_id=placed.meta.id,
        expected_at=placed.meta.time,
        due_at=placed.meta.time + timedelta(minutes=5),
        told_at=sent.meta.time,
        entry_id=sent.meta.id,
    )
    return promises_answer([kept]).model_dump(mode="json")


def as_json(document: Any) -> dict[str, Any]:
    """Content of an OpenAPI request or response, with this example."""
    return {"application/json": {"example": document}}


_PLACED = message_of(OrderPlaced).order
_AS_PLACED = Order(_PLACED, _PLACED)

NUMBER = as_json({"personal_identity_number": "19850709-9805"})
MASKED_NUMBER = as_json({"personal_identity_number": "850709-****"})
WHOLE_NUMBER = NUMBER
TO_REVEAL = as_json({"reason": "The invoice has to name the buyer."})
REVEALS = as_json(
    {
        "reveals": [
            {
                "id": "01a213cc-1b7e-7d10-8f3a-2c5d9e4b6a70",
                "order_id": str(_PLACED.id),
                "at": "2026-11-24T19:02:51.204816Z",
                "actor": "maria",
                "reason": "The invoice has to name the buyer.",
            }
        ],
        "next": "01a213cc-1b7e-7d10-8f3a-2c5d9e4b6a70",
    }
)
TO_PLACE = as_json(example_of(PlaceOrder)["data"] | {"personal_identity_number": "19850709-9805"})
ORDER = as_json(_PLACED.model_dump(mode="json") | {"personal_identity_number": "850709-****"})
PLACED = as_json(json.loads(placed_answer(_AS_PLACED, new=True).body))
LOG = as_json(log_page())
PAYMENT = as_json(payment_of_the_order())
VERIFIED = as_json({"intact": False, "entries": 3, "first_broken": 2, "entry_id": message_of(MessageSent).meta.id})
REPAIR = {"entry_id": message_of(ReactionDead).meta.id}
PROMISES = as_json(promise_of_the_confirmation())
AGAIN = as_json({"content": "as-then"})
ASKED = as_json(json.loads(confirmation_answer(_AS_PLACED, "as-then").body))
ACTIONS = as_json(
    {
        "version": 1,
        "actions": [{"action": "cancel", "possible": True, "reason": "", "detail": "", "system": "sandbox"}],
    }
)
COMMENTS = as_json(
    {
        "comments": [
            {
                "id": "01a213cc-0792-7c08-8a96-0d4b6e5f2c11",
                "at": "2026-11-24T18:40:12.016204Z",
                "actor": "maria",
                "text": "Wrap it as a present.",
                "deleted_at": "2026-11-24T18:52:40.161204Z",
                "deleted_by": "maria",
            }
        ]
    }
)
UNITS = {"units": [{"line_id": line.line_id, "units": 1} for line in _PLACED.lines[:1]]}
LINE_STATUS = {"status": "back-ordered", "line_ids": [line.line_id for line in _PLACED.lines[:1]]}
_SHOP = Shop(message_of(ShopSettings), ShopConnections(shop=_PLACED.shop))
_PROCESSED, _ = _AS_PLACED.process(message_of(ProcessOrder), _SHOP)
HANDLED = {
    status: as_json(json.loads(handled_answer(status == ACCEPTED)(_PROCESSED, True).body))  # noqa: FBT003 - a Reply
    for status in (200, ACCEPTED)
}
_PRINT = PrintDocument(order_id=_PLACED.id, document="delivery-note", language="sv")
TO_PRINT = as_json(_PRINT.model_dump(mode="json", exclude={"order_id"}))
PRINTING = as_json(json.loads(document_answer(_AS_PLACED, _PRINT).body))

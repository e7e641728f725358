"""What a shop does with each accepted order: hand it to the ERP, book its parcel, send it, and now and then refund it.

Everything is asked of orders; what came of it is read from the order's own timeline.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from deploy.local.demo.shop_front import NoAnswer, ShopFront
from deploy.local.demo.stories import Story
from shared.contracts.order_log import (
    EffectUnknown,
    ErpFailed,
    ErpOrderExported,
    PaymentAuthorized,
    PaymentCaptured,
    PaymentDeclined,
    PaymentRefunded,
    ReactionDead,
    ShipmentBooked,
    ShipmentFailed,
)

Came = Literal["done", "failed", "unknown", "missing"]
REFUND_EACH = 10
"""Every tenth order is refunded in part."""
_EVERY = 0.5


@dataclass(frozen=True)
class Promise:
    """What is expected, and by what it is known: the types of its yes and its no, and what its effect is called."""

    done: str
    failed: str
    effect: str
    group: str
    action: str = ""


PROMISES: Mapping[str, Promise] = {
    "Payments authorized": Promise(
        PaymentAuthorized.type, PaymentDeclined.type, "", "integrations.payment", "authorize"
    ),
    "Orders handed to the ERP": Promise(ErpOrderExported.type, ErpFailed.type, "transfer", "integrations.erp"),
    "Shipments booked": Promise(
        ShipmentBooked.type, ShipmentFailed.type, "book-shipment", "integrations.shipping", "book"
    ),
    "Payments captured by shipping": Promise(
        PaymentCaptured.type, PaymentDeclined.type, "capture", "integrations.payment", "capture"
    ),
    "Refunds": Promise(PaymentRefunded.type, PaymentDeclined.type, "refund", "integrations.payment", "refund"),
}
_TYPES = sorted(
    {promise.done for promise in PROMISES.values()}
    | {promise.failed for promise in PROMISES.values()}
    | {EffectUnknown.type, ReactionDead.type}
)


class Work:
    """Works with the shops' tokens; what is not answered within `patience` seconds is missing."""

    def __init__(self, front: ShopFront, patience: float = 90.0) -> None:
        self._front, self._patience = front, patience

    async def handle(self, story: Story) -> None:
        """Asks for everything, and keeps in the story what came of each."""
        paid = bool(story.asked.order.payment.reference)
        try:
            if paid:
                await self._wait(story, ["Payments authorized"])
            await self._front.act(story.asked, "transfer")
            await self._front.act(story.asked, "shipments")
            await self._front.act(story.asked, "process")
            good = story.promises.get("Payments authorized", ("", ""))[0] == "done"
            sent = [
                "Orders handed to the ERP",
                "Shipments booked",
                *(["Payments captured by shipping"] if good else []),
            ]
            await self._wait(story, sent)
            captured = story.promises.get("Payments captured by shipping", ("", ""))[0] == "done"
            if captured and story.order_id.int % REFUND_EACH == 0:
                await self._front.act(story.asked, "refund", amount=1, reason="A part was damaged.")
                await self._wait(story, ["Refunds"])
        except NoAnswer as silence:
            story.promises["Orders handled"] = ("missing", str(silence))

    async def _wait(self, story: Story, names: list[str]) -> None:
        story.promises |= dict.fromkeys(names, ("missing", "its timeline says nothing of it"))
        deadline = asyncio.get_running_loop().time() + self._patience
        while asyncio.get_running_loop().time() < deadline:
            entries = await self._front.log_of(story.asked, _TYPES)
            story.promises |= {name: came_to(PROMISES[name], entries) for name in names}
            if all(story.promises[name][0] != "missing" for name in names):
                return
            await asyncio.sleep(_EVERY)


def came_to(promise: Promise, entries: list[dict[str, Any]]) -> tuple[Came, str]:
    """What a timeline says of a promise, the last word counting, and in words."""
    came: tuple[Came, str] = "missing", "its timeline says nothing of it"
    for entry in entries:
        type_, said = entry["type"], entry["data"]
        if type_ == promise.done:
            came = "done", ""
        elif type_ == promise.failed and said.get("action", promise.action) == promise.action:
            came = "failed", f"{said['reason']} {said['detail']}".strip()
        elif type_ == EffectUnknown.type and said["effect"] == promise.effect:
            came = "unknown", f"ops unknown settle integrations/{said['key']} --happened"
        elif type_ == ReactionDead.type and said["group"] == promise.group:
            came = "failed", f"given up: {said['detail']}"
    return came

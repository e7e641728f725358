"""What a shop does with each accepted order: hand it to the ERP, book its parcel, send it, and now and then refund it.

Everything is asked of orders; what came of it is read from the order's own promises.
"""

import asyncio
from collections.abc import Iterable, Mapping
from typing import Any

from deploy.local.demo.shop_front import NoAnswer, ShopFront
from deploy.local.demo.stories import Story
from shared.contracts.order_log import EffectUnknown

ROWS: Mapping[str, str] = {
    "order-received": "Confirmations promised",
    "authorize": "Payments authorized",
    "transfer": "Orders handed to the ERP",
    "book-shipment": "Shipments booked",
    "capture": "Payments captured",
    "refund": "Refunds",
}
"""How the table calls each promise."""
MISSING = "missing"
OPEN = ("expected", "waiting", "overdue")
WORST = ("done", "failed", "unknown", "overdue", "waiting", "expected", MISSING)
REFUND_EACH = 10
"""Every tenth order is refunded in part."""
_EVERY = 0.5

Promises = dict[str, dict[str, Any]]


class Work:
    """Works with the shops' tokens; what has no outcome within `patience` seconds is told as it stands then."""

    def __init__(self, front: ShopFront, patience: float = 90.0) -> None:
        self._front, self._patience = front, patience

    async def handle(self, story: Story) -> None:
        """Asks for everything, and keeps in the story what came of each."""
        expected = ["order-received"]
        found: Promises = {}
        try:
            if story.asked.order.payment.reference:
                expected.append("authorize")
            found = await self._settled(story, expected)
            for what in ("transfer", "shipments", "process"):
                await self._front.act(story.asked, what)
            expected += ["transfer", "book-shipment", *(["capture"] if is_done(found, "authorize") else [])]
            found = await self._settled(story, expected)
            if is_done(found, "capture") and story.order_id.int % REFUND_EACH == 0:
                await self._front.act(story.asked, "refund", amount=1, reason="A part was damaged.")
                expected.append("refund")
                found = await self._settled(story, expected)
            story.promises = {what: (came_to(found, what), words_of(found, what)) for what in [*expected, *found]}
            await self._add_repairs(story, found)
        except NoAnswer as silence:
            story.promises["handled"] = (MISSING, str(silence))

    async def _settled(self, story: Story, expected: list[str]) -> Promises:
        """The order's promises by name, once all that are expected have an outcome or patience is at its end."""
        deadline = asyncio.get_running_loop().time() + self._patience
        while True:
            found = by_name(await self._front.promises_of(story.asked))
            late = asyncio.get_running_loop().time() > deadline
            if late or all(came_to(found, what) not in {*OPEN, MISSING} for what in [*expected, *found]):
                return found
            await asyncio.sleep(_EVERY)

    async def _add_repairs(self, story: Story, found: Promises) -> None:
        """Names the command that settles each of which nobody knows."""
        unknown = {each["entry_id"]: what for what, each in found.items() if each["state"] == "unknown"}
        for entry in await self._front.log_of(story.asked, [EffectUnknown.type]) if unknown else ():
            if (what := unknown.get(entry["id"])) is not None:
                service, key = found[what]["by"], entry["data"]["key"]
                story.promises[what] = ("unknown", f"ops unknown settle {service}/{key} --happened")


def by_name(promises: Iterable[dict[str, Any]]) -> Promises:
    """One for each name: of several the one that stands worst."""
    found: Promises = {}
    for promise in promises:
        what = promise["what"]
        if what not in found or WORST.index(promise["state"]) > WORST.index(found[what]["state"]):
            found[what] = promise
    return found


def came_to(found: Promises, what: str) -> str:
    """How a promise stands; `missing` where the order does not show it at all."""
    return str(found[what]["state"]) if what in found else MISSING


def is_done(found: Promises, what: str) -> bool:
    """Whether it has happened."""
    return came_to(found, what) == "done"


def words_of(found: Promises, what: str) -> str:
    """Why it stands so, where the order says it."""
    return str(found[what]["reason"]) if what in found else "the order does not show it"

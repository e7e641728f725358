"""The same done with many orders: some at a time, each with its own outcome; what was done once stays done.

Nothing is kept between two steps: a step says which orders are left, and the browser asks for the next. Every order
has a key of its own under the key of the form, so that a step that is asked for twice happens once.
"""

import asyncio
from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from services.backoffice.orders import ORDERS
from services.backoffice.others import Away, Others, Refusal
from services.backoffice.sessions import Visitor
from services.backoffice.visiting import Form, Handler, Posted, is_part, others_of, page
from shared.runtime.problems import Problem

router = APIRouter(include_in_schema=False)
AT_ONCE = 8
MOST = 200
ROOT = "root"


@dataclass(frozen=True)
class Chosen:
    """An order as the list knew it: what was shown is what is meant."""

    id: str
    version: int
    number: str

    @classmethod
    def of(cls, value: str) -> "Chosen":
        """From a box of the list, `<id>.<version>.<number>`. Raises Problem."""
        order_id, _, rest = value.partition(".")
        version, _, number = rest.partition(".")
        if not (order_id.replace("-", "").isalnum() and version.isdecimal() and number.isdecimal()):
            raise Problem(422, "invalid-request", "This is no order of the list.")
        return cls(order_id, int(version), number)

    def __str__(self) -> str:
        return f"{self.id}.{self.version}.{self.number}"


@dataclass(frozen=True)
class Deed:
    """What is to be done with each: a path below the order, and what is sent there."""

    path: str
    body: dict[str, Any]
    at_version: bool = False
    """Whether it is only done with the order as it was shown."""

    @classmethod
    def of(cls, said: str) -> "Deed":
        """From a button or the menu, `process`, `folder:to-pack`. Raises Problem."""
        what, _, which = said.partition(":")
        match what:
            case "process":
                return cls("process", {}, at_version=True)
            case "print" if which:
                return cls("documents", {"document": which})
            case "folder" if which:
                return cls("folder", {"folder": None if which == ROOT else which})
            case "status" if which:
                return cls("status", {"status": which})
            case "internal":
                return cls("internal-status", {"status": which or None})
        raise Problem(422, "nothing-chosen", "Nothing was chosen that could be done.")


@dataclass(frozen=True)
class Outcome:
    """What became of one: a stable word, empty where it was done."""

    order: Chosen
    reason: str = ""
    detail: str = ""


@router.post("/orders/several")
async def do_with_several(request: Request, visitor: Handler, sent: Posted) -> Response:
    """Do it with the first of them, and say how the rest is asked for; without scripts, with all."""
    said = sent.one("do") or sent.one("action")
    deed, chosen = Deed.of(said), list(dict.fromkeys(Chosen.of(value) for value in sent.all("order")))
    if not chosen:
        raise Problem(422, "nothing-chosen", "No order was chosen.")
    if len(chosen) > MOST:
        raise Problem(422, "too-many-chosen", f"At most {MOST} orders at a time.")
    now, later = (chosen[:AT_ONCE], chosen[AT_ONCE:]) if is_part(request) else (chosen, [])
    outcomes = await done_with(others_of(request), visitor, deed, now, sent.one("key"))
    counted = counts(sent, outcomes, len(chosen))
    shown: dict[str, Any] = {"outcomes": outcomes, "later": later, "said": said, "key": sent.one("key"), **counted}
    if not is_part(request):
        return page(request, "several.html", further=False, **shown)
    begun = bool(sent.one("total"))
    headers = {} if later else {"HX-Trigger": "orders-changed"}
    return page(request, "several-rows.html" if begun else "several-part.html", headers=headers, further=begun, **shown)


async def done_with(others: Others, visitor: Visitor, deed: Deed, chosen: list[Chosen], key: str) -> list[Outcome]:
    """What became of each, in their order."""
    hands = asyncio.Semaphore(AT_ONCE)

    async def do(order: Chosen) -> Outcome:
        async with hands:
            try:
                await others.post(
                    ORDERS,
                    f"/v1/orders/{order.id}/{deed.path}",
                    visitor,
                    deed.body,
                    key=f"{key}:{order.id}",
                    version=order.version if deed.at_version else None,
                )
            except Refusal as refusal:
                return Outcome(order, refusal.reason, refusal.detail)
            except Away:
                return Outcome(order, "unavailable")
            return Outcome(order)

    return list(await asyncio.gather(*map(do, chosen)))


def counts(sent: Form, outcomes: list[Outcome], left: int) -> dict[str, int]:
    """How far it is: all of them, how many were done, and how many were not."""
    failed = sum(bool(outcome.reason) for outcome in outcomes)

    def before(name: str) -> int:
        value = sent.one(name)
        return int(value) if value.isdecimal() and len(value) <= len(str(MOST)) else 0

    return {
        "total": before("total") or left,
        "done": before("done") + len(outcomes) - failed,
        "failed": before("failed") + failed,
    }

"""Payments without an order (R133): what was said of each, and whose somebody says it is, or why it is nobody's.

Nothing is attached at one go: an order is looked for, shown beside the payment, and only then said to be the one.
"""

import asyncio
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Request
from starlette.responses import Response

from services.backoffice.order_sheet import PERSON, names_of
from services.backoffice.orders import ListedOrder, list_of, order_of, shop_of
from services.backoffice.others import Away, Others, Refusal, or_away
from services.backoffice.payments import (
    STATES,
    UnmatchedPayment,
    payment_of,
    payments_of,
    settle_payment,
)
from services.backoffice.sessions import Visitor
from services.backoffice.visiting import Form, Posted, go_to, looks_of, new_secret, others_of, page, who_may
from shared.contracts.order import OrderSnapshot
from shared.contracts.shop_facts import ShopSettings
from shared.contracts.values import Money

router = APIRouter(prefix="/payments", include_in_schema=False)
MOST = 10
"""Orders that a search shows; whoever finds more says more."""
LIKELY, AROUND = 5, timedelta(days=2)
"""So many orders are proposed, placed so long before or after the payment was first heard of."""

Reader = Annotated[Visitor, Depends(who_may("payments:read"))]
Writer = Annotated[Visitor, Depends(who_may("payments:write"))]
Which = Annotated[UUID, Path()]


@dataclass(frozen=True)
class Tried:
    """A form that came, and why it was not done."""

    what: str
    form: Form
    reason: str
    detail: str = ""


@dataclass(frozen=True)
class Found:
    """Orders that it may belong to; `proposed` where nobody has looked for any."""

    orders: list[ListedOrder]
    more: bool = False
    proposed: bool = False


@router.get("")
async def payments(request: Request, visitor: Reader, *, state: str = "open", after: UUID | None = None) -> Response:
    """Those in one state, the oldest first."""
    others, wanted = others_of(request), state if state in STATES else STATES[0]
    shop, found = await asyncio.gather(
        or_away(shop_of(others, visitor)),
        or_away(payments_of(others, visitor, wanted, str(after) if after else "")),
    )
    settlers = {each.settled_by or "" for each in found.payments} if found else set()
    return page(
        request,
        "payments.html",
        time_zone=zone_of(shop),
        shop=shop,
        states=STATES,
        state=wanted,
        after=after,
        found=found,
        names=await names_of(request.app.state.pool, settlers),
        known=looks_of(request).texts["en"].keys(),
    )


@router.get("/{payment_id}")
async def payment(
    request: Request, visitor: Reader, payment_id: Which, *, q: str = "", order: UUID | None = None, done: str = ""
) -> Response:
    """One; `q` looks for its order, `order` shows one beside it, `done` says what was done a moment ago."""
    return await show(request, visitor, payment_id, q=q[:200], order=str(order) if order else "", done=done)


@router.get("/{payment_id}/attach")
@router.get("/{payment_id}/close")
async def again(request: Request, _visitor: Reader, payment_id: Which) -> Response:
    """Whoever reloads the page that a form had led to gets the payment."""
    return go_to(request, f"/payments/{payment_id}")


@router.post("/{payment_id}/attach")
async def attach(request: Request, visitor: Writer, sent: Posted, payment_id: Which) -> Response:
    """Say whose it is."""
    order_id = sent.one("order_id")
    if not is_id(order_id):
        return await show(request, visitor, payment_id, tried=Tried("attach", sent, "no-order-chosen"), status=422)
    return await settle(request, visitor, payment_id, "attach", sent, {"order_id": order_id})


@router.post("/{payment_id}/close")
async def close(request: Request, visitor: Writer, sent: Posted, payment_id: Which) -> Response:
    """Say that nothing is to be done about it, and why."""
    reason = sent.one("reason").strip()
    if not reason:
        return await show(request, visitor, payment_id, tried=Tried("close", sent, "no-reason"), status=422)
    return await settle(request, visitor, payment_id, "close", sent, {"reason": reason})


async def settle(
    request: Request, visitor: Visitor, payment_id: UUID, what: str, sent: Form, body: dict[str, str]
) -> Response:
    """Do it, and show the payment as it is then; where somebody was faster, who that was, with what was typed."""
    key = f"{sent.one('key')[:60]}:{what}"
    try:
        after = await settle_payment(others_of(request), visitor, str(payment_id), what, body, key=key)
    except Refusal as no:
        tried = Tried(what, sent, no.reason, no.detail)
        return await show(request, visitor, payment_id, order=body.get("order_id", ""), tried=tried, status=no.status)
    except Away as away:
        tried = Tried(what, sent, away.reason or "unavailable")
        return await show(request, visitor, payment_id, order=body.get("order_id", ""), tried=tried, status=503)
    if after.settled_by != f"{PERSON}{visitor.id}":
        tried = Tried(what, sent, "already-" + after.state)
        return await show(request, visitor, payment_id, tried=tried, status=409)
    return go_to(request, f"/payments/{payment_id}?done={what}")


async def show(
    request: Request,
    visitor: Visitor,
    payment_id: UUID,
    *,
    q: str = "",
    order: str = "",
    done: str = "",
    tried: Tried | None = None,
    status: int = 200,
) -> Response:
    """The payment, what was said of it, and where it can be settled the way there."""
    others = others_of(request)
    shop, it = await asyncio.gather(
        or_away(shop_of(others, visitor)), or_away(payment_of(others, visitor, str(payment_id)))
    )
    can_settle = it is not None and visitor.may("payments:write") and it.state != "matched"
    beside, found = await asyncio.gather(
        one_order(others, visitor, (it.order_id or order) if it else ""),
        or_away(orders_for(others, visitor, it, q)) if it and can_settle else nothing(),
    )
    return page(
        request,
        "payment.html",
        status=status,
        time_zone=zone_of(shop),
        shop=shop,
        it=it,
        payment_id=payment_id,
        q=q,
        beside=beside,
        chosen=order,
        misfit=misfit_of(it, beside) if it and beside else "",
        difference=difference_of(it, beside) if it and beside else None,
        money=lambda amount, currency: Money(amount=amount, currency=currency),
        found=found,
        can_settle=can_settle,
        tried=tried,
        done=done,
        names=await names_of(request.app.state.pool, {it.settled_by or ""} if it else set()),
        key=new_secret(),
        known=looks_of(request).texts["en"].keys(),
    )


async def orders_for(others: Others, visitor: Visitor, it: UnmatchedPayment, q: str) -> Found:
    """What the list's own search finds; where nothing is looked for, orders of those days that nobody has paid."""
    if q.strip():
        asked = [("q", q.strip()), ("sort", "-placed_at"), ("limit", str(MOST))]
        page_of = await list_of(others, visitor, asked)
        return Found(page_of.orders, more=page_of.next is not None)
    days = [
        ("placed_from", (it.first_heard_at - AROUND).isoformat()),
        ("placed_before", (it.first_heard_at + AROUND).isoformat()),
    ]
    unpaid = [("payment_status", "none"), ("cancelled", "false"), ("sort", "-placed_at"), ("limit", "50")]
    near = [order for order in (await list_of(others, visitor, [*unpaid, *days])).orders if fits(it, order)]
    return Found(sorted(near, key=lambda order: order.amount != it.sum)[:LIKELY], proposed=True)


def fits(it: UnmatchedPayment, order: ListedOrder) -> bool:
    """Whether an order of the list can have it, by its currency."""
    return it.currency in {None, order.currency}


def misfit_of(it: UnmatchedPayment, order: OrderSnapshot) -> str:
    """Why the order cannot have it, as integrations would say; empty where it can."""
    if order.payment.reference not in {"", it.reference}:
        return "other-payment"
    return "other-currency" if it.currency not in {None, order.currency} else ""


def difference_of(it: UnmatchedPayment, order: OrderSnapshot) -> Money:
    """By how much they differ, in the order's currency."""
    return Money(amount=abs(it.sum - order.totals.to_pay.amount), currency=order.currency)


async def one_order(others: Others, visitor: Visitor, order_id: str) -> OrderSnapshot | None:
    """An order; None where there is none, or it cannot be had now."""
    if not is_id(order_id):
        return None
    try:
        return await order_of(others, visitor, order_id)
    except (Away, Refusal):
        return None


async def nothing() -> None:
    """No orders are looked for."""


def is_id(said: str) -> bool:
    """Whether it is an id as orders have them."""
    try:
        UUID(said)
    except ValueError:
        return False
    return True


def zone_of(shop: ShopSettings | None) -> str:
    """The shop's zone, as far as it is known."""
    return shop.time_zone if shop else "UTC"

"""What is connected and how it is, as people see it, and whether it works now: never a secret, never another shop's."""

import math
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query, Request
from pydantic import BaseModel, Field

from services.integrations.accounts import UnknownProvider
from services.integrations.calling import Word
from services.integrations.checks import SELDOM, Checks, NotConnected, TooSoon
from services.integrations.connections import Kind
from services.integrations.health import Health, State, read_health
from shared.contracts.values import ShopId
from shared.messaging.sealing import CannotOpen
from shared.runtime.database import connected
from shared.runtime.openapi import problem_response
from shared.runtime.problems import Problem
from shared.runtime.tokens import ANY_SHOP, Caller, authenticated, of_one_shop

router = APIRouter(prefix="/v1/connections", tags=["connections"])

PLACE = r"^[a-z0-9][a-z0-9-]{0,62}/[a-z]{1,20}$"
UNKNOWN = problem_response("404", "unknown-connection", "The shop has no such connection.")
NO_ADAPTER = problem_response("409", "no-adapter", "This version does not speak with the connection's provider.")
TOO_SOON = problem_response("429", "checked-just-now", "The connection was checked a moment ago.")
NO_KEY = problem_response("503", "sealing-key-missing", "The connection's secrets cannot be opened.")


class Calls(BaseModel):
    """What was asked of the provider for orders."""

    done: int = Field(description="Begun in the last 24 hours, and done.", examples=[41])
    failed: int = Field(
        description="Begun in the last 24 hours, and answered with a clear no, as to a card that has expired.",
        examples=[1],
    )
    unknown: int = Field(description="Of which nobody can say whether they happened, however old.", examples=[0])
    last_done_at: datetime | None = Field(description="When the last that was done was begun.")
    last_failed_at: datetime | None = Field(description="When the last that got a clear no was begun.")
    last_failed_reason: str | None = Field(
        description="The provider's word for its no, as the order log has it.", examples=["card-declined"]
    )


class Orders(BaseModel):
    """Orders that are held up now."""

    waiting: int = Field(description="Whose messages are tried again later.", examples=[0])
    blocked: int = Field(description="Whose messages were given up; a person must look at them.", examples=[0])


class Breaker(BaseModel):
    """Processes that leave the connection alone because it mostly fails; each finds out for itself."""

    open_in: int = Field(description="How many do so now.", examples=[0])
    since: datetime | None = Field(description="Since when the first of them does.")


class Webhooks(BaseModel):
    """What came to the connection's address."""

    last_genuine_at: datetime | None
    last_not_genuine_at: datetime | None = Field(description="Anybody can send one; it says nothing of the connection.")
    not_genuine: Literal["no-headers", "wrong-time", "wrong-signature", "no-usable-secret"] | None = Field(
        description="Why that one was not. `wrong-signature` again and again: the secret is another one there."
    )


class LastCheck(BaseModel):
    """What came of the last check that a person asked for."""

    at: datetime
    outcome: Word = Field(examples=["answered"])
    ms: int = Field(examples=[84])


class ConnectionHealth(BaseModel):
    """What a shop has connected, and how it is."""

    shop: str = Field(examples=["nordic-tea"])
    kind: Kind
    provider: str = Field(description="Which adapter speaks with it.", examples=["sandbox"])
    host: str = Field(
        description="Where it is; the rest of the address is not shown.", examples=["api.provider.example"]
    )
    capture: Literal["by-hand", "when-shipped"] | None = Field(description="When money is taken; of payment alone.")
    changed_at: datetime = Field(description="When it was connected, or last changed.")
    state: State = Field(
        description="The first that fits. `refused`: the provider's last word was that the key is not good. "
        "`unreachable`: the last time nobody answered. `troubled`: it said that it cannot now, or a process leaves it "
        "alone, or orders wait, or calls are unknown. `untried`: nothing was asked since `changed_at`. `healthy`: none "
        "of these."
    )
    last_answer_at: datetime | None = Field(description="When it last answered, with a yes or a no.")
    last_trouble_at: datetime | None = Field(description="When an exchange last went otherwise.")
    last_trouble: Word | None = Field(description="How that one went.", examples=["no-answer"])
    calls: Calls
    orders: Orders
    breaker: Breaker
    webhooks: Webhooks | None = Field(description="None of a kind that sends none.")
    last_check: LastCheck | None


class ConnectionPage(BaseModel):
    """Some connections, by shop and kind."""

    connections: list[ConnectionHealth]
    next: str | None = Field(
        description="Ask again with it as `after`; none where this is the last page.", examples=["nordic-tea/shipping"]
    )


class CheckOutcome(BaseModel):
    """How the provider answered a harmless question, asked with the connection's key."""

    at: datetime
    outcome: Word = Field(
        description="`answered`: it works. `refused`: the key is not good. `failing`: it answered that it cannot now, "
        "or what this provider does not. `not-reached`: nobody is there. `no-answer`: none within five seconds.",
        examples=["answered"],
    )
    ms: int = Field(description="Milliseconds until it was known.", examples=[84])
    detail: str = Field(description="For people; empty where it works.", examples=[""])


EXAMPLE: dict[str, Any] = {
    "shop": "nordic-tea",
    "kind": "payment",
    "provider": "sandbox",
    "host": "api.provider.example",
    "capture": "when-shipped",
    "changed_at": "2026-11-20T09:12:40Z",
    "state": "troubled",
    "last_answer_at": "2026-11-24T18:30:02Z",
    "last_trouble_at": "2026-11-24T18:31:47Z",
    "last_trouble": "failing",
    "calls": {
        "done": 41,
        "failed": 1,
        "unknown": 0,
        "last_done_at": "2026-11-24T18:30:01Z",
        "last_failed_at": "2026-11-24T16:02:11Z",
        "last_failed_reason": "card-declined",
    },
    "orders": {"waiting": 7, "blocked": 0},
    "breaker": {"open_in": 1, "since": "2026-11-24T18:31:47Z"},
    "webhooks": {
        "last_genuine_at": "2026-11-24T18:30:01Z",
        "last_not_genuine_at": "2026-11-19T23:50:08Z",
        "not_genuine": "wrong-signature",
    },
    "last_check": {"at": "2026-11-20T09:13:02Z", "outcome": "answered", "ms": 84},
}
LISTED = {"content": {"application/json": {"example": {"connections": [EXAMPLE], "next": "nordic-tea/payment"}}}}
CHECKED = {"content": {"application/json": {"example": EXAMPLE["last_check"] | {"detail": ""}}}}

Of = Annotated[
    ShopId | None, Query(description="Only of this shop. A token of any shop sees all, one of a shop its own alone.")
]


async def reader(caller: Annotated[Caller, Depends(authenticated("connections:read"))]) -> Caller:
    """Who may look at connections: of its own shop, or of any."""
    return caller


async def checker(caller: Annotated[Caller, Depends(authenticated("connections:write"))]) -> Caller:
    """Who may have a connection checked."""
    return caller


@router.get("", summary="List connections and how they are", responses={200: LISTED})
async def list_health(
    request: Request,
    caller: Annotated[Caller, Depends(reader)],
    *,
    shop: Of = None,
    after: Annotated[str | None, Query(pattern=PLACE, description="The `next` of the page before.")] = None,
    limit: Annotated[int, Query(ge=1, le=200, description="At most so many.")] = 50,
) -> ConnectionPage:
    """What is connected and how it is, by what the database knows; what a process hears stands there within 5 s."""
    wanted = shop if caller.shop == ANY_SHOP else caller.shop
    if shop not in {None, wanted}:
        return ConnectionPage(connections=[], next=None)
    place = None if after is None else (after.split("/")[0], after.split("/")[1])
    async with connected(request.app.state.keyed_pool) as connection:
        found = await read_health(connection, wanted, after=place, limit=limit + 1)
    return page_of(found, limit)


@router.post(
    "/{kind}/check",
    summary="Check whether a connection works",
    responses={200: CHECKED, 404: UNKNOWN, 409: NO_ADAPTER, 429: TOO_SOON, 503: NO_KEY},
)
async def check(
    request: Request, caller: Annotated[Caller, Depends(checker)], kind: Kind, *, shop: Of = None
) -> CheckOutcome:
    """Ask the provider something that changes nothing, with the connection's key; at most every ten seconds.

    It is asked also while calls for orders are held back because the provider mostly fails. A token of any shop names
    the `shop`.
    """
    checks: Checks = request.app.state.checks
    wanted = shop_of(caller, shop)
    try:
        outcome = await checks.check(wanted, kind)
    except NotConnected:
        raise unknown() from None
    except TooSoon as error:
        headers = {"Retry-After": str(math.ceil(error.seconds)), "RateLimit-Policy": f'"checks";q=1;w={SELDOM:.0f}'}
        raise Problem(429, "checked-just-now", "The connection was checked a moment ago.", headers=headers) from None
    except UnknownProvider as error:
        title = "This version does not speak with the connection's provider."
        raise Problem(409, "no-adapter", title, str(error)) from None
    except CannotOpen:
        raise Problem(503, "sealing-key-missing", "The connection's secrets cannot be opened.") from None
    return CheckOutcome(
        at=outcome.at, outcome=outcome.checked.word, ms=outcome.checked.ms, detail=outcome.checked.detail
    )


def shop_of(caller: Caller, shop: str | None) -> str:
    """Whose connection is meant: another shop's is as if it were not there."""
    if caller.shop == ANY_SHOP and shop is not None:
        return shop
    own = of_one_shop(caller).shop
    if shop not in {None, own}:
        raise unknown()
    return own


def unknown() -> Problem:
    """The answer about a connection that is not there, or another shop's."""
    return Problem(404, "unknown-connection", "The shop has no such connection.")


def page_of(found: Sequence[Health], limit: int) -> ConnectionPage:
    """The first `limit` of them, and where the next page begins."""
    last = found[limit - 1] if len(found) > limit else None
    following = None if last is None else f"{last.shop}/{last.kind}"
    return ConnectionPage(connections=[shown(each) for each in found[:limit]], next=following)


def shown(health: Health) -> ConnectionHealth:
    """A connection as callers see it."""
    checked = health.checked
    return ConnectionHealth.model_validate(
        {
            **{name: getattr(health, name) for name in ("shop", "kind", "provider", "host", "capture", "changed_at")},
            "state": health.state,
            "last_answer_at": health.answered_at,
            "last_trouble_at": health.troubled_at,
            "last_trouble": health.trouble,
            "calls": {
                "done": health.done,
                "failed": health.failed,
                "unknown": health.unknown,
                "last_done_at": health.done_at,
                "last_failed_at": health.failed_at,
                "last_failed_reason": health.failed_reason,
            },
            "orders": {"waiting": health.waiting, "blocked": health.blocked},
            "breaker": {"open_in": health.left_alone_by, "since": health.left_alone_since},
            "webhooks": None
            if health.kind == "erp"
            else {
                "last_genuine_at": health.webhook_at,
                "last_not_genuine_at": health.forged_at,
                "not_genuine": health.forged,
            },
            "last_check": {"at": health.checked_at, "outcome": checked, "ms": health.checked_ms} if checked else None,
        }
    )

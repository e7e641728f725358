"""The way in and out: a wrong name and a wrong password are answered alike, and guessing gets nowhere."""

import asyncio
from typing import Annotated, cast

import structlog
from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from services.backoffice.guesses import Guesses, TooMany
from services.backoffice.orders import shop_of
from services.backoffice.others import Away, Refusal
from services.backoffice.passwords import Passwords
from services.backoffice.people import NEW_PASSWORD, SPEAK, find_person
from services.backoffice.sessions import Visitor
from services.backoffice.visiting import (
    A_YEAR,
    LANGUAGE,
    Posted,
    Somebody,
    from_stranger,
    go_to,
    inside,
    others_of,
    page,
    read_cookie,
    sessions_of,
    set_cookie,
    stranger,
)
from shared.contracts.values import Language
from shared.runtime.actors import is_shop
from shared.runtime.database import connected
from shared.runtime.presentation.texts import LANGUAGES
from shared.runtime.problems import Problem
from shared.runtime.tokens import ANY_SHOP

router = APIRouter(include_in_schema=False)
log = structlog.stdlib.get_logger(__name__)


@router.get("/")
async def first(request: Request) -> Response:
    """Where people begin."""
    return go_to(request, "/orders")


@router.get("/sign-in")
async def ask(
    request: Request,
    next_: Annotated[str, Query(alias="next", max_length=2_000)] = "/",
    language: Annotated[Language | None, Query()] = None,
) -> Response:
    """The form."""
    if language is not None:
        request.state.chosen = language
    answer = form(request, where=inside(next_))
    if language is not None:
        set_cookie(request, answer, LANGUAGE, language, A_YEAR)
    return answer


@router.post("/sign-in")
async def sign_in(request: Request) -> Response:
    """A new session, in place of any that the browser has."""
    sent = await from_stranger(request)
    guesses: Guesses = request.app.state.guesses
    email, address, where = sent.one("email")[:320], address_of(request), inside(sent.one("next") or "/")
    try:
        await guesses.count(email, address)
    except TooMany as many:
        log.warning("too many tries", minutes=many.minutes)
        answer = form(request, status=429, where=where, email=email, minutes=many.minutes)
        answer.headers["Retry-After"] = str(60 * many.minutes)
        return answer
    person_id = await recognised(request, email, sent.one("password"))
    if person_id is None:
        return form(request, status=401, where=where, email=email, wrong=True)
    await guesses.right(email, address)
    secret = await sessions_of(request).begin(person_id, None, read_cookie(request, "session"))
    visitor = await sessions_of(request).find(secret)
    if visitor is not None and len(visitor.shops) == 1 and ANY_SHOP not in visitor.roles:
        await sessions_of(request).choose(visitor, visitor.shops[0])
    answer = go_to(request, where)
    set_cookie(request, answer, "session", secret)
    return answer


@router.post("/sign-out")
async def sign_out(request: Request, visitor: Somebody, sent: Posted) -> Response:
    """This session is over; with `everywhere`, all others are instead."""
    if sent.one("everywhere"):
        await sessions_of(request).end_others(visitor)
        return go_to(request, "/account")
    await sessions_of(request).end(visitor)
    answer = go_to(request, "/sign-in")
    set_cookie(request, answer, "session", "", 0)
    return answer


@router.get("/shops")
async def shops(request: Request, visitor: Somebody) -> Response:
    """Which shop to work in."""
    names = await asyncio.gather(*(_name(request, visitor, shop) for shop in visitor.shops))
    return page(request, "shops.html", shops=list(zip(visitor.shops, names, strict=True)), wrong="")


@router.post("/shops")
async def choose(request: Request, visitor: Somebody, sent: Posted) -> Response:
    """From now on the session is in this shop; only one where they have a role, or any for an operator."""
    shop = sent.one("shop").strip()
    if shop not in visitor.roles and ANY_SHOP not in visitor.roles:
        raise Problem(404, "not-found", "There is no such shop.")
    if shop not in visitor.shops and (not is_shop(shop) or await _name(request, visitor, shop) is None):
        return page(request, "shops.html", status=404, shops=[(each, each) for each in visitor.shops], wrong=shop)
    await sessions_of(request).choose(visitor, shop)
    return go_to(request, "/orders")


@router.get("/account")
async def account(request: Request, visitor: Somebody) -> Response:
    """Who one is here, and the ways out."""
    return page(request, "account.html", visitor_role=visitor.role)


@router.post("/language")
async def speak(request: Request, visitor: Somebody, sent: Posted) -> Response:
    """From now on pages are in this language."""
    language = sent.one("language")
    if language not in LANGUAGES:
        raise Problem(422, "invalid-request", "There is no such language.")
    async with connected(request.app.state.pool) as connection:
        await connection.execute(SPEAK, visitor.id, language)
    answer = go_to(request, inside(sent.one("next") or "/"))
    set_cookie(request, answer, LANGUAGE, language, A_YEAR)
    return answer


def form(
    request: Request, *, where: str, status: int = 200, email: str = "", wrong: bool = False, minutes: int = 0
) -> Response:
    """The sign-in, known by a secret that its cookie has too."""
    secret, keep = stranger(request)
    answer = page(
        request, "sign-in.html", status=status, csrf=secret, where=where, email=email, wrong=wrong, minutes=minutes
    )
    keep(answer)
    return answer


async def recognised(request: Request, email: str, password: str) -> str | None:
    """The id of whoever has this address and this password; it takes as long where nobody has."""
    passwords: Passwords = request.app.state.passwords
    async with connected(request.app.state.pool) as connection:
        row = await find_person(connection, email)
    kept = row["password"] if row is not None and row["disabled_at"] is None else None
    if not await passwords.fits(password, kept) or row is None:
        return None
    if kept is not None and passwords.outdated(kept):
        async with connected(request.app.state.pool) as connection:
            await connection.execute(NEW_PASSWORD, row["id"], await passwords.hashed(password))
    return cast(str, row["id"])


def address_of(request: Request) -> str:
    """Whose address it is, as far as the proxies before us can be believed."""
    proxies: int = request.app.state.proxies
    hops = [hop.strip() for hop in request.headers.get("x-forwarded-for", "").split(",") if hop.strip()]
    if proxies and len(hops) >= proxies:
        return hops[-proxies]
    return request.client.host if request.client else ""


async def _name(request: Request, visitor: Visitor, shop: str) -> str | None:
    """What the shop calls itself; its short name while orders is away, None where there is no such shop."""
    try:
        return (await shop_of(others_of(request), visitor.in_shop(shop))).name
    except Away:
        return shop
    except Refusal:
        return None

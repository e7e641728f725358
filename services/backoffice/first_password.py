"""Where somebody with a link chooses their password; the link is the secret, and good once."""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from services.backoffice.links import LONGEST, Invited, find_link, use_link
from services.backoffice.passwords import SHORTEST, TooShort
from services.backoffice.visiting import from_stranger, page, stranger
from shared.runtime.database import connected, transaction

router = APIRouter(include_in_schema=False)


@router.get("/set-password")
async def ask(request: Request, key: Annotated[str, Query(max_length=LONGEST)] = "") -> Response:
    """The form, or that the link is worth nothing."""
    async with connected(request.app.state.pool) as connection:
        return form(request, key, await find_link(connection, key))


@router.post("/set-password")
async def choose(request: Request) -> Response:
    """From now on this is the password, and every session from before is over."""
    sent = await from_stranger(request)
    key, password = sent.one("key")[:LONGEST], sent.one("password")
    async with connected(request.app.state.pool) as connection:
        invited = await find_link(connection, key)
    if invited is None or password != sent.one("again"):
        return form(request, key, invited, wrong="not-the-same")
    try:
        async with transaction(request.app.state.pool) as connection:
            chosen = await use_link(connection, request.app.state.passwords, key, password)
    except TooShort:
        return form(request, key, invited, wrong="too-short")
    return form(request, key, invited if chosen else None, done=chosen)


def form(request: Request, key: str, invited: Invited | None, *, wrong: str = "", done: bool = False) -> Response:
    """The page in each of its states."""
    status = 404 if invited is None else 422 if wrong else 200
    secret, keep = stranger(request)
    answer = page(
        request,
        "first-password.html",
        status=status,
        csrf=secret,
        key=key,
        invited=invited,
        wrong=wrong,
        done=done,
        shortest=SHORTEST,
    )
    keep(answer)
    return answer

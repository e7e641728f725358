"""Who asks for a page, in which language, and whether what they send comes from our own forms."""

import gzip
import hmac
import secrets
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, cast
from urllib.parse import parse_qsl, quote

from fastapi import Depends, Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from services.backoffice.looks import Looks
from services.backoffice.others import Others
from services.backoffice.sessions import Sessions, Visitor
from shared.contracts.values import Language
from shared.runtime.bodies import whole_body
from shared.runtime.presentation.texts import LANGUAGES
from shared.runtime.problems import Problem

FORM = "application/x-www-form-urlencoded"
MAX_FIELDS = 2_100
"""A form can have a field for each line of the longest order."""
A_YEAR = 365 * 24 * 3600
LANGUAGE = "language"
OURS = {"same-origin", "none"}
"""What a browser says (Sec-Fetch-Site) of what comes from a page of ours, or from whoever sits in front of it."""
COMPRESSION = 4


class SignInNeeded(Exception):
    """Nobody has signed in, or no longer."""


class ShopNeeded(Exception):
    """They work in several shops, and have not said in which one now."""


@dataclass(frozen=True)
class Form:
    """What was sent."""

    fields: list[tuple[str, str]]

    def one(self, name: str) -> str:
        """The field, or nothing."""
        return next((value for field, value in self.fields if field == name), "")

    def all(self, name: str) -> list[str]:
        """Every field of this name."""
        return [value for field, value in self.fields if field == name]


def looks_of(request: Request) -> Looks:
    """What renders."""
    return cast(Looks, request.app.state.looks)


def others_of(request: Request) -> Others:
    """The other services."""
    return cast(Others, request.app.state.others)


def sessions_of(request: Request) -> Sessions:
    """The sessions."""
    return cast(Sessions, request.app.state.sessions)


def cookie_name(request: Request, name: str) -> str:
    """Bound to this host, so that no other may set it, where there is https."""
    return f"__Host-{name}" if looks_of(request).https else name


def read_cookie(request: Request, name: str) -> str:
    """What the browser has kept."""
    return request.cookies.get(cookie_name(request, name), "")


def set_cookie(request: Request, answer: Response, name: str, value: str, seconds: int | None = None) -> None:
    """Have the browser keep it; no script sees it, and no other site makes it be sent with a form."""
    answer.set_cookie(
        cookie_name(request, name),
        value,
        max_age=seconds,
        path="/",
        secure=looks_of(request).https,
        httponly=True,
        samesite="lax",
    )


async def somebody(request: Request) -> Visitor:
    """Who has signed in. Raises SignInNeeded."""
    visitor = await sessions_of(request).find(read_cookie(request, "session"))
    if visitor is None:
        raise SignInNeeded
    request.state.visitor = visitor
    return visitor


async def watching(request: Request) -> Visitor:
    """Whose page asks by itself: that does not keep a session alive. Raises Problem, 401, where there is none."""
    visitor = await sessions_of(request).find(read_cookie(request, "session"), used=False)
    if visitor is None or visitor.shop is None:
        raise Problem(401, "unauthorized", "Nobody has signed in, or no longer.")
    request.state.visitor = visitor
    return visitor


async def at_work(request: Request) -> Visitor:
    """Who has signed in and works in a shop. Raises SignInNeeded, ShopNeeded."""
    visitor = await somebody(request)
    if visitor.shop is None:
        raise ShopNeeded
    return visitor


def who_may(scope: str) -> Callable[..., Awaitable[Visitor]]:
    """Make a dependency: who works in a shop and has the scope there; 403 for others."""

    async def allowed(visitor: Annotated[Visitor, Depends(at_work)]) -> Visitor:
        if not visitor.may(scope):
            raise Problem(403, "not-your-role", "Your role in this shop does not include that.")
        return visitor

    return allowed


Somebody = Annotated[Visitor, Depends(somebody)]
AtWork = Annotated[Visitor, Depends(at_work)]
Watching = Annotated[Visitor, Depends(watching)]
Handler = Annotated[Visitor, Depends(who_may("orders:write"))]


async def read_form(request: Request) -> Form:
    """What was sent, from a page of ours: a browser that says otherwise is not believed. Raises Problem."""
    if request.headers.get("sec-fetch-site", "same-origin") not in OURS:
        raise forged()
    if request.headers.get("content-type", "").partition(";")[0].strip() != FORM:
        raise Problem(415, "unsupported-media-type", "Forms are expected here.")
    try:
        text = (await whole_body(request)).decode()
        return Form(parse_qsl(text, keep_blank_values=True, max_num_fields=MAX_FIELDS))
    except ValueError:
        raise Problem(400, "malformed-form", "This is no form.") from None


async def posted(request: Request, _visitor: Annotated[Visitor, Depends(somebody)]) -> Form:
    """What somebody who has signed in sent with the secret of their session. Raises Problem, 403 without it."""
    form = await read_form(request)
    given = request.headers.get("x-csrf-token") or form.one("csrf")
    if not hmac.compare_digest(given.encode(), request.state.visitor.csrf.encode()):
        raise forged()
    return form


Posted = Annotated[Form, Depends(posted)]


def forged() -> Problem:
    """Answer what no form of ours sent."""
    return Problem(403, "not-from-here", "This was not sent from a page of ours, or the page is too old.")


def new_secret() -> str:
    """What a form before the sign-in is known by."""
    return secrets.token_urlsafe(24)


def language_of(request: Request) -> Language:
    """The person's own language; else what the browser has kept, or asks for first of those that there are."""
    chosen: Language | None = getattr(request.state, "chosen", None)
    visitor: Visitor | None = getattr(request.state, "visitor", None)
    if chosen or (visitor is not None and visitor.language in LANGUAGES):
        return chosen or cast(Language, visitor and visitor.language)
    kept = read_cookie(request, LANGUAGE)
    wanted = [kept, *preferred(request.headers.get("accept-language", ""))]
    return next((language for language in LANGUAGES if language == first_known(wanted)), "en")


def first_known(wanted: list[str]) -> str:
    """The first of these languages that there is."""
    return next((each for each in wanted if each in LANGUAGES), "")


def preferred(header: str) -> list[str]:
    """The languages of Accept-Language (RFC 9110 section 12.5.4), the most wanted first."""
    found = []
    for part in header[:500].split(","):
        name, _, quality = part.strip().partition(";")
        number = quality.strip().removeprefix("q=")
        weight = float(number) if number.replace(".", "", 1).isdecimal() else 1.0
        found.append((-weight, name.strip().lower().partition("-")[0]))
    return [name for _, name in sorted(found, key=lambda each: each[0])]


def is_part(request: Request) -> bool:
    """Whether htmx asks, for a part of a page."""
    return request.headers.get("hx-request") == "true" and request.headers.get("hx-history-restore-request") != "true"


def page(
    request: Request,
    template: str,
    *,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
    time_zone: str = "UTC",
    **said: Any,
) -> Response:
    """A page, or a part of one, for whoever asks."""
    visitor: Visitor | None = getattr(request.state, "visitor", None)
    text = looks_of(request).render(template, language_of(request), visitor, time_zone, path=request.url.path, **said)
    if not may_be_compressed(request):
        return HTMLResponse(text, status, headers)
    packed = gzip.compress(text.encode(), COMPRESSION, mtime=0)
    return HTMLResponse(packed, status, {**(headers or {}), "Content-Encoding": "gzip", "Vary": "Accept-Encoding"})


def may_be_compressed(request: Request) -> bool:
    """Whether nobody else has made the browser ask: whoever can would learn secrets by the lengths of answers."""
    ours = request.headers.get("sec-fetch-site", "cross-site") in OURS
    return ours and "gzip" in request.headers.get("accept-encoding", "")


def go_to(request: Request, address: str) -> Response:
    """Send the browser to another page, be it a link, a form or htmx that asks."""
    if is_part(request):
        return Response(status_code=204, headers={"HX-Redirect": address})
    return RedirectResponse(address, 303)


def inside(address: str) -> str:
    """An address of ours to go on to; anything else becomes the first page."""
    harmless = address.startswith("/") and not address.startswith(("//", "/\\")) and address.isprintable()
    return quote(address, safe="/?&=%:+,-_.~") if harmless else "/"

"""What goes wrong is a page too: in the visitor's language, with a way on, and nothing of our insides."""

from typing import Any
from urllib.parse import urlencode

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.backoffice.others import Away, Refusal
from services.backoffice.visiting import ShopNeeded, SignInNeeded, go_to, is_part, looks_of, page
from shared.runtime.database import OutcomeUnknown
from shared.runtime.problems import AWAY, Problem

log = structlog.stdlib.get_logger(__name__)

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}
OTHERWISE = {404: "not-found", 422: "invalid-request"}
TOO_LATE = {"HX-Retarget": "#notices", "HX-Reswap": "innerHTML"}
"""Where a part that could not be had is told of."""


class Pages:
    """ASGI middleware: every answer has the headers that keep other sites out; what nobody foresaw is a page."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        request, begun = Request(scope), False
        headers = HEADERS | ({"Strict-Transport-Security": "max-age=31536000"} if looks_of(request).https else {})

        async def dressed(message: Message) -> None:
            nonlocal begun
            if message["type"] == "http.response.start":
                begun = True
                given = {name.lower() for name, _ in message["headers"]}
                added = headers if b"cache-control" in given else headers | {"Cache-Control": "no-store"}
                message["headers"] = [
                    *message["headers"],
                    *((name.lower().encode(), value.encode()) for name, value in added.items()),
                ]
            await send(message)

        try:
            await self.app(scope, receive, dressed)
        except Exception:
            if begun:
                raise
            log.exception("page failed", method=scope["method"], path=scope["path"])
            await told(request, 500, "unforeseen")(scope, receive, dressed)


def told(request: Request, status: int, reason: str, detail: str = "") -> Response:
    """A page that says what went wrong; for htmx, the notice above the page that is there."""
    say = looks_of(request).texts["en"].keys()
    known = reason if f"problem-{reason}" in say else OTHERWISE.get(status, "refused")
    said: dict[str, Any] = {"reason": known, "code": status, "detail": detail}
    if is_part(request):
        return page(request, "notice.html", status=status, headers=TOO_LATE, **said)
    return page(request, "problem.html", status=status, **said)


async def tell_problem(request: Request, error: Exception) -> Response:
    """What was refused here."""
    if isinstance(error, Problem):
        return told(request, error.status_code, error.slug)
    return told(request, error.status_code if isinstance(error, HTTPException) else 422, "")


async def tell_refusal(request: Request, error: Exception) -> Response:
    """What another service refused."""
    assert isinstance(error, Refusal)  # noqa: S101 - registered for this class alone
    return told(request, error.status, error.reason, error.detail)


async def tell_away(request: Request, error: Exception) -> Response:
    """What cannot be had now."""
    log.warning("not available", path=request.url.path, error=type(error).__name__, reason=str(error))
    return told(request, 503, "unavailable")


async def sign_in_first(request: Request, _error: Exception) -> Response:
    """To the sign-in, and from there back."""
    if request.method == "GET" and not is_part(request):
        where = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        return go_to(request, f"/sign-in?{urlencode({'next': where})}")
    return go_to(request, "/sign-in")


async def choose_first(request: Request, _error: Exception) -> Response:
    """To the choice of the shop."""
    return go_to(request, "/shops")


def as_pages(app: FastAPI) -> None:
    """Make the app show its problems as pages, with the headers that pages need."""
    for kind in (Problem, HTTPException, RequestValidationError):
        app.add_exception_handler(kind, tell_problem)
    for away in (*AWAY, Away, OutcomeUnknown):
        app.add_exception_handler(away, tell_away)
    app.add_exception_handler(Refusal, tell_refusal)
    app.add_exception_handler(SignInNeeded, sign_in_first)
    app.add_exception_handler(ShopNeeded, choose_first)
    app.user_middleware.append(Middleware(Pages))

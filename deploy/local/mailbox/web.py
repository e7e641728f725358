"""The page shows mails that anybody may have written: no script of theirs runs, nothing remote is loaded."""

import secrets
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parseaddr
from itertools import islice
from pathlib import Path
from urllib.parse import quote

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from deploy.local.mailbox.reading import html_for_a_frame, read_mail
from deploy.local.mailbox.smtp import MISBEHAVING
from deploy.local.mailbox.store import Mails, Summary

_HERE = Path(__file__).parent
_PER_PAGE = 50
_API_LIMIT = 1000
_VIEWS = ("html", "text", "headers", "source")
_MAIL_POLICY = (
    "sandbox allow-popups allow-popups-to-escape-sandbox; default-src 'none'; "
    "style-src 'unsafe-inline'; img-src data:; font-src data:; frame-ancestors 'self'"
)
_SAFE = {"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer", "Cache-Control": "no-store"}


class Pages:
    """The page and the JSON API over one folder of mails."""

    def __init__(self, mails: Mails) -> None:
        self._mails = mails
        loader = FileSystemLoader(_HERE)
        self._templates = Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True)
        self._templates.filters["when"] = _when
        self._templates.filters["person"] = _person

    def app(self) -> Starlette:
        """The ASGI application."""
        return Starlette(
            routes=[
                Route("/", self.page),
                Route("/list", self.list_alone),
                Route("/page.css", self.css),
                Route("/messages/{number:int}", self.page),
                Route("/messages/{number:int}/html", self.html),
                Route("/messages/{number:int}/parts/{index:int}", self.part),
                Route("/api/messages", self.api_list),
                Route("/api/messages/{number:int}", self.api_message),
                Route("/api/messages/{number:int}/raw", self.api_raw),
            ]
        )

    async def page(self, request: Request) -> Response:
        """The list, and beside it the mail that was chosen."""
        nonce = secrets.token_urlsafe(16)
        policy = (
            f"default-src 'none'; script-src 'nonce-{nonce}'; style-src 'self'; img-src data:; connect-src 'self'; "
            "frame-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
        )
        number = request.path_params.get("number")
        chosen = None if number is None else self._chosen(number)
        context = {**self._list(request, chosen), "nonce": nonce, "misbehaving": MISBEHAVING, "views": _VIEWS}
        if chosen is not None:
            raw = self._mails.raw(chosen.number)
            reading = read_mail(raw)
            context["reading"] = reading
            plain_alone = reading.html is None and reading.text is not None
            context["view"] = "text" if context["show"] == "html" and plain_alone else context["show"]
            context["source"] = raw.decode("utf-8", errors="replace")
        html = self._templates.get_template("page.html").render(context)
        return HTMLResponse(html, headers={**_SAFE, "Content-Security-Policy": policy})

    async def list_alone(self, request: Request) -> Response:
        """The list without the page around it, for the page to renew it."""
        summary = self._mails.summary(_number(request.query_params, "chosen") or 0)
        return HTMLResponse(
            self._templates.get_template("list.html").render(self._list(request, summary)), headers=_SAFE
        )

    async def css(self, _request: Request) -> Response:
        """The style sheet."""
        return Response((_HERE / "page.css").read_text(), media_type="text/css", headers=_SAFE)

    async def html(self, request: Request) -> Response:
        """A mail's HTML alone, in a sandbox of its own even where it is opened without the page."""
        reading = read_mail(self._mails.raw(self._chosen(request.path_params["number"]).number))
        return HTMLResponse(html_for_a_frame(reading), headers={**_SAFE, "Content-Security-Policy": _MAIL_POLICY})

    async def part(self, request: Request) -> Response:
        """An attachment, to be saved and never shown."""
        reading = read_mail(self._mails.raw(self._chosen(request.path_params["number"]).number))
        found = next((part for part in reading.parts if part.index == request.path_params["index"]), None)
        if found is None:
            raise HTTPException(404)
        disposition = f"attachment; filename*=UTF-8''{quote(found.filename, safe='')}"
        headers = {**_SAFE, "Content-Disposition": disposition, "Content-Security-Policy": "sandbox"}
        return Response(found.content, media_type="application/octet-stream", headers=headers)

    async def api_list(self, request: Request) -> Response:
        """The mails, newest first; narrowed by `to`, `message_id`, `q`, `after`, `before`, `limit`."""
        asked = request.query_params
        found = self._search(asked)
        limit = min(_number(asked, "limit") or _API_LIMIT, _API_LIMIT)
        messages = [summary.as_json() for summary in islice(found, limit)]
        return JSONResponse({"total": len(self._mails), "messages": messages}, headers=_SAFE)

    async def api_message(self, request: Request) -> Response:
        """One mail: its line of the list, its headers, both bodies, its parts."""
        summary = self._chosen(request.path_params["number"])
        reading = read_mail(self._mails.raw(summary.number))
        return JSONResponse({**summary.as_json(), **reading.as_json()}, headers=_SAFE)

    async def api_raw(self, request: Request) -> Response:
        """One mail as bytes."""
        raw = self._mails.raw(self._chosen(request.path_params["number"]).number)
        return Response(raw, media_type="message/rfc822", headers={**_SAFE, "Content-Security-Policy": "sandbox"})

    def _chosen(self, number: int) -> Summary:
        summary = self._mails.summary(number)
        if summary is None:
            raise HTTPException(404, f"There is no mail {number}.")
        return summary

    def _search(self, asked: Mapping[str, str]) -> list[Summary]:
        found = self._mails.newest_first(before=_number(asked, "before"), after=_number(asked, "after") or 0)
        to, message_id, words = asked.get("to"), asked.get("message_id"), asked.get("q", "").strip()
        return [
            summary
            for summary in found
            if (to is None or to.casefold() in map(str.casefold, summary.envelope_to))
            and (message_id is None or summary.message_id == message_id)
            and (not words or summary.has(words))
        ]

    def _list(self, request: Request, chosen: Summary | None) -> dict[str, object]:
        asked = request.query_params
        found = self._search(asked)
        shown = found[:_PER_PAGE]
        return {
            "total": len(self._mails),
            "found": len(found),
            "shown": shown,
            "older": shown[-1].number if len(found) > _PER_PAGE else None,
            "before": _number(asked, "before"),
            "q": asked.get("q", "").strip(),
            "chosen": chosen,
            "show": asked.get("show", "html"),
        }


def _number(asked: Mapping[str, str], name: str) -> int | None:
    value = asked.get(name, "")
    if not value:
        return None
    if not (value.isascii() and value.isdecimal() and len(value) <= 18):  # noqa: PLR2004 - fits 64 bits
        raise HTTPException(400, f"{name} must be a whole number.")
    return int(value)


def _person(address: str) -> str:
    """The name in an address, or the address where it has none."""
    name, plain = parseaddr(address)
    return name or plain or address or "(no sender)"


def _when(moment: datetime) -> str:
    """The time of day for today's mails, the date for older ones, on the clock of this machine."""
    local, today = moment.astimezone(), datetime.now(UTC).astimezone().date()
    return f"{local:%H:%M}" if local.date() == today else f"{local:%Y-%m-%d %H:%M}"

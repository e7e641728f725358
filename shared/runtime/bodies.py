"""Request bodies: cut while they are read, and validated strictly from the raw bytes in one pass."""

import asyncio
import math
import re
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from fastapi import Request
from pydantic import BaseModel, ValidationError
from pydantic_core import from_json
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.runtime.problems import Problem, invalid_request, malformed

JSON = re.compile(r"\Aapplication/(?:json|[a-z0-9.!#$&^_-]+\+json)\s*(?:;.*)?\Z", re.IGNORECASE)
LARGE_NUMBER = re.compile(rb"[eE]\+?\d{3}|\d{200}")
READ_WITHIN = 30.0
"""Seconds that a body may take to come."""
READ_ON = 64
"""A body declared at most so many times the limit is read to its end unseen, so that the client hears the answer."""

M = TypeVar("M", bound=BaseModel)


class LimitBody:
    """ASGI middleware: a body is cut at `limit` bytes with 413, whether it declares its length or not."""

    def __init__(self, app: ASGIApp, limit: int) -> None:
        self.app = app
        self.limit = limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, counting what it brings."""
        if scope["type"] != "http" or scope["method"] in {"GET", "HEAD"}:
            await self.app(scope, receive, send)
            return
        declared = declared_length(scope)
        read = 0

        async def counted() -> Message:
            nonlocal read
            if declared is not None and declared > self.limit:
                raise too_large(self.limit, close=declared > READ_ON * self.limit)
            message = await receive()
            read += len(message.get("body", b""))
            if read > self.limit:
                raise too_large(self.limit, close=True)
            return message

        await self.app(scope, counted, send)


def declared_length(scope: Scope) -> int | None:
    """Read Content-Length; None where the body comes in chunks."""
    for name, value in scope["headers"]:
        if name == b"content-length":
            return int(value)
    return None


def too_large(limit: int, *, close: bool) -> Problem:
    """Refuse a body over the limit; `close` the connection when the rest is too much to read."""
    headers = {"Connection": "close"} if close else {}
    return Problem(413, "too-large", "The body is too large.", f"At most {limit} bytes.", headers=headers, limit=limit)


def json_body(model: type[M]) -> Callable[[Request], Awaitable[M]]:
    """Make a dependency that reads a JSON body as `model`, strictly; `await request.body()` then gives its raw bytes.

    415 for another content type, 400 for what is no JSON (NaN, Infinity and numbers beyond a double are none, nor is
    nesting beyond 200), 422 with the fields that are wrong. `document_json_bodies` puts the schema into OpenAPI.
    """
    validate = model.__pydantic_validator__.validate_json

    async def read(request: Request) -> M:
        require_json(request)
        body = await whole_body(request)
        require_finite_numbers(body)
        try:
            value: M = validate(body, strict=True)
        except ValidationError as error:
            raise not_valid(error) from None
        return value

    read.json_model = model  # type: ignore[attr-defined]
    return read


async def whole_body(request: Request) -> bytes:
    """Read the body to its end; a Problem when it breaks off or takes too long."""
    try:
        async with asyncio.timeout(READ_WITHIN):
            return await request.body()
    except ClientDisconnect:
        raise malformed("It ended before it was complete.") from None
    except TimeoutError:
        raise Problem(408, "too-slow", "The body did not come in time.", headers={"Connection": "close"}) from None


def require_json(request: Request) -> None:
    """Raise a 415 Problem for a body that is not declared as JSON, or is compressed."""
    declared = request.headers.get("content-type", "")
    plain = declared == "application/json" or JSON.match(declared)
    if not plain or request.headers.get("content-encoding", "identity") != "identity":
        accept = {"Accept": "application/json", "Accept-Encoding": "identity"}
        detail = "Send Content-Type: application/json, not compressed."
        raise Problem(415, "unsupported-media-type", "The body must be JSON.", detail, headers=accept)


def require_finite_numbers(body: bytes) -> None:
    """Raise a 400 Problem for NaN, Infinity and numbers too large: pydantic takes them, RFC 8259 does not.

    Bodies that cannot contain any are not read twice.
    """
    if b"NaN" not in body and b"Infinity" not in body and not LARGE_NUMBER.search(body):
        return
    try:
        value = from_json(body)
    except ValueError:
        return
    if not finite(value):
        raise malformed("NaN, Infinity and numbers too large for a double are no JSON numbers.")


def finite(value: Any) -> bool:
    """Say whether every number in the document is finite; nesting is bounded by the parser."""
    if isinstance(value, float):
        return math.isfinite(value)
    if isinstance(value, dict):
        return all(map(finite, value.values()))
    if isinstance(value, list):
        return all(map(finite, value))
    return True


def not_valid(error: ValidationError) -> Problem:
    """Tell malformed JSON (400) from a document that does not follow the schema (422)."""
    faults = error.errors(include_url=False, include_input=False)
    if faults[0]["type"] == "json_invalid":
        return malformed(faults[0]["msg"].removeprefix("Invalid JSON: "))
    return invalid_request(faults)

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
FORM = bytes.maketrans(b"123456789E", b"000000000e")
TAKES_ANY_NUMBER = frozenset({"float", "complex", "any", "json", "function-plain"})
READ_WITHIN = 30.0
"""Seconds that a body may take to come."""
HEAR_OUT = 16
HEAR_OUT_WITHIN = 5.0
"""Most of a refused body that is read and thrown away, in times the limit and in seconds; then the connection goes."""

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
        else:
            body = LimitedBody(scope, receive, send, self.limit)
            await self.app(scope, body.receive, body.send)


class LimitedBody:
    """One request's body: the app never sees more than `limit` bytes of it."""

    def __init__(self, scope: Scope, receive: Receive, send: Send, limit: int) -> None:
        self._receive = receive
        self._send = send
        self._limit = limit
        self._read = 0
        headers = dict(scope["headers"])
        self._declared = int(headers.get(b"content-length", 0))
        self._waits_to_be_asked = b"expect" in headers
        self._refused = False

    async def receive(self) -> Message:
        """Give the next part; a 413 Problem when it is one too many."""
        if self._declared > self._limit:
            self._refused = True
            raise too_large(self._limit)
        message = await self._receive()
        self._read += len(message.get("body", b""))
        if self._read > self._limit:
            self._refused = True
            raise too_large(self._limit)
        return message

    async def send(self, message: Message) -> None:
        """Pass the answer on; a refused client is heard out first, within reason, or it would not hear the answer."""
        if self._refused and message["type"] == "http.response.start" and not await self._heard_out():
            message = {**message, "headers": [*message["headers"], (b"connection", b"close")]}
        await self._send(message)

    async def _heard_out(self) -> bool:
        most = HEAR_OUT * self._limit
        if self._waits_to_be_asked or self._declared > most:
            return False
        try:
            async with asyncio.timeout(HEAR_OUT_WITHIN):
                while self._read <= most:
                    message = await self._receive()
                    self._read += len(message.get("body", b""))
                    if not message.get("more_body", False):
                        return True
        except TimeoutError:
            pass
        return False


def too_large(limit: int) -> Problem:
    """Refuse a body over the limit."""
    return Problem(413, "too-large", "The body is too large.", f"At most {limit} bytes.", limit=limit)


def json_body(model: type[M]) -> Callable[[Request], Awaitable[M]]:
    """Make a dependency that reads a JSON body as `model`, strictly; `await request.body()` then gives its raw bytes.

    415 for another content type, 400 for what is no JSON (NaN, Infinity and numbers beyond a double are none, nor is
    nesting beyond 200), 422 with the fields that are wrong, among them any that the model does not know, at any depth.
    The OpenAPI document shows the model as it is read.
    """
    validate = model.__pydantic_validator__.validate_json
    numbers_may_be_large = takes_any_number(model.__pydantic_core_schema__)

    async def read(request: Request) -> M:
        require_json(request)
        body = await whole_body(request)
        if numbers_may_be_large:
            require_finite_numbers(body)
        try:
            value: M = validate(body, strict=True, extra="forbid")
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


def takes_any_number(schema: Any) -> bool:
    """Say whether something in a model's core schema would take a number that is not finite; integers do not."""
    if isinstance(schema, dict):
        named = schema.get("type")  # of the fields of a model, the schema of the one that is called `type`
        known = isinstance(named, str) and named in TAKES_ANY_NUMBER
        return known or any(map(takes_any_number, schema.values()))
    return isinstance(schema, list | tuple) and any(map(takes_any_number, schema))


def require_finite_numbers(body: bytes) -> None:
    """Raise a 400 Problem for NaN, Infinity and numbers too large: pydantic takes them, RFC 8259 does not.

    Bodies that cannot contain any are not read twice: without an exponent of three digits, or two hundred digits in a
    row, no number is too large.
    """
    form = body.translate(FORM, b"+")
    if b"NaN" not in body and b"Infinity" not in body and b"e000" not in form and b"0" * 200 not in form:
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

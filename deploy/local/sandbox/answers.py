"""A vendor says yes with what it has, or no with a code; which words it says no with is its own affair."""

from collections.abc import Mapping
from typing import Any

from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse


class Answer(JSONResponse):
    """A yes; `did` is what the call came to: "executed", "repeated", "registered" or "read"."""

    def __init__(
        self, body: object, status: int = 200, did: str = "read", headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(body, status, headers)
        self.did = did


class Refused(Exception):
    """The vendor says no."""

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        field: str = "",
        headers: Mapping[str, str] | None = None,
        **more: Any,
    ) -> None:
        super().__init__(message)
        self.status, self.code, self.message, self.field = status, code, message, field
        self.headers, self.more = headers, more


def not_understood(error: RequestValidationError) -> Refused:
    """The no to a request whose form is wrong; it names the first field that is."""
    first = error.errors()[0]
    field = ".".join(str(part) for part in first["loc"] if part not in {"body", "query", "header"})
    return Refused(422, "invalid_request", first["msg"], field=field)

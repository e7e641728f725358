"""Answers that are not the asked-for ones: always RFC 9457 problem+json, with a `type` that keeps its meaning."""

import json
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any, Final

import asyncpg
import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic_core import ErrorDetails
from starlette.exceptions import HTTPException
from starlette.responses import Response

from shared.runtime.database import DatabaseAway, OutcomeUnknown

log = structlog.stdlib.get_logger(__name__)

MEDIA_TYPE = "application/problem+json"
RETRY_AFTER = {"Retry-After": "2"}
MOST_FAULTS = 50
LONGEST_POINTER = 200

AWAY: Final = (
    ConnectionError,
    TimeoutError,
    DatabaseAway,
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.TransactionRollbackError,
    asyncpg.LockNotAvailableError,
)
"""What means that the database cannot do it now, and may a moment later."""


class Problem(HTTPException):
    """An answer as problem+json: `type` is `/problems/<slug>`, `title` says what it always means, `detail` this case.

    `extra` becomes further members of the document, `headers` go with it.
    """

    def __init__(
        self,
        status: int,
        slug: str,
        title: str,
        detail: str | None = None,
        *,
        headers: Mapping[str, str] | None = None,
        **extra: Any,
    ) -> None:
        super().__init__(status, detail or title, headers)
        self.slug = slug
        self.document = {"type": f"/problems/{slug}", "title": title, "status": status}
        if detail:
            self.document["detail"] = detail
        self.document |= extra

    def response(self) -> Response:
        """Give the answer to send."""
        body = json.dumps(self.document, ensure_ascii=False, allow_nan=False).encode()
        return Response(body, self.status_code, dict(self.headers or {}), MEDIA_TYPE)


def invalid_request(errors: Sequence[ErrorDetails | dict[str, Any]], *, where: str = "body") -> Problem:
    """Say which fields are wrong and why, never what was in them."""
    faults = [
        {"pointer": pointer(error["loc"]), "code": error["type"], "detail": error["msg"]}
        for error in errors[:MOST_FAULTS]
    ]
    if len(errors) > MOST_FAULTS:
        faults.append({"pointer": "", "code": "more", "detail": f"and {len(errors) - MOST_FAULTS} more"})
    return Problem(422, "invalid-request", "The request does not follow the schema.", location=where, errors=faults)


def pointer(location: Sequence[int | str]) -> str:
    """Write a place as a JSON Pointer in a URI fragment (RFC 6901 section 6): `#/lines/0/price`."""
    steps = [str(step).replace("~", "~0").replace("/", "~1") for step in location]
    return ("#/" + "/".join(steps) if steps else "#")[:LONGEST_POINTER]


def malformed(detail: str) -> Problem:
    """Answer a body that is no JSON."""
    return Problem(400, "malformed-json", "The body is not JSON.", detail)


def unavailable() -> Problem:
    """Answer while the database cannot be used."""
    return Problem(503, "unavailable", "The service cannot do this now; try again soon.", headers=RETRY_AFTER)


def unforeseen() -> Problem:
    """Answer after an exception that nobody foresaw; the log tells it, the caller learns nothing about our insides."""
    return Problem(500, "unforeseen", "Something went wrong here; it has been recorded.")


async def answer_problem(_request: Request, error: Exception) -> Response:
    """Answer with the problem that was raised."""
    assert isinstance(error, Problem)  # noqa: S101 - registered for this class alone
    return error.response()


async def answer_http_exception(_request: Request, error: Exception) -> Response:
    """Answer what the framework itself refuses: unknown paths, wrong methods."""
    assert isinstance(error, HTTPException)  # noqa: S101 - registered for this class alone
    titles = {404: ("not-found", "There is nothing here."), 405: ("wrong-method", "The method is not allowed here.")}
    known = HTTPStatus(error.status_code)
    slug, title = titles.get(known.value, (known.phrase.lower().replace(" ", "-"), known.phrase))
    return Problem(known.value, slug, title, headers=error.headers).response()


async def answer_invalid_parameters(_request: Request, error: Exception) -> Response:
    """Answer wrong path, query and header parameters."""
    assert isinstance(error, RequestValidationError)  # noqa: S101 - registered for this class alone
    errors = [{**fault, "loc": fault["loc"][1:]} for fault in error.errors()]
    places = {str(fault["loc"][0]) for fault in error.errors()}
    return invalid_request(errors, where=", ".join(sorted(places))).response()


async def answer_unavailable(request: Request, error: Exception) -> Response:
    """Answer while the database is away or busy."""
    log.warning("database unavailable", path=request.url.path, error=type(error).__name__, reason=str(error))
    return unavailable().response()


async def answer_interface_error(request: Request, error: Exception) -> Response:
    """Answer a closed connection as one; any other misuse of the driver is a mistake of ours."""
    if "clos" in str(error):
        return await answer_unavailable(request, error)
    raise error


async def answer_outcome_unknown(request: Request, error: Exception) -> Response:
    """Answer when COMMIT got no answer: the same key repeats it safely."""
    title = "Nobody can say whether it was done."
    log.warning("outcome unknown", path=request.url.path, reason=str(error.__cause__ or error))
    detail = "The connection to the database was lost while the change was made final: repeat it with the same key."
    return Problem(503, "outcome-unknown", title, detail, headers=RETRY_AFTER).response()


def answer_with_problems(app: FastAPI) -> None:
    """Make the app answer every refusal and every foreseen failure as problem+json."""
    app.add_exception_handler(Problem, answer_problem)
    app.add_exception_handler(HTTPException, answer_http_exception)
    app.add_exception_handler(RequestValidationError, answer_invalid_parameters)
    app.add_exception_handler(OutcomeUnknown, answer_outcome_unknown)
    app.add_exception_handler(asyncpg.InterfaceError, answer_interface_error)
    for kind in AWAY:
        app.add_exception_handler(kind, answer_unavailable)

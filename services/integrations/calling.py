"""Calls to a provider: no byte leaves without permission, and every answer is a yes, a no, or not an answer."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

import httpx2

from shared.messaging.effects import NotSent, Permit
from shared.messaging.failures import Failure, attempt

CONNECT_WITHIN = 3.0
"""Seconds; less than the kit's start allowance."""
IDLE_FOR = 15.0
"""Seconds that a connection is kept idle; most servers keep one longer."""
CHECK_WITHIN = 5.0
"""Seconds that a check may take in all: somebody looks on."""
ALL_OF_IT = 0.95
"""The share of a call's time after which whoever cancels it has waited long enough."""
NEVER_REACHED = (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout)

T = TypeVar("T")
Hook = Callable[[str, dict[str, Any]], Awaitable[None]]
Word = Literal["answered", "refused", "failing", "not-reached", "no-answer"]
"""How one exchange went.

`answered`: a yes, or a no to what was asked. `refused`: the key is not good (401, 403). `failing`: it cannot now (429,
5xx), or says what this provider never says. `not-reached`: nothing was sent. `no-answer`: sent, and not answered in
time.
"""
Heard = Callable[[Word], None]
"""Is told how each exchange went; must not raise."""


class NotAnAnswer(Exception):
    """The provider said neither yes nor no; whether it did what it was asked, nobody knows."""


@dataclass(frozen=True)
class Checked:
    """How a harmless question was answered, and after how many milliseconds; `detail` never has what was sent."""

    word: Word
    ms: int
    detail: str = ""


class Calling:
    """A client of one account at one provider; `heard` is told how each exchange went."""

    def __init__(
        self, url: str, *, seconds: float, headers: Mapping[str, str] | None = None, heard: Heard | None = None
    ) -> None:
        timeout = httpx2.Timeout(seconds, connect=CONNECT_WITHIN)
        limits = httpx2.Limits(max_connections=50, max_keepalive_connections=20, keepalive_expiry=IDLE_FOR)
        self._http = httpx2.AsyncClient(base_url=url, timeout=timeout, limits=limits, headers=dict(headers or {}))
        self._seconds, self._heard = seconds, heard or _nobody

    async def send(
        self, method: str, path: str, permit: Permit, *, body: bytes = b"", headers: Mapping[str, str] | None = None
    ) -> httpx2.Response:
        """The answer to a call that makes something happen.

        Raises NotSent where it certainly was not taken: nobody was reached, or there were too many calls (429).
        """
        extensions = {"trace": checking(permit)}
        known = {"Content-Type": "application/json"} if body else {}
        try:
            answer = await self._exchange(
                method, path, content=body, headers={**known, **(headers or {})}, extensions=extensions
            )
        except NEVER_REACHED as error:
            raise NotSent(f"the provider was not reached: {type(error).__name__}") from error
        if answer.status_code == httpx2.codes.TOO_MANY_REQUESTS:
            raise NotSent("the provider is busy")
        return answer

    async def look(self, path: str, **parameters: str) -> Any:
        """What the provider says of something, as its JSON; None where it knows of none. Raises NotAnAnswer."""
        answer = await self._exchange("GET", path, params=parameters)
        if answer.status_code == httpx2.codes.NOT_FOUND:
            return None
        if not answer.is_success:
            raise NotAnAnswer(f"the provider answered {answer.status_code}")
        return answer.json()

    async def check(self, path: str, expected: Callable[[Any], bool]) -> Checked:
        """How a GET is answered that changes nothing and needs a good key; `expected` knows this provider's answer."""
        began, within = time.monotonic(), min(CHECK_WITHIN, self._seconds)
        answer = await attempt(lambda: _in_time(self._http.get(path), within))
        word, detail = _judged(answer, expected)
        self._heard(word)
        return Checked(word, round((time.monotonic() - began) * 1000), detail)

    async def close(self) -> None:
        """Closes the connections."""
        await self._http.aclose()

    async def _exchange(self, method: str, path: str, **asked: Any) -> httpx2.Response:
        began = time.monotonic()
        try:
            answer = await attempt(lambda: self._http.request(method, path, **asked))
        except asyncio.CancelledError:
            if time.monotonic() - began >= self._seconds * ALL_OF_IT:
                self._heard("no-answer")
            raise
        if isinstance(answer, Failure):
            self._heard(word_of_error(answer.error))
            raise answer.error
        self._heard(word_of_status(answer.status_code))
        return answer


def word_of_status(status: int) -> Word:
    """What the status of an answer says of the connection."""
    if status in {httpx2.codes.UNAUTHORIZED, httpx2.codes.FORBIDDEN}:
        return "refused"
    if status == httpx2.codes.TOO_MANY_REQUESTS or status >= httpx2.codes.INTERNAL_SERVER_ERROR:
        return "failing"
    return "answered"


def word_of_error(error: Exception) -> Word:
    """What it says of the connection that there was no answer; what is no address reaches nobody either."""
    if isinstance(error, (*NEVER_REACHED, httpx2.UnsupportedProtocol)):
        return "not-reached"
    return "no-answer" if isinstance(error, httpx2.HTTPError | TimeoutError) else "not-reached"


def checking(permit: Permit) -> Hook:
    """Looks at the permit when connected, immediately before the first byte."""

    async def hook(event: str, _details: dict[str, Any]) -> None:
        if event.endswith("send_request_headers.started"):
            permit.check()

    return hook


def _judged(answer: httpx2.Response | Failure, expected: Callable[[Any], bool]) -> tuple[Word, str]:
    if isinstance(answer, Failure):
        return word_of_error(answer.error), type(answer.error).__name__
    word = word_of_status(answer.status_code)
    if word != "answered":
        return word, f"it answered {answer.status_code}"
    if not answer.is_success:
        return "failing", f"it answered {answer.status_code}, which this provider does not"
    try:
        as_it_should = expected(answer.json())
    except (ValueError, TypeError, LookupError, AttributeError):
        as_it_should = False
    return ("answered", "") if as_it_should else ("failing", "it answered what this provider does not")


async def _in_time(work: Awaitable[T], seconds: float) -> T:
    async with asyncio.timeout(seconds):
        return await work


def _nobody(_word: Word) -> None:
    """Nobody is told."""

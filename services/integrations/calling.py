"""Calls to a provider: no byte leaves without permission, and every answer is a yes, a no, or not an answer."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import httpx2

from shared.messaging.effects import NotSent, Permit

CONNECT_WITHIN = 3.0
"""Seconds; less than the kit's start allowance."""
IDLE_FOR = 15.0
"""Seconds that a connection is kept idle; most servers keep one longer."""
NEVER_REACHED = (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout)

Hook = Callable[[str, dict[str, Any]], Awaitable[None]]


class NotAnAnswer(Exception):
    """The provider said neither yes nor no; whether it did what it was asked, nobody knows."""


class Calling:
    """A client of one account at one provider."""

    def __init__(self, url: str, *, seconds: float, headers: Mapping[str, str] | None = None) -> None:
        timeout = httpx2.Timeout(seconds, connect=CONNECT_WITHIN)
        limits = httpx2.Limits(max_connections=50, max_keepalive_connections=20, keepalive_expiry=IDLE_FOR)
        self._http = httpx2.AsyncClient(base_url=url, timeout=timeout, limits=limits, headers=dict(headers or {}))

    async def send(
        self, method: str, path: str, permit: Permit, *, body: bytes = b"", headers: Mapping[str, str] | None = None
    ) -> httpx2.Response:
        """The answer to a call that makes something happen.

        Raises NotSent where it certainly was not taken: nobody was reached, or there were too many calls (429).
        """
        extensions = {"trace": checking(permit)}
        known = {"Content-Type": "application/json"} if body else {}
        try:
            answer = await self._http.request(
                method, path, content=body, headers={**known, **(headers or {})}, extensions=extensions
            )
        except NEVER_REACHED as error:
            raise NotSent(f"the provider was not reached: {type(error).__name__}") from error
        if answer.status_code == httpx2.codes.TOO_MANY_REQUESTS:
            raise NotSent("the provider is busy")
        return answer

    async def look(self, path: str, **parameters: str) -> Any:
        """What the provider says of something, as its JSON; None where it knows of none. Raises NotAnAnswer."""
        answer = await self._http.get(path, params=parameters)
        if answer.status_code == httpx2.codes.NOT_FOUND:
            return None
        if not answer.is_success:
            raise NotAnAnswer(f"the provider answered {answer.status_code}")
        return answer.json()

    async def close(self) -> None:
        """Closes the connections."""
        await self._http.aclose()


def checking(permit: Permit) -> Hook:
    """Looks at the permit when connected, immediately before the first byte."""

    async def hook(event: str, _details: dict[str, Any]) -> None:
        if event.endswith("send_request_headers.started"):
            permit.check()

    return hook

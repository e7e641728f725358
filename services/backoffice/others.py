"""The other services, asked by HTTP as the person who has signed in; one that is away never takes a page with it."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import urlencode

import httpx2
import structlog
from opentelemetry.propagate import inject

from services.backoffice.sessions import Visitor
from shared.runtime.actors import Signer

CONNECT_WITHIN = 1.0
IDLE_FOR = 15.0
"""Seconds that a connection is kept idle."""
SILENT_FOR = 40.0
"""Seconds in which a stream of events says at least that it lives; one that does not is over."""
MOST_STREAMS = 1_000
PATIENCE, LONGEST_WAIT = 3, 2.0
"""So often, and after so many seconds at most, what was too fast for a service is asked again."""

UNUSABLE = {401}
"""The service does not believe who we say this is: it was told another key."""

log = structlog.stdlib.get_logger(__name__)
T = TypeVar("T")
Parameters = list[tuple[str, str]]


class Away(Exception):
    """A service gives no answer now; `reason` is what it said of that itself, where it did."""

    def __init__(self, service: str, reason: str = "") -> None:
        super().__init__(f"{service}: {self.__doc__}")
        self.service, self.reason = service, reason


class Refusal(Exception):
    """A service has said no, as a problem document: `reason` is the end of its `type`; `wait` is in seconds."""

    def __init__(self, status: int, document: Mapping[str, Any], wait: int = 0) -> None:
        self.status, self.wait = status, wait
        self.reason = reason_in(document) or "refused"
        self.detail = str(document.get("detail") or document.get("title") or "")
        self.document = document
        super().__init__(f"{status} {self.reason}: {self.detail}")


@dataclass(frozen=True)
class Answer:
    """What a service has said, as JSON, and the version that it said it of."""

    content: bytes
    etag: str = ""

    @property
    def body(self) -> Any:
        """The same, read."""
        return json.loads(self.content)


class Others:
    """The services, by name; each has its own pool of connections."""

    def __init__(self, urls: Mapping[str, str], signer: Signer, *, seconds: float) -> None:
        self._timeout = httpx2.Timeout(seconds, connect=CONNECT_WITHIN)
        limits = httpx2.Limits(max_connections=100, max_keepalive_connections=20, keepalive_expiry=IDLE_FOR)
        self._http = {
            service: httpx2.AsyncClient(base_url=url, timeout=self._timeout, limits=limits, trust_env=False)
            for service, url in urls.items()
        }
        streams = httpx2.Timeout(seconds, connect=CONNECT_WITHIN, read=SILENT_FOR)
        self._streams = httpx2.AsyncClient(
            timeout=streams, limits=httpx2.Limits(max_connections=MOST_STREAMS), trust_env=False
        )
        self._urls, self._signer = urls, signer

    async def get(
        self, service: str, path: str, whose: Visitor, parameters: Parameters | None = None, *, within: float = 0
    ) -> Answer:
        """What a service says, `within` so many seconds. Raises Away, Refusal."""
        asked = f"{path}?{urlencode(parameters)}" if parameters else path
        return await self._ask(service, "GET", asked, whose, within=within)

    async def post(
        self, service: str, path: str, whose: Visitor, body: Any, *, key: str, version: int | None = None
    ) -> Answer:
        """What became of it; under the same key it happens once. Raises Away, Refusal."""
        headers = {"Idempotency-Key": key} | ({"If-Match": f'"{version}"'} if version is not None else {})
        return await self._ask(service, "POST", path, whose, body=body, headers=headers)

    async def try_once(self, service: str, path: str, whose: Visitor, *, within: float) -> Answer:
        """What became of something that is asked for again by a person alone, and may take long. Raises as `post`."""
        return await self._ask(service, "POST", path, whose, within=within, patience=0)

    async def put(self, service: str, path: str, whose: Visitor, body: Any) -> Answer:
        """What became of it. Raises Away, Refusal."""
        return await self._ask(service, "PUT", path, whose, body=body)

    async def delete(self, service: str, path: str, whose: Visitor) -> Answer:
        """What became of it. Raises Away, Refusal."""
        return await self._ask(service, "DELETE", path, whose)

    async def events(self, service: str, path: str, whose: Visitor) -> AsyncIterator[tuple[str, dict[str, Any]]]:
        """Server-sent events, as names and data, with a token that is wholly new. Raises Away where they end badly."""
        headers = {"Authorization": f"Bearer {self._token(service, whose, anew=True)}", "Accept": "text/event-stream"}
        name = ""
        try:
            async with self._streams.stream("GET", f"{self._urls[service]}{path}", headers=headers) as answer:
                if not answer.is_success:
                    log.warning("service away", service=service, path=path, status=answer.status_code)
                    raise Away(service)
                async for line in answer.aiter_lines():
                    field, _, value = line.partition(": ")
                    if field == "event":
                        name = value
                    elif field == "data":
                        yield name, json.loads(value)
        except (httpx2.HTTPError, ValueError) as error:
            raise Away(service) from error

    async def close(self) -> None:
        """Closes the connections."""
        await asyncio.gather(*(http.aclose() for http in (*self._http.values(), self._streams)))

    def _token(self, service: str, whose: Visitor, *, anew: bool = False) -> str:
        roles = [whose.role] if whose.role else []
        return self._signer.sign(service, whose.id, whose.shop or "*", roles, at=time.time() if anew else None)

    async def _ask(
        self,
        service: str,
        method: str,
        path: str,
        whose: Visitor,
        *,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
        within: float = 0,
        patience: int = PATIENCE,
    ) -> Answer:
        timeout = httpx2.Timeout(within, connect=CONNECT_WITHIN) if within else self._timeout
        sent = {"Authorization": f"Bearer {self._token(service, whose)}", **(headers or {})}
        inject(sent)
        try:
            answer = await self._http[service].request(method, path, json=body, headers=sent, timeout=timeout)
            for _ in range(patience):
                if answer.status_code != httpx2.codes.TOO_MANY_REQUESTS:
                    break
                await asyncio.sleep(wait_of(answer))
                answer = await self._http[service].request(method, path, json=body, headers=sent, timeout=timeout)
        except httpx2.HTTPError as error:
            log.warning("service away", service=service, path=path.partition("?")[0], error=type(error).__name__)
            raise Away(service) from error
        return read(service, path, answer)


def wait_of(answer: httpx2.Response) -> float:
    """Seconds that the service wants us to wait, as far as anybody in front of a page waits."""
    return min(float(said_wait(answer) or LONGEST_WAIT), LONGEST_WAIT)


def said_wait(answer: httpx2.Response) -> int:
    """Seconds that the service wants us to wait; 0 where it does not say."""
    said = answer.headers.get("retry-after", "")
    return int(said) if said.isascii() and said.isdecimal() else 0


def reason_in(document: Any) -> str:
    """The end of a problem's `type`."""
    return str(document.get("type", "")).rpartition("/")[2] if isinstance(document, dict) else ""


def read(service: str, path: str, answer: httpx2.Response) -> Answer:
    """The answer, or what it means that it is none. Raises Away, Refusal."""
    if answer.is_success:
        return Answer(answer.content, answer.headers.get("etag", ""))
    try:
        document = answer.json()
    except ValueError:
        document = None
    known = answer.status_code not in UNUSABLE and answer.status_code < httpx2.codes.INTERNAL_SERVER_ERROR
    if not known or not isinstance(document, dict):
        log.warning("service away", service=service, path=path, status=answer.status_code)
        raise Away(service, reason_in(document))
    raise Refusal(answer.status_code, document, said_wait(answer))


async def or_away(asked: Awaitable[T]) -> T | None:
    """What is asked for, or None where its service is away: its box says so, and the rest of the page stands."""
    try:
        return await asked
    except Away:
        return None

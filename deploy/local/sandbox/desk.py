"""What the three have in common: each call is counted, may go wrong on purpose, and leaves a line that says both."""

import asyncio
import math
import random
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from weakref import WeakValueDictionary

from fastapi.exceptions import RequestValidationError
from fastapi.requests import Request
from fastapi.responses import Response
from fastapi.routing import APIRoute

from deploy.local.sandbox.answers import Refused, not_understood
from deploy.local.sandbox.ledger import Entry, Ledger, read_ledger
from deploy.local.sandbox.misbehaviour import Misbehaviour

ERRORS = (500, 502, 503)
Handle = Callable[[Request], Awaitable[Response]]


@dataclass(frozen=True)
class Manners:
    """What differs from vendor to vendor in every call."""

    account: Callable[[Request], str]
    """Whose call it is; raises Refused for nobody's."""
    key: Callable[[Request], Awaitable[str]]
    """What makes a second try recognisable as one; empty where nothing does."""
    refusal: Callable[[Refused], Response]
    """A no in the vendor's own words."""


class Desk:
    """Where calls come in; how it misbehaves may be changed while it works."""

    def __init__(self, folder: Path, manners: Manners, misbehaviour: Misbehaviour) -> None:
        self._manners, self._seed = manners, misbehaviour.seed
        self._path = folder / "calls.jsonl"
        self._tries = Counter((entry["account"], entry["key"]) for entry in read_ledger(self._path))
        self._calls = Ledger(self._path)
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self.misbehaviour, self._closed_until = misbehaviour, 0.0

    def behave(self, asked: dict[str, Any]) -> Misbehaviour:
        """From now on it behaves as asked, and well in what is not named. Raises pydantic's ValidationError."""
        self.misbehaviour = type(self.misbehaviour).model_validate({"seed": self._seed, **asked})
        self._closed_until = time.time() + self.misbehaviour.closed_for
        return self.misbehaviour

    def calls(self) -> list[Entry]:
        """What was asked, and what went wrong on purpose."""
        return read_ledger(self._path)

    def turn(self, name: str) -> asyncio.Lock:
        """Whoever holds it is the only one to work on what is called so."""
        lock = self._turns.get(name)
        if lock is None:
            lock = self._turns[name] = asyncio.Lock()
        return lock

    async def call(self, request: Request, handle: Handle) -> Response:
        """Does what is asked, or does not, or says otherwise than it did."""
        try:
            request.state.account = self._manners.account(request)
        except Refused as refused:
            return self._manners.refusal(refused)
        account = request.state.account
        key = await self._manners.key(request) or f"{request.method} {request.url.path}?{request.url.query}"
        self._tries[account, key] += 1
        nth = self._tries[account, key]
        dice = self.misbehaviour.draw(f"{account} {key}", nth)
        mishap, pause = self._mishap(request, dice), dice.uniform(0, self.misbehaviour.seconds)
        answer = self._nothing_done(mishap, dice)
        if mishap == "late":
            await asyncio.sleep(pause)
        did, said = await self._do(request, handle) if answer is None else ("nothing", answer)
        asked = {"account": account, "key": key, "nth": nth, "method": request.method, "path": request.url.path}
        await self._calls.write(**asked, did=did, status=said.status_code, mishap=mishap)
        if mishap == "slow":
            await asyncio.sleep(pause)
        if mishap == "lost":
            request.state.cut()
        return self._error(dice) if mishap == "error-after" else said

    def routes(self) -> type[APIRoute]:
        """The class of routes whose calls come in at this desk."""
        desk = self

        class DeskRoute(APIRoute):
            def get_route_handler(self) -> Callable[[Request], Any]:
                handle = super().get_route_handler()

                async def handled(request: Request) -> Response:
                    return await desk.call(request, handle)

                return handled

        return DeskRoute

    def _mishap(self, request: Request, dice: random.Random) -> str | None:
        drawn = self.misbehaviour.mishap(dice)
        if time.time() < self._closed_until:
            return "closed"
        if request.method == "GET" and not self.misbehaviour.reads:
            return None
        if self.misbehaviour.next:
            named = self.misbehaviour.next.pop(0)
            return None if named == "none" else named
        return drawn

    def _nothing_done(self, mishap: str | None, dice: random.Random) -> Response | None:
        match mishap:
            case "closed":
                return self._wait(503, "closed", "We are closed.", self._closed_until - time.time())
            case "busy":
                return self._wait(429, "too_many_requests", "Slow down.", self.misbehaviour.retry_after)
            case "error-before":
                return self._error(dice)
            case _:
                return None

    async def _do(self, request: Request, handle: Handle) -> tuple[str, Response]:
        try:
            answer = await handle(request)
        except RequestValidationError as error:
            return "refused", self._manners.refusal(not_understood(error))
        except Refused as refused:
            return "refused", self._manners.refusal(refused)
        return getattr(answer, "did", "read"), answer

    def _wait(self, status: int, code: str, message: str, seconds: float) -> Response:
        return self._manners.refusal(Refused(status, code, message, headers={"Retry-After": str(math.ceil(seconds))}))

    def _error(self, dice: random.Random) -> Response:
        return self._manners.refusal(Refused(dice.choice(ERRORS), "internal_error", "Something went wrong."))

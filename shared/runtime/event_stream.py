"""Server-sent events: a client that reads slowly is told less and never holds up anybody, nor the end of a process."""

import asyncio
import json
import time
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import structlog
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

MEDIA_TYPE = "text/event-stream"
MOST_WAITING = 500
LOOK_EVERY = 15.0
"""Seconds: so often a stream says that it lives, and looks whether it still may."""
TAKEN_WITHIN = 30.0
"""Seconds that a client may take for what it was sent, above what fits into the buffers between us."""
LAST_WORDS = 0.3
BEGIN = b"retry: 3000\n\n"
ALIVE = b": alive\n\n"

log = structlog.stdlib.get_logger(__name__)


def event(name: str, data: Mapping[str, Any]) -> bytes:
    """One event as it is sent."""
    return f"event: {name}\ndata: {json.dumps(data, separators=(',', ':'))}\n\n".encode()


class Outlet:
    """What one client is to be told. Where more waits than `most`, all of it gives way to `instead`."""

    def __init__(self, instead: bytes, *, most: int = MOST_WAITING) -> None:
        self._instead, self._most = instead, most
        self._waiting: deque[bytes] = deque()
        self._news = asyncio.Event()
        self.closed = asyncio.Event()

    def put(self, said: bytes) -> None:
        """Tell the client, when it can hear it."""
        if len(self._waiting) >= self._most:
            self.put_alone(self._instead)
        else:
            self._waiting.append(said)
            self._news.set()

    def put_alone(self, said: bytes) -> None:
        """Tell it this in place of all that waits."""
        self._waiting.clear()
        self._waiting.append(said)
        self._news.set()

    def close(self) -> None:
        """What waits is the last that it hears."""
        self.closed.set()
        self._news.set()

    async def take(self, seconds: float) -> bytes:
        """All that waits, as soon as something does; nothing after so many seconds."""
        try:
            async with asyncio.timeout(seconds):
                await self._news.wait()
        except TimeoutError:
            return b""
        if not self.closed.is_set():
            self._news.clear()
        taken = b"".join(self._waiting)
        self._waiting.clear()
        return taken


class EventStream(Response):
    """An answer that goes on until its outlet is closed, the client has gone, or `may_go_on` says no."""

    media_type = MEDIA_TYPE

    def __init__(
        self,
        outlet: Outlet,
        *,
        may_go_on: Callable[[], Awaitable[bool]],
        left: Callable[[], None],
        every: float = LOOK_EVERY,
        taken_within: float = TAKEN_WITHIN,
    ) -> None:
        """`left` is called at its end, whatever ended it."""
        super().__init__(headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"})
        del self.headers["content-length"]
        self._outlet, self._may_go_on, self._left = outlet, may_go_on, left
        self._every, self._taken_within = every, taken_within

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer."""
        telling = asyncio.create_task(self._tell(send))
        gone = asyncio.create_task(disconnected(receive))
        closed = asyncio.create_task(self._outlet.closed.wait())
        try:
            await asyncio.wait({telling, gone, closed}, return_when=asyncio.FIRST_COMPLETED)
            if not gone.done():
                await asyncio.wait({telling}, timeout=LAST_WORDS)
            if not gone.done() and (not telling.done() or isinstance(telling.exception(), TimeoutError)):
                hang_up(scope)
                await asyncio.wait({gone}, timeout=LAST_WORDS)
            elif telling.done():
                telling.result()
        finally:
            self._left()
            for task in (telling, gone, closed):
                task.cancel()
            await asyncio.gather(telling, gone, closed, return_exceptions=True)

    async def _tell(self, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        said, look_at = BEGIN, time.monotonic() + self._every
        while said:
            async with asyncio.timeout(self._taken_within):
                await send({"type": "http.response.body", "body": said, "more_body": True})
            said = await self._outlet.take(max(0.0, look_at - time.monotonic()))
            if time.monotonic() >= look_at:
                said = (said or ALIVE) if await self._may_go_on() else b""
                look_at = time.monotonic() + self._every
        await send({"type": "http.response.body", "body": b"", "more_body": False})


async def disconnected(receive: Receive) -> None:
    """Return when the client has gone."""
    while (await receive())["type"] != "http.disconnect":
        pass


def hang_up(scope: Scope) -> None:
    """Break off a connection whose client does not take what it is sent, where the server lets us."""
    log.warning("a client did not read its stream", path=scope["path"])
    breaking_off = scope.get("extensions", {}).get("hang_up")
    if breaking_off:
        breaking_off["now"]()

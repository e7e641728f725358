"""Somebody who listens to a stream of server-sent events, and remembers what was said."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx2
import uvicorn
from starlette.types import ASGIApp

from shared.runtime.service import HttpConnection, HttpServer
from tests.plugins.waiting import eventually


@dataclass
class Ear:
    """What a stream has said so far: the names of its events with their data, and its lines of comment."""

    events: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    comments: int = 0
    ended: bool = False

    def named(self, name: str) -> list[dict[str, Any]]:
        """The data of the events of this name."""
        return [data for said, data in self.events if said == name]

    def hear(self, line: str, name: str) -> str:
        """One line; the name of the event that it belongs to."""
        kind, _, value = line.partition(": ")
        if kind == "data":
            self.events.append((name, json.loads(value)))
        self.comments += line.startswith(":")
        return value if kind == "event" else name


@asynccontextmanager
async def listening(client: httpx2.AsyncClient, path: str, **parameters: Any) -> AsyncIterator[Ear]:
    """Listens until the block ends; it begins when the stream has said `again` for the first time."""
    ear = Ear()

    async def listen() -> None:
        async with client.stream("GET", path, params=parameters, timeout=None) as answer:
            assert answer.status_code == 200, await answer.aread()
            assert answer.headers["content-type"].startswith("text/event-stream")
            name = ""
            async for line in answer.aiter_lines():
                name = ear.hear(line, name)
        ear.ended = True

    task = asyncio.create_task(listen())
    try:
        await eventually(lambda: ear.named("again") or (task.done() and task.result()))
        yield ear
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@asynccontextmanager
async def serving(app: ASGIApp) -> AsyncIterator[tuple[HttpServer, httpx2.AsyncClient]]:
    """An app behind a real port, served as a process serves it, and a client."""
    server = HttpServer(uvicorn.Config(app, http=HttpConnection, port=0, log_config=None, lifespan="off"))
    task = asyncio.create_task(server.serve())
    await eventually(lambda: server.started)
    port = server.servers[0].sockets[0].getsockname()[1]
    async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=30) as client:
        yield server, client
    server.should_exit = True
    async with asyncio.timeout(10):
        await task

"""A stream of events holds up nobody: not its process when that ends, not others when its client does not read."""

import asyncio
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import httpx2
import pytest
from fastapi import APIRouter, Request
from starlette.responses import Response

from shared.runtime.event_stream import EventStream, Outlet, event
from shared.runtime.http import make_app
from shared.runtime.service import HttpServer
from tests.plugins.ears import listening, serving
from tests.plugins.waiting import eventually

AGAIN = event("again", {})
LARGE = event("large", {"text": "x" * 100_000})


@dataclass
class Hall:
    """A service that has nothing but streams."""

    outlets: list[Outlet] = field(default_factory=list)
    left: int = 0
    allowed: bool = True
    taken_within: float = 30.0

    def stream(self) -> Response:
        outlet = Outlet(AGAIN, most=100)
        outlet.put(AGAIN)
        self.outlets.append(outlet)
        return EventStream(
            outlet, may_go_on=self.may_go_on, left=self.leave, every=0.05, taken_within=self.taken_within
        )

    async def may_go_on(self) -> bool:
        return self.allowed

    def leave(self) -> None:
        self.left += 1


@dataclass
class Open:
    """The service behind a real port."""

    hall: Hall
    server: HttpServer
    client: httpx2.AsyncClient

    async def stop(self) -> float:
        """Stops it as a process does; the seconds until the last connection was closed."""
        began = time.monotonic()
        for outlet in self.hall.outlets:
            outlet.close()
        self.server.should_exit = True
        await eventually(lambda: not self.server.server_state.connections, every=0.01)
        return time.monotonic() - began


router = APIRouter()


@router.get("/stream")
async def stream(request: Request) -> Response:
    hall: Hall = request.app.state.hall
    return hall.stream()


@asynccontextmanager
async def opened(hall: Hall) -> AsyncIterator[Open]:
    async with serving(make_app("hall", [router], state={"hall": hall})) as (server, client):
        yield Open(hall, server, client)


@asynccontextmanager
async def deaf(open_: Open) -> AsyncIterator[None]:
    """A client that asks for the stream and never reads, and all that fits between it and us is full."""
    client = socket.create_connection((open_.client.base_url.host, open_.client.base_url.port or 0))
    client.sendall(b"GET /stream HTTP/1.1\r\nHost: hall\r\n\r\n")
    await eventually(lambda: open_.hall.outlets)
    (outlet,) = open_.hall.outlets
    for _ in range(200):
        outlet.put(LARGE)
        await asyncio.sleep(0)
    yield
    client.close()


async def test_what_is_put_is_heard_and_silence_is_broken_by_comments() -> None:
    async with opened(Hall()) as hall, listening(hall.client, "/stream") as ear:
        hall.hall.outlets[0].put(event("order", {"id": "7"}))
        await eventually(lambda: ear.named("order") == [{"id": "7"}] and ear.comments)


async def test_who_may_no_longer_listen_hears_no_more() -> None:
    async with opened(Hall()) as hall, listening(hall.client, "/stream") as ear:
        hall.hall.allowed = False
        await eventually(lambda: ear.ended)
    assert hall.hall.left == 1


async def test_a_client_that_has_gone_is_forgotten() -> None:
    async with opened(Hall()) as hall:
        async with listening(hall.client, "/stream"):
            assert hall.hall.left == 0
        await eventually(lambda: hall.hall.left == 1)


async def test_what_does_not_fit_gives_way_to_one_word() -> None:
    outlet = Outlet(AGAIN, most=3)
    for n in range(5):
        outlet.put(event("order", {"id": str(n)}))
    assert await outlet.take(1) == AGAIN + event("order", {"id": "4"})
    assert await outlet.take(0.01) == b""


async def test_a_client_that_does_not_read_costs_no_more_than_its_queue_and_others_hear_on() -> None:
    async with opened(Hall()) as hall, deaf(hall), listening(hall.client, "/stream") as ear:
        deaf_one, other = hall.hall.outlets
        for n in range(1_000):
            deaf_one.put(LARGE)
            if n % 10 == 0:
                other.put(event("order", {"n": n}))
        await eventually(lambda: len(ear.named("order")) == 100)
        assert len(deaf_one._waiting) <= 100  # noqa: SLF001 - what it costs


async def test_a_client_that_never_reads_is_hung_up_on() -> None:
    async with opened(Hall(taken_within=0.2)) as hall, deaf(hall):
        await eventually(lambda: hall.hall.left == 1)
        await eventually(lambda: not hall.server.server_state.connections)


@pytest.mark.parametrize("reads", [True, False])
async def test_the_end_of_a_process_waits_for_no_stream(reads: bool) -> None:  # noqa: FBT001 - a parameter of the test
    async with opened(Hall()) as hall:
        async with listening(hall.client, "/stream") if reads else deaf(hall):
            assert await hall.stop() < 1
        assert hall.hall.left == 1

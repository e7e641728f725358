"""A shop's changes are heard by one stream however many pages listen, and by the next before its time is over."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any, cast

import pytest

from services.backoffice.live import AGAIN, STALE, Listener, Live
from services.backoffice.others import Away, Others
from services.backoffice.sessions import Visitor
from shared.runtime.problems import Problem
from tests.plugins.kit import running
from tests.plugins.waiting import eventually

CHANGED: dict[str, Any] = {"id": "one", "version": 2, "what": "order.processed.v1", "at": "2026-11-27T10:00:00+00:00"}


class Streams:
    """Orders, as far as it says what has changed: each call is a stream of its own."""

    def __init__(self) -> None:
        self.open: list[asyncio.Queue[tuple[str, dict[str, Any]] | None]] = []
        self.opened = 0
        self.asked_by: list[str] = []

    async def events(self, _service: str, path: str, whose: Visitor) -> AsyncIterator[tuple[str, dict[str, Any]]]:
        assert path == "/v1/changes"
        stream: asyncio.Queue[tuple[str, dict[str, Any]] | None] = asyncio.Queue()
        self.open.append(stream)
        self.opened += 1
        self.asked_by.append(whose.id)
        try:
            while (said := await stream.get()) is not None:
                yield said
            raise Away("orders")
        finally:
            self.open.remove(stream)

    async def say(self, name: str, count: int = 1, **data: Any) -> None:
        """On the newest stream, once there are so many."""
        await eventually(lambda: self.opened >= count and self.open)
        self.open[-1].put_nowait((name, data))


class Page:
    """A page that listens, and what it has heard."""

    def __init__(self, listener: Listener) -> None:
        self.listener, self.heard = listener, b""

    async def hears(self, said: bytes, times: int = 1) -> None:
        async def heard() -> bool:
            self.heard += await self.listener.outlet.take(0.01)
            return self.heard.count(said) == times

        await eventually(heard)


def somebody(person: str = "7", shop: str = "nordic-tea") -> Visitor:
    return Visitor(b"", "", person, "Maria Ek", "maria@example.org", "sv", {shop: "handler"}, shop)


def live_on(streams: Streams, **options: Any) -> Live:
    return Live(cast(Others, streams), **options)


async def test_one_stream_serves_a_shop_and_each_page_hears_what_it_shows() -> None:
    streams = Streams()
    live = live_on(streams)
    async with running(live):
        every, one, other = (Page(live.listen(somebody(), which)) for which in ("", "one", "other"))
        await streams.say("again")
        for page in (every, one, other):
            await page.hears(AGAIN)
        await streams.say("order", **CHANGED)
        await every.hears(json.dumps(CHANGED, separators=(",", ":")).encode())
        await one.hears(b'"one"')
        await other.hears(b'"one"', times=0)
        assert streams.opened == 1
        late = Page(live.listen(somebody("8")))
        await late.hears(AGAIN)


async def test_the_next_stream_takes_over_before_the_token_ends_and_nobody_notices() -> None:
    streams = Streams()
    live = live_on(streams, renew_after=0.05)
    async with running(live):
        page = Page(live.listen(somebody()))
        await streams.say("again")
        await page.hears(AGAIN)
        await eventually(lambda: len(streams.open) == 2)
        streams.open[0].put_nowait(("order", CHANGED))
        await page.hears(b'"one"')
        await streams.say("again", count=2)
        await eventually(lambda: streams.opened == 3)
        streams.open[0].put_nowait(("order", CHANGED | {"version": 3}))
        await page.hears(b'"version":3')
        await page.hears(AGAIN)
        await page.hears(STALE, times=0)


async def test_while_orders_is_away_pages_know_and_read_again_afterwards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.backoffice.live.AWAY_FOR", 0.01)
    streams = Streams()
    live = live_on(streams)
    async with running(live):
        page = Page(live.listen(somebody()))
        await streams.say("again")
        await page.hears(AGAIN)
        streams.open[0].put_nowait(None)
        await page.hears(STALE)
        await streams.say("again", count=2)
        await page.hears(AGAIN, times=2)


async def test_a_stream_is_asked_for_in_the_name_of_somebody_who_listens_and_ends_when_nobody_does() -> None:
    streams = Streams()
    live = live_on(streams, lingers=0)
    async with running(live):
        first, second = live.listen(somebody("7")), live.listen(somebody("8"))
        await eventually(lambda: streams.opened == 1)
        assert set(streams.asked_by) <= {"7", "8"}
        await streams.say("again")
        live.leave(first)
        live.leave(second)
        await eventually(lambda: not streams.open)
        live.listen(somebody("9"))
        await eventually(lambda: streams.asked_by[-1] == "9")


async def test_a_process_that_ends_says_so_to_every_page() -> None:
    live = live_on(Streams())
    async with running(live):
        page = live.listen(somebody())
    assert page.outlet.closed.is_set()
    assert live.listen(somebody()).outlet.closed.is_set()


async def test_only_so_many_pages_listen() -> None:
    live = live_on(Streams(), most=3, most_of_a_person=2)
    async with running(live):
        first = live.listen(somebody("7"))
        live.listen(somebody("7"))
        with pytest.raises(Problem) as refused:
            live.listen(somebody("7"))
        assert (refused.value.status_code, refused.value.slug) == (429, "too-many-streams")
        live.listen(somebody("8"))
        with pytest.raises(Problem) as refused:
            live.listen(somebody("9"))
        assert (refused.value.status_code, refused.value.slug) == (503, "streams-full")
        live.leave(first)
        live.listen(somebody("9"))

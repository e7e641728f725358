"""What has changed, passed on to the pages that show it: one stream from orders for each shop, however many listen.

It never tells what an order is now; a page reads that again. A stream is followed by the next before its token ends,
so that nothing is missed between the two.
"""

import asyncio
import time
from dataclasses import dataclass, field
from typing import Any

import structlog
from prometheus_client import Gauge

from services.backoffice.orders import ORDERS
from services.backoffice.others import Others
from services.backoffice.sessions import Visitor
from shared.messaging.failures import Failure, attempt
from shared.messaging.part import Part
from shared.messaging.wakeup import pause
from shared.runtime.actors import LIFETIME
from shared.runtime.event_stream import LOOK_EVERY, Outlet, event
from shared.runtime.problems import Problem

AGAIN, STALE = event("again", {}), event("stale", {})
RENEW_AFTER = LIFETIME * 0.6
"""Seconds that a stream is heard before the next one takes its place."""
BEGINS_WITHIN = 10.0
AWAY_FOR = 2.0
LINGERS = 10.0
"""Seconds that a stream goes on when its last listener has left: a page that is loaded anew is soon back."""

pages = Gauge("backoffice_live_pages", "Pages that listen for changes at this process.")

log = structlog.stdlib.get_logger(__name__)


@dataclass(frozen=True, eq=False)
class Listener:
    """A page that is open: the list, or one order."""

    visitor: Visitor
    order_id: str
    outlet: Outlet


@dataclass
class Hearing:
    """One stream: `begun` once orders has said whether changes are heard."""

    task: asyncio.Task[None] | None = None
    begun: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def goes_on(self) -> bool:
        """Whether it has neither failed nor been ended."""
        return self.task is not None and not self.task.done()

    async def begins(self) -> bool:
        """Whether it does, within a time."""
        beginning = asyncio.create_task(self.begun.wait())
        try:
            await self._first(BEGINS_WITHIN, beginning)
        finally:
            beginning.cancel()
        return self.goes_on and self.begun.is_set()

    async def last(self, seconds: float) -> None:
        """Wait so long, or until it is over."""
        await self._first(seconds)

    async def _first(self, seconds: float, *others: asyncio.Task[Any]) -> None:
        waits = {*others, *([self.task] if self.task is not None else [])}
        await asyncio.wait(waits, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)

    async def end(self) -> None:
        """Hang up."""
        if self.task is not None:
            self.task.cancel()
            await asyncio.wait({self.task})


class Shop:
    """Who listens to a shop's orders, and the stream that they hear."""

    def __init__(self, shop: str, others: Others, *, renew_after: float, lingers: float) -> None:
        self.listeners: set[Listener] = set()
        self.state: bytes | None = None
        """What everybody knows who listens; None while that is yet to be found out."""
        self._shop, self._others, self._renew_after, self._lingers = shop, others, renew_after, lingers
        self._left_at = 0.0

    def join(self, listener: Listener) -> None:
        """Somebody listens."""
        self.listeners.add(listener)
        if self.state:
            listener.outlet.put(self.state)

    def leave(self, listener: Listener) -> None:
        """They listen no more."""
        self.listeners.discard(listener)
        self._left_at = time.monotonic()

    @property
    def wanted(self) -> bool:
        """Whether anybody listens, or did a moment ago."""
        return bool(self.listeners) or time.monotonic() < self._left_at + self._lingers

    async def follow(self) -> None:
        """Hear the shop's changes while anybody wants them, always by a stream whose token is good."""
        older = Hearing()
        try:
            while self.listeners:
                newer = self._hear(after=older)
                if await newer.begins():
                    await older.end()
                    older = newer
                    await self._while_wanted(older)
                    if older.goes_on:
                        continue
                else:
                    await newer.end()
                if not older.goes_on:
                    older = Hearing()
                    self._enter(STALE)
                await asyncio.sleep(AWAY_FOR)
        finally:
            self.state = None
            await older.end()

    async def _while_wanted(self, hearing: Hearing) -> None:
        until = time.monotonic() + self._renew_after
        while hearing.goes_on and self.wanted and (left := until - time.monotonic()) > 0:
            await hearing.last(min(left, 1.0))

    def _hear(self, after: Hearing) -> Hearing:
        hearing = Hearing()
        whose = next(iter(self.listeners)).visitor
        hearing.task = asyncio.create_task(self._read(hearing, whose, follows=after.task is not None))
        return hearing

    async def _read(self, hearing: Hearing, whose: Visitor, *, follows: bool) -> None:
        async def read() -> None:
            async for name, data in self._others.events(ORDERS, "/v1/changes", whose):
                goes_on = follows and not hearing.begun.is_set() and self.state == AGAIN
                self._heard(name, data, goes_on=goes_on)
                hearing.begun.set()

        outcome = await attempt(read)
        if isinstance(outcome, Failure):
            log.warning("changes are not heard", shop=self._shop, error=str(outcome))

    def _heard(self, name: str, data: dict[str, Any], *, goes_on: bool) -> None:
        if name == "order":
            said = event(name, data)
            for listener in self.listeners:
                if listener.order_id in {"", data.get("id")}:
                    listener.outlet.put(said)
        elif name == "stale":
            self._enter(STALE)
        elif name == "again" and not goes_on:
            self._enter(AGAIN)

    def _enter(self, state: bytes) -> None:
        if state == AGAIN or state != self.state:
            for listener in self.listeners:
                listener.outlet.put_alone(state)
        self.state = state


class Live(Part):
    """A component: hears what orders says while pages listen. It is never in the way of the process's readiness."""

    def __init__(
        self,
        others: Others,
        *,
        most: int = 1_000,
        most_of_a_person: int = 20,
        renew_after: float = RENEW_AFTER,
        lingers: float = LINGERS,
        look_every: float = LOOK_EVERY,
    ) -> None:
        """`look_every`: seconds in which a stream shows that it lives, and a session that is over ends it."""
        super().__init__("live", problem=None)
        self.look_every = look_every
        self._others, self._renew_after, self._lingers = others, renew_after, lingers
        self._most, self._most_of_a_person = most, most_of_a_person
        self._shops: dict[str, Shop] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._ended = False

    def listen(self, visitor: Visitor, order_id: str = "") -> Listener:
        """Somebody listens, until `leave`: to all orders of their shop, or to one. Raises Problem where too many do."""
        everybody = [one for shop in self._shops.values() for one in shop.listeners]
        if sum(one.visitor.id == visitor.id for one in everybody) >= self._most_of_a_person:
            raise Problem(429, "too-many-streams", "Too many pages of yours listen.", headers={"Retry-After": "10"})
        if len(everybody) >= self._most:
            raise Problem(503, "streams-full", "No more can listen here now.", headers={"Retry-After": "10"})
        listener = Listener(visitor, order_id, Outlet(AGAIN))
        pages.inc()
        if self._ended:
            listener.outlet.close()
        else:
            self._join(visitor.shop or "", listener)
        return listener

    def leave(self, listener: Listener) -> None:
        """They listen no more."""
        pages.dec()
        shop = self._shops.get(listener.visitor.shop or "")
        if shop is not None:
            shop.leave(listener)

    async def run(self, stopping: asyncio.Event) -> None:
        """Wait for the end, which is that of every stream."""
        while not stopping.is_set():
            self._tick = time.monotonic()
            await pause(1.0, stopping)
        self._ended = True
        for shop in self._shops.values():
            for listener in shop.listeners:
                listener.outlet.close()
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)

    def _join(self, name: str, listener: Listener) -> None:
        shop = self._shops.get(name)
        if shop is None:
            shop = Shop(name, self._others, renew_after=self._renew_after, lingers=self._lingers)
            self._shops[name] = shop
        shop.join(listener)
        if name not in self._tasks:
            self._tasks[name] = asyncio.create_task(self._follow(name, shop))

    async def _follow(self, name: str, shop: Shop) -> None:
        try:
            while shop.listeners:
                await shop.follow()
        finally:
            del self._tasks[name], self._shops[name]

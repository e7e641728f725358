"""What has changed, said to whoever listens: never what it is now, because nothing but reading tells that.

One reader of the topics' ends for all listeners of a process, and none while nobody listens.
"""

import asyncio
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

import structlog
from prometheus_client import Gauge
from pydantic import BaseModel, ConfigDict, ValidationError

from services.orders.entry import OWN
from shared.contracts.message import Head
from shared.contracts.order_log import OrderNoted
from shared.contracts.topics import ORDERS_EVENTS, ORDERS_LOG
from shared.messaging.database import DATABASE_ERRORS
from shared.messaging.ends import Ends, Said, uncancelled
from shared.messaging.failures import Failure, attempt
from shared.messaging.part import Part
from shared.messaging.wakeup import Bell, pause
from shared.runtime.database import DatabaseAway, Pool, connected
from shared.runtime.event_stream import LOOK_EVERY, Outlet, event
from shared.runtime.problems import Problem

TOPICS = (ORDERS_EVENTS, ORDERS_LOG)
AGAIN = event("again", {})
STALE = event("stale", {})
AT_MOST_EVERY = 0.1
"""Seconds between two words about one order."""
LINGERS = 30.0
"""Seconds that the topics are still read when the last listener has left: a page that is loaded anew is soon back."""
AWAY_FOR = 1.0
TURN = 20.0
READ_FOR = 0.25
ON_TIMELINE = """
select order_id, source, id from timeline
where (order_id, source, id) in (select * from unnest($1::uuid[], $2::text[], $3::text[]))
"""
ASK_EVERY, ANSWER_WITHIN = 0.1, 2.0
HELD_FOR, MOST_HELD = 30.0, 1_000
"""Seconds, and how many: what other services did is said when it can be read here, or after so long."""

listeners = Gauge("orders_live_streams", "Clients of this process that listen for changes.")

log = structlog.get_logger(__name__)


class _Versioned(BaseModel):
    model_config = ConfigDict(extra="ignore")
    version: int | None = None


class _Data(BaseModel):
    model_config = ConfigDict(extra="ignore")
    order: _Versioned = _Versioned()


class _Record(Head):
    data: _Data


@dataclass(frozen=True, slots=True)
class Change:
    """Something happened to an order. `version` is None where only its log has grown."""

    order_id: UUID
    shop: str
    version: int | None
    what: str
    at: datetime

    def event(self) -> bytes:
        """As it is said."""
        said = {"id": str(self.order_id), "version": self.version, "what": self.what, "at": self.at.isoformat()}
        return event("order", said)

    def after(self, earlier: "Change | None") -> "Change":
        """Both in one word: this one, with the version that is known."""
        if earlier is None or earlier.version is None:
            return self
        return replace(self, version=max(earlier.version, self.version or 0))


@dataclass(frozen=True, eq=False)
class Listener:
    """Somebody who wants to hear of a shop's orders, or of one of them."""

    shop: str
    order_id: UUID | None
    outlet: Outlet


class Live(Part):
    """A component: tells listeners what has changed. It is never in the way of the process's readiness."""

    def __init__(
        self,
        pool: Pool,
        ends: Callable[[], Ends],
        *,
        most: int = 1_000,
        most_of_a_shop: int = 100,
        lingers: float = LINGERS,
        look_every: float = LOOK_EVERY,
    ) -> None:
        """`look_every`: seconds in which a stream shows that it lives, and a revoked token ends it."""
        super().__init__("live", problem=None)
        self.look_every = look_every
        self._pool, self._ends, self._lingers = pool, ends, lingers
        self._most, self._most_of_a_shop = most, most_of_a_shop
        self._of_shop: defaultdict[str, set[Listener]] = defaultdict(set)
        self._bell = Bell()
        self._left_at = -lingers
        self._state: bytes | None = None
        """What everybody who listens knows; None while the reader has yet to find out."""
        self._ended = False
        self._to_say: dict[UUID, Change] = {}
        self._said_at: dict[UUID, float] = {}
        self._held: dict[tuple[UUID, str, str], tuple[Change, float]] = {}
        self._ask_at = 0.0

    def listen(self, shop: str, order_id: UUID | None = None) -> Listener:
        """Somebody listens, until `leave`. Raises Problem where too many do. Without a reader its outlet is closed."""
        if len(self._of_shop.get(shop, ())) >= self._most_of_a_shop:
            raise Problem(429, "too-many-streams", "The shop listens too often already.", headers={"Retry-After": "10"})
        if sum(map(len, self._of_shop.values())) >= self._most:
            raise Problem(503, "streams-full", "No more can listen here now.", headers={"Retry-After": "10"})
        listener = Listener(shop, order_id, Outlet(AGAIN))
        self._of_shop[shop].add(listener)
        listeners.inc()
        if self._ended:
            listener.outlet.close()
        elif self._state:
            listener.outlet.put(self._state)
        self._bell.ring()
        return listener

    def leave(self, listener: Listener) -> None:
        """They listen no more."""
        self._of_shop[listener.shop].discard(listener)
        if not self._of_shop[listener.shop]:
            del self._of_shop[listener.shop]
        listeners.dec()
        self._left_at = time.monotonic()

    @property
    def holds(self) -> int:
        """How many entries of other services wait until they can be read here."""
        return len(self._held)

    def end(self) -> None:
        """Nobody hears anything more."""
        self._ended = True
        for listener in self._everybody():
            listener.outlet.close()

    async def run(self, stopping: asyncio.Event) -> None:
        """Read while somebody listens, until `stopping`."""
        told = asyncio.create_task(self._end_at(stopping))
        while not stopping.is_set():
            self._tick = time.monotonic()
            if not self._wanted():
                await pause(TURN, stopping, self._bell)
                continue
            outcome = await attempt(lambda: uncancelled(self._follow(stopping)))
            if isinstance(outcome, Failure):
                log.warning("changes are not heard", error=str(outcome))
                self._enter(STALE)
                await pause(AWAY_FOR, stopping)
        await told

    async def _end_at(self, stopping: asyncio.Event) -> None:
        await stopping.wait()
        self.end()

    def _wanted(self) -> bool:
        return bool(self._of_shop) or time.monotonic() < self._left_at + self._lingers

    def _everybody(self) -> list[Listener]:
        return [listener for those in self._of_shop.values() for listener in those]

    def _enter(self, state: bytes | None) -> None:
        self._to_say.clear()
        self._held.clear()
        before, self._state = self._state, state
        if state is not None and state != before:
            for listener in self._everybody():
                listener.outlet.put_alone(state)

    async def _follow(self, stopping: asyncio.Event) -> None:
        async with self._ends() as ends:
            self._enter(AGAIN)
            outcome = await attempt(lambda: uncancelled(self._read(ends, stopping)))
            # Said before the reader is closed, which takes its time where the broker is away.
            self._enter(STALE if isinstance(outcome, Failure) else None)
        if isinstance(outcome, Failure):
            raise outcome.error

    async def _read(self, ends: Ends, stopping: asyncio.Event) -> None:
        while self._wanted() and not stopping.is_set():
            self._tick = time.monotonic()
            self._hear(await ends.read(ASK_EVERY if self._to_say or self._held else READ_FOR))
            await self._ask()
            self._say()

    def _hear(self, found: Sequence[Said]) -> None:
        for said in found:
            try:
                head = _Record.model_validate_json(said.value)
                order_id = UUID(head.subject)
            except (ValidationError, ValueError):
                continue
            doubled = said.topic == ORDERS_LOG.name and head.type == OrderNoted.type
            if head.shop not in self._of_shop or head.shadow or doubled:
                continue
            change = Change(order_id, head.shop, head.data.order.version, head.type, head.meta().time)
            if said.topic == ORDERS_EVENTS.name or head.source == OWN or len(self._held) >= MOST_HELD:
                self._put(change)
            else:
                self._held[order_id, head.source, head.id] = change, time.monotonic()

    def _put(self, change: Change) -> None:
        self._to_say[change.order_id] = change.after(self._to_say.get(change.order_id))

    async def _ask(self) -> None:
        """Let go what others did and the timeline has by now; who was told of it reads it there."""
        now = time.monotonic()
        if not self._held or now < self._ask_at:
            return
        self._ask_at = now + ASK_EVERY
        ripe = {key for key, (_, since) in self._held.items() if now > since + HELD_FOR}
        try:
            async with asyncio.timeout(ANSWER_WITHIN), connected(self._pool) as connection:
                rows = await connection.fetch(ON_TIMELINE, *map(list, zip(*self._held, strict=True)))
            ripe |= {(row["order_id"], row["source"], row["id"]) for row in rows}
        except (*DATABASE_ERRORS, DatabaseAway) as error:
            log.warning("the timelines cannot be asked", error=str(error))
        for key in ripe:
            self._put(self._held.pop(key)[0])

    def _say(self) -> None:
        now = time.monotonic()
        self._said_at = {order: at for order, at in self._said_at.items() if at + AT_MOST_EVERY > now}
        for order_id in self._to_say.keys() - self._said_at.keys():
            change = self._to_say.pop(order_id)
            self._said_at[order_id] = now
            said = change.event()
            for listener in self._of_shop.get(change.shop, ()):
                if listener.order_id in {None, order_id}:
                    listener.outlet.put(said)

"""Whole orders, with everything on: paid, placed, confirmed, handed over, booked, sent, captured, its note printed.

There is no bare reference: nothing else does all of it. The shop waits for what the order log says, as an integration
would, and asks nobody again and again.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from itertools import islice
from uuid import UUID

import asyncpg
import httpx2

from benchmarks.orders import shop_front_producer
from benchmarks.rounds import PATIENCE, progress
from benchmarks.rows import Row
from benchmarks.used import cpu_seconds
from benchmarks.whole import SERVICES, Whole, whole_system
from benchmarks.world import World
from deploy.local.demo import nordic_shops
from deploy.local.demo.asked import Asked
from deploy.local.demo.checkout import Checkout
from deploy.local.demo.connect import key_of
from deploy.local.demo.follow import OrderLog, open_log
from deploy.local.demo.orders_of_nordic_shops import nordic_orders
from deploy.local.demo.papers import NOTE
from deploy.local.demo.shop_front import ShopFront
from deploy.local.demo.stories import State, Story
from services.integrations.erp.sandbox import VAT_CODES
from shared.contracts.order_commands import PlaceOrder
from shared.contracts.order_events import PaymentStatusChanged
from shared.contracts.order_log import (
    DocumentPrinted,
    ErpOrderExported,
    LogEntry,
    MessageSent,
    OrderNoted,
    PaymentAuthorized,
    PaymentCaptured,
    ShipmentBooked,
)

ORDERS = 300
ROUNDS = 3
AT_A_TIME = 32
SHOPS = [shop.settings for shop in nordic_shops.SHOPS]
US = "the shop front, which is not ours"
CONFIRMED = {MessageSent.type, PaymentAuthorized.type, PaymentStatusChanged.type}
"""Orders takes what is authorized when units are sent, so it is to know of it before: that is its own event."""
COMPLETE = {
    MessageSent.type,
    PaymentAuthorized.type,
    ErpOrderExported.type,
    ShipmentBooked.type,
    PaymentCaptured.type,
    DocumentPrinted.type,
}
ON_THE_TIMELINE = """
select count(*) from (
  select from timeline where order_id = any($1::uuid[]) and type = any($2::text[])
  group by order_id having count(distinct type) = cardinality($2::text[])
) as complete
"""


class Heard:
    """What the order log has said of the orders that are being handled: types of entries, and of events noted there."""

    def __init__(self) -> None:
        self._types: dict[UUID, set[str]] = {}
        self._news: dict[UUID, asyncio.Event] = {}
        self._trouble: dict[UUID, LogEntry] = {}

    def listen_for(self, order_id: UUID) -> None:
        """From now on what is said of this order is kept."""
        self._types[order_id], self._news[order_id] = set(), asyncio.Event()

    def hear(self, entry: LogEntry) -> bool:
        """Takes in one entry of the log; False when it is about an order of somebody else."""
        if entry.order_id not in self._types:
            return False
        self._types[entry.order_id].add(entry.event_type if isinstance(entry, OrderNoted) else entry.type)
        if entry.outcome in {"failed", "unknown"}:
            self._trouble[entry.order_id] = entry
        self._news[entry.order_id].set()
        return True

    async def until(self, order_id: UUID, wanted: AbstractSet[str]) -> None:
        """Returns when all of these types were said. Raises RuntimeError when it went wrong, or nobody says them."""
        deadline = time.monotonic() + PATIENCE
        while not wanted <= self._types[order_id]:
            if trouble := self._trouble.get(order_id):
                raise RuntimeError(f"order {order_id}: {trouble.model_dump_json()}")
            news = self._news[order_id]
            news.clear()
            try:
                async with asyncio.timeout(deadline - time.monotonic()):
                    await news.wait()
            except TimeoutError:
                missing = ", ".join(sorted(wanted - self._types[order_id]))
                raise RuntimeError(f"order {order_id}: no {missing} within {PATIENCE:g} s") from None


class Shop:
    """Its customers and its people, so many orders at a time."""

    def __init__(self, front: ShopFront, checkout: Checkout, heard: Heard, orders: asyncpg.Connection) -> None:
        self._front, self._checkout, self._heard, self._orders = front, checkout, heard, orders

    async def handle(self, orders: Sequence[Asked]) -> float:
        """Seconds from the first customer who pays until every order's timeline is complete."""
        numbers, began, done = iter(range(len(orders))), time.perf_counter(), 0

        async def work() -> None:
            nonlocal done
            for number in numbers:
                await self._tell(orders[number], by_topic=number % 2 == 1)
                done += 1
                if done % max(50, len(orders) // 40) == 0:
                    rate = done / (time.perf_counter() - began)
                    progress(f"  {done:,} of {len(orders):,} orders, {rate:.1f}/s …")

        async with asyncio.TaskGroup() as working:
            for _ in range(AT_A_TIME):
                working.create_task(work())
        await self._until_complete([one.order.order_id for one in orders])
        return time.perf_counter() - began

    async def _tell(self, asked: Asked, *, by_topic: bool) -> None:
        order_id = asked.order.order_id
        paid = await self._checkout.paid(asked)
        story = Story(paid, "topic" if by_topic else "http")
        self._heard.listen_for(order_id)
        await self._front.place(story)
        if story.state is State.REJECTED:
            raise RuntimeError(f"{asked.label} was refused: {story.reason} {story.words}")
        await self._heard.until(order_id, CONFIRMED)
        for what in ("transfer", "shipments", "process"):
            await self._front.act(paid, what)
        await self._front.ask_for(paid, NOTE)
        await self._heard.until(order_id, COMPLETE)

    async def _until_complete(self, order_ids: Sequence[UUID]) -> None:
        deadline = time.monotonic() + PATIENCE
        while (found := await self._orders.fetchval(ON_THE_TIMELINE, order_ids, sorted(COMPLETE))) < len(order_ids):
            if time.monotonic() > deadline:
                raise RuntimeError(f"only {found} of {len(order_ids)} timelines are complete")
            await asyncio.sleep(0.02)


async def measure(world: World) -> list[Row]:
    """Orders per second, and what each costs of CPU, by process."""
    count = world.whole_orders(ORDERS)
    rates: list[float] = []
    used: dict[str, list[float]] = {}
    async with whole_system(world, SHOPS) as whole, the_shop(world, whole) as shop:
        for number in [1] if world.quick else range(ROUNDS + 1):
            progress(f"  {f'round {number} of {ROUNDS}' if number else 'warm-up'}: {count:,} orders …")
            orders, before = whole_orders(count, seed=number), _cpu(whole.pids)
            seconds = await shop.handle(orders)
            if number:
                rates.append(count / seconds)
                for name, after in _cpu(whole.pids).items():
                    used.setdefault(name, []).append(1000 * (after - before[name]) / count)
    progress("")
    note = (
        f"{count:,} of the demo's Nordic orders, {AT_A_TIME} at a time, half by HTTP and half by topic; all services "
        "with all roles, one process each; the shop front, the sandboxes and the mailbox are on the same machine"
    )
    ours = [sum(each) for each in zip(*(each for name, each in used.items() if name in SERVICES), strict=True)]
    return [
        Row("story: whole orders, everything on", "/s", rates, note=note),
        Row("story: CPU of an order, the four services", " ms", ours),
        *(Row(f"story: CPU of an order, {name}", " ms", each) for name, each in used.items()),
    ]


def _cpu(pids: Mapping[str, int]) -> dict[str, float]:
    return {**{name: cpu_seconds(pid) for name, pid in pids.items()}, US: time.process_time()}


@asynccontextmanager
async def the_shop(world: World, whole: Whole) -> AsyncIterator[Shop]:
    """Everybody who sells and buys, connected to the system."""
    async with AsyncExitStack() as undo:
        orders, pay = [
            await undo.enter_async_context(httpx2.AsyncClient(base_url=url, timeout=30.0, trust_env=False))
            for url in (whole.orders_url, whole.sandboxes["payment"])
        ]
        producer = await undo.enter_async_context(shop_front_producer(world.kafka))
        log = await undo.enter_async_context(open_log(world.kafka, whole.prefix))
        connection = await asyncpg.connect(whole.orders_dsn)
        undo.push_async_callback(connection.close)
        heard = Heard()
        await undo.enter_async_context(_reading(log, heard))
        front = ShopFront(orders, producer, whole.tokens, topic_prefix=whole.prefix)
        checkout = Checkout(pay, SHOPS, {shop.shop: key_of("payment", shop.shop) for shop in SHOPS})
        yield Shop(front, checkout, heard, connection)


@asynccontextmanager
async def _reading(log: OrderLog, heard: Heard) -> AsyncIterator[None]:
    reading = asyncio.create_task(log.read(heard.hear))
    try:
        yield
    finally:
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)


def whole_orders(count: int, seed: int) -> list[Asked]:
    """So many of the demo's orders that take the whole way: nothing about them is refused by anybody."""
    return list(islice(_whole_orders(count, seed), count))


def _whole_orders(count: int, seed: int) -> Iterator[Asked]:
    today = datetime.now(UTC).date()
    for more in range(100):
        yield from (one for one in nordic_orders(count, 100 * seed + more, today) if takes_the_whole_way(one.order))


def takes_the_whole_way(order: PlaceOrder) -> bool:
    """Whether it has the right time, something to carry, and no VAT that Sandbox ERP has no code for."""
    return (
        order.placed_at is None
        and any(line.kind == "physical" for line in order.lines)
        and all(line.vat_rate in VAT_CODES for line in order.lines)
    )

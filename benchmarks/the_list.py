"""The list at a million orders: every filter, search and sort, and what an order's page needs, beside bare statements.

Figures are milliseconds of CPU in the database's own process, which a busy machine changes little, and by the clock,
which has the way to it and back and whatever else the machine does.
"""

import statistics
import time
from collections import defaultdict
from collections.abc import Awaitable, Iterator, Sequence
from dataclasses import dataclass, field
from random import Random
from uuid import UUID

import asyncpg

from benchmarks.list_cases import BIG, SMALL, Case, Known, cases, look_around
from benchmarks.list_filled import filled
from benchmarks.list_orders import BEGAN
from benchmarks.list_writes import placing
from benchmarks.rounds import progress
from benchmarks.rows import Row, Target
from benchmarks.used import cpu_nanoseconds
from benchmarks.world import World
from services.orders.cursors import Place
from services.orders.domain.allowed import possible
from services.orders.list_api import Wanted
from services.orders.listing import count, list_page, sums_of_customer
from services.orders.promises import promises_of
from services.orders.repository import comments_of, find_order, shop_of
from services.orders.timeline import read_page
from shared.messaging.database import Connection

ORDERS = 1_000_000
TIMES = 16
DEPTHS = (0.0, 0.1, 0.5, 0.9)
"""How far down the list pages begin, as parts of the time since the shops opened."""
NOBODY = UUID(int=0)
BARE_PAGE = "select id, number, placed_at from orders where shop = $1 order by placed_at desc, id desc limit 51"
BARE_ORDER = "select body from orders where id = $1"
LONGEST = """
select order_id, shop from timeline where shop = 'big' group by 1, 2 having count(*) >= 200 order by 1 limit 100
"""


@dataclass
class Taken:
    """How long something took each time, in milliseconds: CPU in the database, and by the clock."""

    inside: list[float] = field(default_factory=list)
    clock: list[float] = field(default_factory=list)


class Watch:
    """Sees how much CPU the process behind a connection has used, where that runs on this machine."""

    def __init__(self, connection: Connection, pid: int) -> None:
        self.connection = connection
        self._pid = pid
        self.taken: defaultdict[tuple[str, str], Taken] = defaultdict(Taken)

    async def time(self, kind: str, name: str, work: Awaitable[object]) -> None:
        """Does it once, and keeps how long it took."""
        before, began = cpu_nanoseconds(self._pid), time.perf_counter()
        await work
        taken = self.taken[kind, name]
        taken.clock.append((time.perf_counter() - began) * 1e3)
        taken.inside.append((cpu_nanoseconds(self._pid) - before) / 1e6)

    def of(self, kind: str) -> Iterator[tuple[str, Taken]]:
        """Everything of a kind, the slowest first."""
        found = [(name, taken) for (each, name), taken in self.taken.items() if each == kind]
        yield from sorted(found, key=lambda one: -max(one[1].inside))


async def measure(world: World) -> list[Row]:
    """Percentiles over all that is looked for, and the slowest of it."""
    total = world.orders or world.size(ORDERS)
    async with filled(total, world.data, fresh=world.fresh, keep=world.keep) as dsn:
        connection = await asyncpg.connect(dsn, server_settings={"jit": "off", "timezone": "UTC"})
        try:
            watch = Watch(connection, await connection.fetchval("select pg_backend_pid()"))
            known = await look_around(connection, total)
            times = 2 if world.quick else TIMES
            await _pages(watch, known, times)
            await _counts(watch, known, times)
            await _orders(watch, times)
            rows = list(_rows(watch))
            return [*rows, *await placing(connection, quick=world.quick)]
        finally:
            await connection.close()


async def _pages(watch: Watch, known: Known, times: int) -> None:
    random, all_cases = Random(1), cases()
    for turn in range(times + 1):
        progress(f"  pages: {turn} of {times} …")
        for case in all_cases:
            shop, wish = case.wish(random, known)
            after = _after(case, known, shop, DEPTHS[turn % len(DEPTHS)])
            wanted = Wanted.model_validate(wish).filter()
            page = list_page(watch.connection, shop, wanted, sort=case.sort, after=after)
            await watch.time(case.kind if turn else "warm-up", case.name, page)
        await watch.time("bare page" if turn else "warm-up", "", watch.connection.fetch(BARE_PAGE, BIG))
    progress("")


def _after(case: Case, known: Known, shop: str, depth: float) -> str:
    if depth == 0 or case.kind == "search" or not case.sort.endswith("placed_at"):
        return ""
    back = depth if case.sort.startswith("-") else 1 - depth
    return Place(known.newest - BEGAN * back, NOBODY).cursor(shop, case.sort)


async def _counts(watch: Watch, known: Known, times: int) -> None:
    random = Random(2)
    all_cases = [case for case in cases() if case.sort == "-placed_at" and case.kind in {"page", "search"}]
    for turn in range(times + 1):
        progress(f"  counts: {turn} of {times} …")
        for case in all_cases:
            shop, wish = case.wish(random, known)
            wanted = Wanted.model_validate(wish).filter()
            kind = "count" if case.kind == "page" else "count of a search"
            await watch.time(kind if turn else "warm-up", case.name, count(watch.connection, shop, wanted))
        for shop in (BIG, SMALL):
            customers = known.shops[shop].customers
            for name, customer in (("the best", customers[0]), ("any", random.choice(customers))):
                sums = sums_of_customer(watch.connection, shop, customer)
                await watch.time("customer" if turn else "warm-up", f"{shop}: {name}", sums)
    progress("")


async def _orders(watch: Watch, times: int) -> None:
    connection = watch.connection
    rows = await connection.fetch(LONGEST)

    async def page(order_id: UUID, shop: str) -> None:
        order = await find_order(connection, order_id, shop)
        await read_page(connection, order_id, shop, limit=200)
        await promises_of(connection, order_id, shop)
        possible(order, await shop_of(connection, shop))
        await comments_of(connection, order_id, shop)

    for row in rows[: times * 5]:
        await watch.time("order", "", page(row["order_id"], row["shop"]))
        await watch.time("bare order", "", connection.fetchval(BARE_ORDER, row["order_id"]))


def _rows(watch: Watch) -> Iterator[Row]:
    bare = _flat(watch.of("bare page"))
    for kind, words in (
        ("page", "list: pages"),
        ("sorted", "list: filtered, by something else than the time"),
        ("search", "list: searches"),
        ("count", "list: counts to a thousand"),
        ("count of a search", "list: counts of searches"),
        ("customer", "list: sums of a customer"),
    ):
        yield from _percentiles(watch, kind, words, bare)
    yield from _percentiles(
        watch, "order", "order page: order, 200 entries, promises, actions", _flat(watch.of("bare order"))
    )


def _flat(found: Iterator[tuple[str, Taken]]) -> list[float]:
    return [figure for _, taken in found for figure in taken.inside]


def _percentiles(watch: Watch, kind: str, words: str, bare: Sequence[float]) -> Iterator[Row]:
    found = list(watch.of(kind))
    inside = [figure for _, taken in found for figure in taken.inside]
    clock = [figure for _, taken in found for figure in taken.clock]
    most, part = {"page": (5.0, 99), "search": (60.0, 95), "count": (5.0, 99), "order": (20.0, 99)}.get(
        kind, (None, 99)
    )
    slowest = ", ".join(f"{name} {max(taken.inside):.1f}" for name, taken in found[:8] if name)
    note = (
        f"by the clock p50 {_percentile(clock, 50):.1f}, p{part} {_percentile(clock, part):.1f} ms; {len(inside)} times"
    )
    note += f"; slowest: {slowest}" if slowest else ""
    yield Row(f"{words}, p50", " ms", [_percentile(inside, 50)], bare)
    yield Row(f"{words}, p{part}", " ms", [_percentile(inside, part)], bare, Target(most=most) if most else None, note)


def _percentile(figures: Sequence[float], part: int) -> float:
    return statistics.quantiles(figures, n=100, method="inclusive")[part - 1] if len(figures) > 1 else figures[0]

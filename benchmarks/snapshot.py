"""A hundred thousand messages pass while somebody looks at an old state of the database, and while nobody does.

No dead row can be cleaned away under a snapshot; what that costs is measured beside the same without it.
"""

import asyncio
import statistics
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

import asyncpg

from benchmarks.ingest import fill, one_group
from benchmarks.material import event_letter, new_order_id
from benchmarks.rounds import PATIENCE, Counted, progress, rate_of, running
from benchmarks.rows import Row
from benchmarks.world import KIT_MIGRATIONS, World
from shared.contracts.topics import ORDERS_EVENTS
from shared.messaging import lanes, metrics
from shared.messaging.claims import RECENT
from shared.messaging.database import KEYS_ONLY, transaction
from shared.messaging.finish import Ending, settle
from shared.messaging.groups import Group
from shared.messaging.ingest import Ingest
from shared.messaging.ingest_store import IngestStore
from shared.messaging.intake import Arrived
from shared.messaging.lanes import DUE
from shared.messaging.outbox import Outbox
from shared.messaging.outside import OutsideWorker
from shared.messaging.sweeper import Sweeper
from shared.messaging.wakeup import Bell

MESSAGES = 100_000
PROBES = 15
EVERYTHING = DUE.format(further="")
LOOK = "select count(*) from lane"
DEAD = "select sum(n_dead_tup)::bigint from pg_stat_user_tables where relname in ('lane', 'inbox', 'message')"
RECOVERED = 1.5
"""So many times as long as without a snapshot a claim may take, to be called as quick as before."""


@dataclass
class Passage:
    """What one passage of all messages showed; milliseconds each for fifty lanes."""

    rate: float
    dead_rows: float = 0.0
    claim_all: float = 0.0
    claim_recent: float = 0.0
    finish: float = 0.0
    recovery: float = 0.0


async def measure(world: World) -> list[Row]:
    """The rate, what claims and finishes take at the end of it, dead rows, and how soon all is as before."""
    count, free, held = world.size(MESSAGES), list[Passage](), list[Passage]()
    async with world.topics() as prefix:
        progress(f"  {count:,} events …")
        await fill(world.kafka, prefix + ORDERS_EVENTS.name, count)
        for number in range(1 if world.quick else 2):
            progress(f"  round {number + 1}: nobody looks …")
            free.append(await _pass(world, prefix, count, None))
            progress(f"  round {number + 1}: somebody holds a snapshot …")
            held.append(await _pass(world, prefix, count, free[-1]))
    progress("")
    name = f"snapshot held while {count:,} messages pass"

    def row(what: str, unit: str, figure: Callable[[Passage], float], note: str = "") -> Row:
        return Row(f"{name}: {what}", unit, [figure(each) for each in held], [figure(each) for each in free], note=note)

    note = "ingest from Kafka and lanes of one message each at once, no-op handler; reference: nobody holds a snapshot"
    recovery = Row(f"{name}: until a claim is as before, once it is gone", " s", [each.recovery for each in held])
    return [
        row("through ingest and lanes", "/s", lambda each: each.rate, note),
        row("dead rows at the end", "", lambda each: each.dead_rows),
        row("claim of fifty lanes that looks at everything", " ms", lambda each: each.claim_all),
        row("claim that looks at what is due since two seconds", " ms", lambda each: each.claim_recent),
        row("finish of fifty lanes", " ms", lambda each: each.finish),
        recovery,
    ]


async def _pass(world: World, prefix: str, count: int, without: Passage | None) -> Passage:
    """All messages once, on a database of its own; under a snapshot where there is a passage without one."""
    group = one_group()
    async with (
        world.database(KIT_MIGRATIONS) as dsn,
        asyncpg.create_pool(dsn, min_size=1, max_size=8, server_settings=KEYS_ONLY) as pool,
        AsyncExitStack() as snapshot,
    ):
        if without is not None:
            await snapshot.enter_async_context(_snapshot(dsn))
        passage = Passage(await _work(world, dsn, pool, prefix, group, count))
        await _take_in_some(pool, group)
        probe = Probe(pool)
        await probe.measure(passage)
        passage.dead_rows = await pool.fetchval(DEAD)
        if without is not None:
            await snapshot.aclose()
            passage.recovery = await probe.until_as_quick_as(without.claim_all * RECOVERED)
    return passage


async def _work(world: World, dsn: str, pool: asyncpg.Pool, prefix: str, group: Group, count: int) -> float:
    bell = Bell()
    handled = Counted(metrics.handled, group=group.name, outcome="done")
    async with running(
        Ingest(pool, world.kafka, ORDERS_EVENTS, [group], bell, service="bench", prefix=prefix),
        OutsideWorker(pool, dsn, [group], Outbox("/bench", bell), bell, {}),
        Sweeper(pool, Bell()),
    ):
        return await rate_of(handled.now, count)


@asynccontextmanager
async def _snapshot(dsn: str) -> AsyncIterator[None]:
    connection = await asyncpg.connect(dsn)
    try:
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            await connection.fetchval(LOOK)
            yield
    finally:
        await connection.close()


async def _take_in_some(pool: asyncpg.Pool, group: Group) -> None:
    """Ten times as many lanes as one claim takes, for the probes."""
    letter, subjects = event_letter(), [new_order_id() for _ in range(10 * lanes.MOST_LANES)]
    await IngestStore(pool, ORDERS_EVENTS, [group]).take(
        [
            Arrived(ORDERS_EVENTS.name, 0, n, subject.encode(), letter.about(subject).encode(), [])
            for n, subject in enumerate(subjects)
        ]
    )


class Probe:
    """Claims, reads and finishes fifty lanes again and again, while nobody else works on them."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool
        self._held: Sequence[lanes.Lane] = ()

    async def measure(self, passage: Passage) -> None:
        """Medians, after one that does not count."""
        took: dict[str, list[float]] = {"all": [], "recent": [], "finish": []}
        for number in range(PROBES + 1):
            for candidates, name in ((EVERYTHING, "all"), (RECENT, "recent")):
                claiming = await _timed(lambda candidates=candidates: self._claim(candidates))  # type: ignore[misc]
                finishing = await _timed(self._finish)
                if number:
                    took[name].append(claiming)
                    took["finish"].append(finishing)
        passage.claim_all, passage.claim_recent, passage.finish = (statistics.median(each) for each in took.values())

    async def until_as_quick_as(self, most: float) -> float:
        """Seconds until three claims in a row take no longer than so many milliseconds."""
        began = time.monotonic()
        quick = 0
        while quick < 3:
            if time.monotonic() - began > PATIENCE:
                raise RuntimeError(f"a claim takes longer than {most:.1f} ms for {PATIENCE:g} s")
            quick = quick + 1 if await _timed(lambda: self._claim(EVERYTHING)) <= most else 0
            await self._finish()
            await asyncio.sleep(0.1)
        return time.monotonic() - began

    async def _claim(self, candidates: str) -> None:
        self._held = await lanes.claim(self._pool, "bench", lanes.MOST_LANES, candidates=candidates)
        await lanes.read(self._pool, self._held)

    async def _finish(self) -> None:
        async with transaction(self._pool) as connection:
            await lanes.lock(connection, self._held)
            await settle(connection, [Ending(lane, "ready") for lane in self._held])


async def _timed(work: Callable[[], Awaitable[None]]) -> float:
    began = time.perf_counter()
    await work()
    return (time.perf_counter() - began) * 1000

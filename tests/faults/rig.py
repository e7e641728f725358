"""One run: load and trouble at once, then quiet until everything is settled, then the oracle's verdict."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from deploy.local import postgres
from tests.faults.accepted import Promises
from tests.faults.chaos import Chaos, ProviderChaos
from tests.faults.load import Load
from tests.faults.oracle import judge
from tests.faults.plan import Step, length
from tests.faults.reader import read_history
from tests.faults.servers import OwnKafka, OwnPostgres, Server
from tests.faults.settled import settled
from tests.faults.shop_front import a_shop_front
from tests.faults.trouble import Trouble
from tests.faults.verdict import Verdict
from tests.faults.world import MAIL_DOMAIN, MIGRATIONS, Place, World

Tell = Callable[[str], None]


@dataclass(frozen=True)
class Scenario:
    """So many orders while these steps are taken, with outside parties that behave so."""

    name: str
    orders: int
    seed: int
    steps: Sequence[Step]
    charges: ProviderChaos = field(default_factory=ProviderChaos)
    mails: Chaos = field(default_factory=Chaos)

    @property
    def per_second(self) -> float:
        """New orders per second, so that they come for as long as the trouble lasts."""
        return self.orders / max(length(self.steps), 1.0)


@dataclass(frozen=True)
class Report:
    """What a run showed."""

    scenario: Scenario
    verdict: Verdict
    accepted: int
    faults: Counter[str]
    settled_in: float
    """Seconds from the end of load and trouble until nothing was left to do."""
    took: float


async def run(world: World, servers: Mapping[str, Server], scenario: Scenario, tell: Tell) -> Report:
    """One run in a world that is ready."""
    began = time.monotonic()
    promises = Promises(world.folder / "accepted")
    trouble = Trouble(world, servers)
    await world.misbehave(scenario.charges, scenario.mails)
    urls = [world.fleet.url(member) for member in world.fleet.with_role("api", "orders")]
    topic = world.topic("orders.commands")
    async with a_shop_front(urls, world.token, world.place.kafka, topic, scenario.seed) as front:
        load = Load(front, promises, scenario.orders, scenario.seed, scenario.per_second)

        def line() -> str:
            said = f"{load.told:,} of {scenario.orders:,} orders, {len(promises.accepted):,} commands accepted"
            return f"{said}; {trouble.done} of {len(scenario.steps)} faults are over"

        watch = asyncio.create_task(trouble.start_again_who_ends())
        try:
            await telling(line, tell, load.run(), trouble.carry_out(scenario.steps))
            quiet = await settled(world, tell)
        finally:
            watch.cancel()
    tell("reading what was done and said")
    verdict = judge(await read_history(world, promises, quiet.left), MAIL_DOMAIN)
    faults = Counter(f"{fault.what} {fault.target.rstrip('-0123456789')}" for fault in world.journal.faults)
    return Report(scenario, verdict, len(promises.accepted), faults, quiet.seconds, time.monotonic() - began)


async def telling(line: Callable[[], str], tell: Tell, *work: Coroutine[Any, Any, None]) -> None:
    """Does the work at once, and says now and then how far it is."""
    running = [asyncio.create_task(one) for one in work]
    try:
        while not all(task.done() for task in running):
            await asyncio.wait(running, timeout=1.0, return_when=asyncio.FIRST_EXCEPTION)
            tell(line())
            for task in running:
                if task.done():
                    task.result()
    finally:
        for task in running:
            task.cancel()


@asynccontextmanager
async def own_servers(folder: Path) -> AsyncIterator[tuple[Place, Mapping[str, Server]]]:
    """A PostgreSQL and a Kafka for this run alone, with three empty databases."""
    database, broker = OwnPostgres(folder), OwnKafka(folder)
    async with AsyncExitStack() as undo:
        undo.push_async_callback(database.forget)
        undo.push_async_callback(broker.forget)
        await asyncio.gather(database.forget(), broker.forget())
        undo.push_async_callback(database.stop)
        undo.push_async_callback(broker.stop)
        await asyncio.gather(database.start(), broker.start())
        for service in MIGRATIONS:
            await postgres.create_database(database.url(), service)
        databases = {service: database.url(service) for service in MIGRATIONS}
        yield Place(databases, broker.address, ""), {database.name: database, broker.name: broker}

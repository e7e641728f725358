"""One run: load and trouble at once, then quiet until everything is settled, then the oracle's verdict."""

import asyncio
import itertools
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from deploy.local import postgres
from tests.faults.accepted import Accepted, Promises
from tests.faults.chaos import Chaos, ProviderChaos
from tests.faults.commit_eater import CommitEater
from tests.faults.deeds import Ground
from tests.faults.fleet import LAYOUT, Member
from tests.faults.journal import Fault
from tests.faults.load import Load, Story, stories
from tests.faults.oracle import judge
from tests.faults.payer.handlers import POISON
from tests.faults.payer.webhook import PATH
from tests.faults.plan import Step, length
from tests.faults.reader import read_history
from tests.faults.servers import OwnKafka, OwnPostgres
from tests.faults.settled import LONGEST, settled
from tests.faults.shop_front import a_shop_front
from tests.faults.tree import copy_of_the_tree
from tests.faults.trouble import Trouble
from tests.faults.verdict import Class, Finding, Verdict
from tests.faults.world import MAIL_DOMAIN, MIGRATIONS, Place, World, the_world

Tell = Callable[[str], None]

GRACE = 5.0
"""Seconds at the beginning and the end of a fault that are not looked at."""


@dataclass(frozen=True)
class Scenario:
    """So many orders while these steps are taken, with outside parties that behave so."""

    name: str
    orders: int
    seed: int
    steps: Sequence[Step]
    charges: ProviderChaos = field(default_factory=ProviderChaos)
    mails: Chaos = field(default_factory=Chaos)
    keyless: bool = False
    """Whether the provider knows no keys and answers no look-ups."""
    thinks: float = 0.0
    """Seconds that the payer takes over each charge that was made."""
    poison: int = 0
    """How many of the orders end the payer's process each time it works on them."""
    steady: float = 0.0
    """New orders per second for as long as the trouble lasts; 0: as many as `orders` says, spread over that time."""
    members: Sequence[Member] = LAYOUT
    longest: float = LONGEST
    """Seconds after load and trouble in which everything must be done."""
    taciturn: bool = False
    """Whether the provider tells of nothing by itself, so that whoever wants to know must ask."""

    def takes(self, what: str) -> bool:
        """Whether one of its steps is of this kind."""
        return any(step.what == what for step in self.steps)

    @property
    def per_second(self) -> float:
        """New orders per second, so that they come for as long as the trouble lasts."""
        if self.steady:
            return self.steady
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


async def run(ground: Ground, scenario: Scenario, tell: Tell) -> Report:
    """One run in a world that is ready."""
    began, world = time.monotonic(), ground.world
    promises = Promises(world.folder / "accepted")
    trouble = Trouble(ground)
    told: Iterable[Story] = stories(scenario.orders, scenario.seed, scenario.poison)
    told = itertools.takewhile(lambda _: trouble.lasts, told) if scenario.steady else list(told)
    poison = frozenset(poisoned(told)) if scenario.poison else frozenset()
    await world.misbehave(scenario.charges.model_copy(update=terms_of(world, scenario)), scenario.mails)
    urls = [world.fleet.url(member) for member in world.fleet.with_role("api", "orders")]
    topic = world.topic("orders.commands")
    async with a_shop_front(urls, world.token, world.place.kafka, topic, scenario.seed) as front:
        load = Load(front, promises, told, scenario.per_second)

        def line() -> str:
            said = f"{load.told:,} of {scenario.orders:,} orders, {len(promises.accepted):,} commands accepted"
            return f"{said}; {trouble.done} of {len(scenario.steps)} faults are over"

        watch = asyncio.create_task(trouble.start_again_who_ends())
        try:
            await telling(line, tell, load.run(), trouble.carry_out(scenario.steps))
            quiet = await settled(world, tell, poison, scenario.longest)
        finally:
            watch.cancel()
    tell("reading what was done and said")
    verdict = judge(await read_history(world, promises, quiet.left, poison), MAIL_DOMAIN)
    verdict.findings.extend(behind_kafka(promises.accepted, world.journal.faults))
    faults = Counter(f"{fault.what}: {fault.target.rstrip('-0123456789')}" for fault in world.journal.faults)
    if ground.eater is not None:
        faults["answers to COMMIT that were eaten"] = ground.eater.eaten
    return Report(scenario, verdict, len(promises.accepted), faults, quiet.seconds, time.monotonic() - began)


def poisoned(told: Iterable[Story]) -> Iterator[str]:
    """The orders that end the payer's process."""
    return (str(story.order.id) for story in told if story.order.reference == POISON)


def terms_of(world: World, scenario: Scenario) -> dict[str, Any]:
    """What the provider offers, and where it tells of what it has executed."""
    (payer, *_) = world.fleet.with_role("api", "payer")
    if scenario.taciturn:
        return {}
    webhooks = {"webhook_url": f"{world.fleet.url(payer)}{PATH}", "webhook_doubled": 0.1, "webhook_seconds": 10.0}
    return webhooks | ({"memory": 0.0, "look_up": False} if scenario.keyless else {})


def world_of(folder: Path, place: Place, scenario: Scenario, code: Path) -> AbstractAsyncContextManager[World]:
    """The system that the scenario wants, of this code."""
    return the_world(
        folder, place, members=scenario.members, code=code, keyless=scenario.keyless, thinks=scenario.thinks
    )


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


def behind_kafka(accepted: Sequence[Accepted], faults: Sequence[Fault]) -> Iterator[Finding]:
    """What is wrong when Kafka was away for a while and no command was accepted by HTTP in the middle of it."""
    for fault in faults:
        begin, end = fault.began + GRACE, fault.ended - GRACE
        meanwhile = any(begin < one.at < end for one in accepted if one.way == "http")
        if fault.target == "kafka" and end > begin and not meanwhile:
            yield Finding(Class.STUCK, "", f"no command was accepted by HTTP while Kafka was away ({fault.what})")


@asynccontextmanager
async def servers_in(folder: Path) -> AsyncIterator[tuple[OwnPostgres, OwnKafka]]:
    """A PostgreSQL and a Kafka of our own; what they kept is deleted at the end."""
    database, broker = OwnPostgres(folder), OwnKafka(folder)
    async with AsyncExitStack() as undo:
        undo.push_async_callback(database.forget)
        undo.push_async_callback(broker.forget)
        await asyncio.gather(database.forget(), broker.forget())
        undo.push_async_callback(database.stop)
        undo.push_async_callback(broker.stop)
        await asyncio.gather(database.start(), broker.start())
        yield database, broker


@asynccontextmanager
async def own_ground(folder: Path, scenario: Scenario) -> AsyncIterator[Ground]:
    """A PostgreSQL and a Kafka for this run alone, and the system on them."""
    async with AsyncExitStack() as undo:
        database, broker = await undo.enter_async_context(servers_in(folder))
        eater = CommitEater(database.port, scenario.seed) if scenario.takes("eat commits") else None
        for service in MIGRATIONS:
            await postgres.create_database(database.url(), service)
        databases = {service: database.url(service) for service in MIGRATIONS}
        ways: dict[str, str] = {}
        if eater is not None:
            await undo.enter_async_context(eater.listening())
            ways = {service: postgres.url(eater.port, service) for service in MIGRATIONS}
        place, code = Place(databases, broker.address, "", ways), copy_of_the_tree(folder / "tree")
        world = await undo.enter_async_context(world_of(folder, place, scenario, code))
        yield Ground(world, {database.name: database, broker.name: broker}, eater)

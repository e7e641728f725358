"""Everything that one run stands on: databases with their tables, topics, the outside parties, the fleet, one shop."""

import asyncio
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import asyncpg
import httpx2

from deploy.local.ports import HOST, take_port
from deploy.local.processes import Process, start_process, until_it_answers
from services.notifications.app import MIGRATIONS as OF_NOTIFICATIONS
from services.orders.app import MIGRATIONS as OF_ORDERS
from services.orders.shops import save_shop
from shared.contracts.topics import TOPICS
from shared.messaging.outbox import Outbox
from shared.messaging.topics_on_broker import TopicsOnBroker
from shared.messaging.wakeup import Bell
from shared.runtime.migrations import RUNTIME_MIGRATIONS, migrate
from shared.runtime.tokens import make_token
from tests.builders import a_shop
from tests.faults.chaos import Chaos, ProviderChaos
from tests.faults.fleet import LAYOUT, Fleet, Member
from tests.faults.journal import Journal
from tests.faults.payer.app import MIGRATIONS as OF_PAYER
from tests.faults.payer.handlers import payer
from tests.faults.tree import ROOT
from tests.plugins.waiting import eventually

MIGRATIONS = {"orders": OF_ORDERS, "notifications": OF_NOTIFICATIONS, "payer": OF_PAYER}
PARTITIONS = 4
MAIL_DOMAIN = "mail.example"
CALL_WITHIN = 5.0
"""Seconds that one mail or one charge may take in all."""


@dataclass(frozen=True)
class Place:
    """Where a system is put: empty databases by service, Kafka, and a prefix that no other topic has.

    `ways` are the addresses by which the services reach their databases, where those are others.
    """

    databases: Mapping[str, str]
    kafka: str
    prefix: str
    ways: Mapping[str, str] = field(default_factory=dict)

    def way_of(self, service: str) -> str:
        """The address by which the service reaches its database."""
        return self.ways.get(service, self.databases[service])


@dataclass
class World:
    """A running system, and what it is made of."""

    folder: Path
    place: Place
    fleet: Fleet
    journal: Journal
    provider_url: str
    outside: dict[str, Process] = field(default_factory=dict)
    token: str = ""

    @property
    def charges(self) -> Path:
        """The provider's ledger; its calls stand beside it."""
        return self.folder / "charges"

    @property
    def mails(self) -> Path:
        """The mail sink's ledger; its calls stand beside it."""
        return self.folder / "mails"

    def topic(self, name: str) -> str:
        """The topic's name on the broker."""
        return self.place.prefix + name

    async def misbehave(self, charges: ProviderChaos, mails: Chaos) -> None:
        """From now on the outside parties do."""
        (self.folder / "mail-chaos").write_text(mails.model_dump_json())
        async with httpx2.AsyncClient(base_url=self.provider_url) as http:
            (await http.put("/chaos", json=charges.model_dump())).raise_for_status()

    async def untold(self) -> int:
        """How many reports of charges are on their way."""
        async with httpx2.AsyncClient(base_url=self.provider_url) as http:
            return int((await http.get("/untold")).raise_for_status().json()["reports"])

    async def start_outside(self, smtp_port: int, provider_port: int) -> None:
        """Starts the provider and the mail sink."""
        provider = self._start("provider", ["--port", str(provider_port), "--ledger", self.charges])
        await until_it_answers(provider, f"{self.provider_url}/readyz", within=30)
        await self.start_sink(smtp_port)

    async def start_sink(self, port: int) -> None:
        """Starts the mail sink."""
        words: list[str | Path] = ["--port", str(port), "--ledger", self.mails, "--chaos", self.folder / "mail-chaos"]
        sink = self._start("mailsink", words)
        await eventually(lambda: sink.listens_on(port), timeout=30, waiting_for="the mail sink")

    async def stop_outside(self) -> None:
        """Ends them."""
        await asyncio.gather(*(process.stop() for process in self.outside.values()))

    def _start(self, name: str, words: Sequence[str | Path]) -> Process:
        command: list[str | Path] = [sys.executable, "-m", f"tests.faults.{name}", *words]
        self.outside[name] = start_process(name, command, self.folder / "logs" / f"{name}.log")
        return self.outside[name]


@asynccontextmanager
async def the_world(
    folder: Path,
    place: Place,
    *,
    members: Sequence[Member] = LAYOUT,
    code: Path = ROOT,
    keyless: bool = False,
    thinks: float = 0.0,
) -> AsyncIterator[World]:
    """A system that runs, with the shop `nordic-tea`; its processes are ended at the end, what it wrote stays.

    `keyless`: its provider knows no keys and answers no look-ups, so an unknown stays one until a webhook comes.
    `thinks`: seconds that the payer takes over each charge that was made.
    """
    smtp_port, provider_port = take_port(), take_port()
    provider_url = f"http://{HOST}:{provider_port}"
    fleet = Fleet(folder, settings_of(place, smtp_port, provider_url, keyless=keyless, thinks=thinks), members, code)
    world = World(folder, place, fleet, Journal(folder / "faults"), provider_url)
    async with AsyncExitStack() as undo:
        await asyncio.gather(make_topics(place), *(bring_up_to_date(place, service) for service in MIGRATIONS))
        world.token = await open_a_shop(place.databases["orders"])
        undo.push_async_callback(world.stop_outside)
        await world.start_outside(smtp_port, provider_port)
        undo.push_async_callback(fleet.stop)
        await fleet.start()
        if any(member.service == "notifications" for member in members):
            await eventually(lambda: _told(place), timeout=60, waiting_for="orders to hear of notifications")
        yield world


async def _told(place: Place) -> bool:
    """Whether orders knows that notifications sends confirmations."""
    connection = await asyncpg.connect(place.databases["orders"])
    try:
        return bool(await connection.fetchval("select exists (select from fact where owner = 'notifications')"))
    finally:
        await connection.close()


def settings_of(
    place: Place, smtp_port: int, provider_url: str, *, keyless: bool, thinks: float
) -> dict[str, dict[str, str]]:
    """The environment of each service."""
    mail = {"SMTP_PORT": str(smtp_port), "SENDER_DOMAIN": MAIL_DOMAIN, "MAIL_TIMEOUT": str(CALL_WITHIN)}
    charge = {"PROVIDER_URL": provider_url, "CHARGE_TIMEOUT": str(CALL_WITHIN), "THINKS": str(thinks)}
    if keyless:
        charge |= {"PROVIDER_REMEMBERS": "0", "PROVIDER_LOOK_UP": "false"}
    own: dict[str, dict[str, str]] = {"orders": {}, "notifications": mail, "payer": charge}
    common = {"KAFKA": place.kafka, "TOPIC_PREFIX": place.prefix}
    return {service: {"DATABASE_URL": place.way_of(service), **common, **settings} for service, settings in own.items()}


async def make_topics(place: Place) -> None:
    """All declared topics, and the payer's own."""
    async with TopicsOnBroker(place.kafka, place.prefix) as topics:
        await topics.create([*TOPICS, payer.dead_letters], partitions=PARTITIONS)


async def bring_up_to_date(place: Place, service: str) -> None:
    """All tables of the service."""
    connection = await asyncpg.connect(place.databases[service])
    try:
        await migrate(connection, [RUNTIME_MIGRATIONS, *MIGRATIONS[service]])
    finally:
        await connection.close()


async def open_a_shop(url: str) -> str:
    """Makes the shop and gives a token of it, as an operator does."""
    connection = await asyncpg.connect(url)
    try:
        async with connection.transaction():
            shop = a_shop()
            await save_shop(connection, shop, Outbox("/orders", Bell()))
            return await make_token(connection, shop.shop, "shop front", ("orders:read", "orders:write"))
    finally:
        await connection.close()

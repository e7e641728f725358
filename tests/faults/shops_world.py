"""All services, a mail sink, and a shop with accounts at a payment provider, a carrier and an ERP that misbehave."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncpg
import httpx2

from deploy.local.ports import HOST, take_port
from deploy.local.sandbox.ledger import read_ledger
from services.documents.app import MIGRATIONS as OF_DOCUMENTS
from services.integrations.app import MIGRATIONS as OF_INTEGRATIONS
from services.integrations.connections import Connection, save_connection
from services.notifications.app import MIGRATIONS as OF_NOTIFICATIONS
from services.orders.app import MIGRATIONS as OF_ORDERS
from shared.contracts.topics import TOPICS
from shared.messaging.outbox import Outbox
from shared.messaging.sealing import Seal
from shared.messaging.topics_on_broker import TopicsOnBroker
from shared.messaging.wakeup import Bell
from shared.runtime.migrations import RUNTIME_MIGRATIONS, migrate
from tests.faults.chaos import Chaos
from tests.faults.fleet import MODULES, Fleet, Member
from tests.faults.journal import Journal
from tests.faults.shops_judged import Ledgers
from tests.faults.world import MAIL_DOMAIN, PARTITIONS, Place, World, open_a_shop
from tests.plugins.sandboxes import RunningSandbox, Sandbox, Vendor, credentials
from tests.plugins.waiting import eventually

SHOP = "nordic-tea"
KEY = "bG9jYWwtc3RhY2stb25seS1uZXZlci1lbHNld2hlcmU="
SECRET = "whsec_dGhlIHNlY3JldCBvZiB0aGUgdGVzdHM="
VENDORS: tuple[Vendor, ...] = ("payment", "shipping", "erp")
MIGRATIONS = {
    "orders": OF_ORDERS,
    "notifications": OF_NOTIFICATIONS,
    "documents": OF_DOCUMENTS,
    "integrations": OF_INTEGRATIONS,
}
LAYOUT = (
    Member("orders", 0),
    Member("orders", 1),
    Member("notifications", 0),
    Member("documents", 0),
    Member("integrations", 0),
    Member("integrations", 1, "ingest,work,relay"),
)


@dataclass
class ShopsWorld(World):
    """A world whose outside parties are the sandboxes."""

    sandboxes: dict[Vendor, Sandbox] = field(default_factory=dict)

    async def untold(self) -> int:
        """How many webhooks are on their way."""
        return sum([len(await sandbox.untold()) for sandbox in self.sandboxes.values()])

    async def misbehave_all(self, mails: Chaos, shares: Mapping[str, Any], erp_closed_for: float) -> None:
        """From now on everybody outside does."""
        (self.folder / "mail-chaos").write_text(mails.model_dump_json())
        for vendor, sandbox in self.sandboxes.items():
            closed = {"closed_for": erp_closed_for} if vendor == "erp" else {}
            await sandbox.misbehave(**shares, **closed)

    async def ledgers(self) -> Ledgers:
        """What the companies have executed."""
        return Ledgers(**{vendor: await sandbox.ledger() for vendor, sandbox in self.sandboxes.items()})

    def mails_to(self, address: str) -> int:
        """How often the sink has accepted a mail to this address."""
        return sum(address in entry["recipient"] for entry in read_ledger(self.mails))


@asynccontextmanager
async def the_shops_world(folder: Path, place: Place) -> AsyncIterator[ShopsWorld]:
    """A system of all services that runs, with one connected shop; what it wrote stays."""
    smtp_port = take_port()
    fleet = Fleet(
        folder, settings_of(place, smtp_port, folder), LAYOUT, modules=MODULES | {"orders": "services.orders.app"}
    )
    world = ShopsWorld(folder, place, fleet, Journal(folder / "faults"), provider_url="")
    async with AsyncExitStack() as undo:
        async with TopicsOnBroker(place.kafka, place.prefix) as topics:
            await topics.create(TOPICS, partitions=PARTITIONS)
        await asyncio.gather(*(_bring_up_to_date(place, service) for service in MIGRATIONS))
        world.token = await open_a_shop(place.databases["orders"])
        undo.push_async_callback(world.stop_outside)
        await world.start_sink(smtp_port)
        for vendor in VENDORS:
            running = RunningSandbox(vendor, folder / "sandboxes" / vendor)
            undo.push_async_callback(running.stop)
            await running.start()
            client = httpx2.AsyncClient(base_url=running.url, headers=credentials(vendor, SHOP), timeout=30.0)
            world.sandboxes[vendor] = Sandbox(running, SHOP, await undo.enter_async_context(client))
        undo.push_async_callback(fleet.stop)
        await fleet.start()
        await _connect(world)
        yield world


def settings_of(place: Place, smtp_port: int, folder: Path) -> dict[str, dict[str, str]]:
    """The environment of each service."""
    own: dict[str, dict[str, str]] = {
        "orders": {},
        "notifications": {"SMTP_PORT": str(smtp_port), "SENDER_DOMAIN": MAIL_DOMAIN, "MAIL_TIMEOUT": "5"},
        "documents": {"STORE": str(folder / "files")},
        "integrations": {"SEALING_KEYS": KEY, "CALL_TIMEOUT": "3"},
    }
    common = {"KAFKA": place.kafka, "TOPIC_PREFIX": place.prefix}
    return {service: {"DATABASE_URL": place.way_of(service), **common, **settings} for service, settings in own.items()}


async def _bring_up_to_date(place: Place, service: str) -> None:
    connection = await asyncpg.connect(place.databases[service])
    try:
        await migrate(connection, [RUNTIME_MIGRATIONS, *MIGRATIONS[service]])
    finally:
        await connection.close()


async def _connect(world: ShopsWorld) -> None:
    """The shop's accounts, as an operator connects them; returns when orders knows what every service does."""
    webhooks = f"http://{HOST}:{world.fleet.ports['integrations-0']}/v1/webhooks"
    connection = await asyncpg.connect(world.place.databases["integrations"])
    try:
        for vendor, sandbox in world.sandboxes.items():
            new = Connection(SHOP, vendor, "sandbox", sandbox.running.url, sandbox.api_key, SECRET, "when-shipped")
            async with connection.transaction():
                await save_connection(connection, new, Seal([KEY]), Outbox("/integrations", Bell()), "test")
            if vendor != "erp":
                where = {"url": f"{webhooks}/{vendor}/{SHOP}", "secret": SECRET}
                (await sandbox.http.put("/v1/webhook-endpoint", json=where)).raise_for_status()
    finally:
        await connection.close()
    orders = await asyncpg.connect(world.place.databases["orders"])

    async def known() -> bool:
        rows = await orders.fetch("select owner, body from fact where shop = $1", SHOP)
        bodies = {row["owner"]: row["body"] for row in rows}
        return {"notifications", "documents", "integrations"} <= set(bodies) and '"erp": {' in bodies["integrations"]

    try:
        await eventually(known, timeout=60, waiting_for="orders to know what every service does")
    finally:
        await orders.close()

"""The whole system as processes, all services and a mailbox, on a test's own databases and topics."""

import asyncio
import json
import secrets
import signal
import sys
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import httpx2
import pytest

from deploy.local.ports import HOST, take_port
from deploy.local.processes import Process, start_process, until_it_answers
from services.integrations.connections import Capture, Connection, save_connection
from services.orders.shops import save_shop
from shared.contracts.message import new_id
from shared.contracts.order import OrderSnapshot
from shared.contracts.topics import TOPICS
from shared.messaging.database import transaction
from shared.messaging.outbox import Outbox
from shared.messaging.sealing import Seal
from shared.messaging.topics_on_broker import TopicsOnBroker
from shared.messaging.wakeup import Bell
from shared.runtime.actors import new_key, public_key_of
from shared.runtime.database import close_pool, open_pool
from shared.runtime.tokens import make_token
from tests.builders import a_shop, to_place
from tests.plugins.mailboxes import Mailbox
from tests.plugins.sandboxes import Sandbox
from tests.plugins.servers import CreateDatabase, apart, delete_topics, execute
from tests.plugins.waiting import eventually

SCOPES = ("orders:read", "orders:write")
ACTOR_KEY = new_key()
"""The back office's; each service is told its public half."""
SERVICES = ("orders", "notifications", "documents", "integrations")
WEBHOOK_SECRET = "whsec_dGhlIHNlY3JldCBvZiB0aGUgdGVzdHM="
LOCAL_KEY = "bG9jYWwtc3RhY2stb25seS1uZXZlci1lbHNld2hlcmU="


@dataclass
class System:
    """Where everything is, and how its processes are started and stopped."""

    kafka: str
    prefix: str
    databases: Mapping[str, str]
    mailbox: Mailbox
    folder: Path
    ports: dict[str, int] = field(default_factory=dict)
    processes: dict[str, Process] = field(default_factory=dict)
    token: str = ""
    settings: dict[str, str] = field(default_factory=dict)
    """What a test wants otherwise, by the names of the environment's variables."""

    async def start(
        self, service: str, *, name: str = "", roles: str = "api,ingest,work,relay", within: float = 60
    ) -> Process:
        """Starts a process of a service; returns when it is ready."""
        process = self.launch(service, name=name, roles=roles)
        await until_it_answers(process, f"http://{HOST}:{self.ports[name or service]}/readyz", within)
        return process

    def launch(self, service: str, *, name: str = "", roles: str = "api,ingest,work,relay") -> Process:
        """Starts a process of a service and waits for nothing."""
        name = name or service
        self.ports.setdefault(name, take_port())
        prefix = service.upper()
        env = {
            f"{prefix}_DATABASE_URL": self.databases[service],
            f"{prefix}_KAFKA": self.kafka,
            f"{prefix}_TOPIC_PREFIX": self.prefix,
            f"{prefix}_ROLES": roles,
            f"{prefix}_PORT": str(self.ports[name]),
            f"{prefix}_MIGRATE": "true",
            f"{prefix}_REQUESTS_PER_SECOND": "0",
            f"{prefix}_ACTOR_KEYS": public_key_of(ACTOR_KEY),
            "NOTIFICATIONS_SMTP_PORT": str(self.mailbox.smtp_port),
            "NOTIFICATIONS_SENDER_DOMAIN": "mail.example",
            "NOTIFICATIONS_MAIL_TIMEOUT": "5",
            "DOCUMENTS_STORE": str(self.folder / "files"),
            "DOCUMENTS_LINK_KEYS": LOCAL_KEY,
            "ORDERS_SEALING_KEYS": f"local:{LOCAL_KEY}",
            "INTEGRATIONS_SEALING_KEYS": LOCAL_KEY,
            "INTEGRATIONS_CALL_TIMEOUT": "3",
        } | self.settings
        process = start_process(name, [sys.executable, "-m", f"services.{service}.app"], self.log(name), env)
        self.processes[name] = process
        return process

    def log(self, name: str) -> Path:
        """Where a process writes."""
        return self.folder / f"{name}.log"

    async def stop(self) -> None:
        """Stops everything that runs."""
        await asyncio.gather(*(process.stop(signal.SIGTERM) for process in self.processes.values()))

    async def open_a_shop(self, **changes: Any) -> None:
        """Makes the shop and a token of it, as an operator does."""
        pool = await open_pool(self.databases["orders"], name="test", connections=1)
        shop = a_shop(**changes)
        async with transaction(pool) as connection:
            await save_shop(connection, shop, Outbox("/orders", Bell()))
            self.token = await make_token(connection, shop.shop, "test", SCOPES)
        await close_pool(pool)
        for service in self.processes:
            if service in {"notifications", "documents"}:
                await self.told(service, shop.shop)

    async def told(self, owner: str, shop: str = "nordic-tea") -> None:
        """Waits until orders knows what a service does for the shop."""
        await eventually(lambda: self.fact(owner, shop), timeout=30, waiting_for=f"orders to hear of {owner}")

    async def connect(self, sandbox: Sandbox, shop: str = "nordic-tea", capture: Capture = "by-hand") -> None:
        """Connects the shop's account at a sandbox, and has its webhooks sent to integrations; returns when known."""
        vendor, secret = sandbox.running.vendor, WEBHOOK_SECRET
        new = Connection(shop, vendor, "sandbox", sandbox.running.url, sandbox.api_key, secret, capture)
        seal = Seal([LOCAL_KEY])
        pool = await open_pool(self.databases["integrations"], name="test", connections=1)
        async with transaction(pool) as connection:
            await save_connection(connection, new, seal, Outbox("/integrations", Bell()), "test")
        await close_pool(pool)
        if vendor != "erp":
            url = f"http://{HOST}:{self.ports['integrations']}/v1/webhooks/{vendor}/{shop}"
            answer = await sandbox.http.put("/v1/webhook-endpoint", json={"url": url, "secret": secret})
            assert answer.is_success, answer.text

        async def known() -> bool:
            return (await self.fact("integrations", shop)).get(vendor) is not None

        await eventually(known, waiting_for=f"orders to know of {vendor}")

    async def fact(self, owner: str, shop: str = "nordic-tea") -> dict[str, Any]:
        """What orders knows of the shop from a service; nothing while it knows nothing."""
        connection = await asyncpg.connect(self.databases["orders"])
        try:
            body = await connection.fetchval("select body::text from fact where shop = $1 and owner = $2", shop, owner)
        finally:
            await connection.close()
        return dict(json.loads(body)) if body else {}

    def http(self, name: str = "orders", **headers: str) -> httpx2.AsyncClient:
        """A client of the API, with the shop's token."""
        known = {"authorization": f"Bearer {self.token}", "content-type": "application/json"}
        return httpx2.AsyncClient(base_url=f"http://{HOST}:{self.ports[name]}", headers=known | headers, timeout=30)

    async def place(self, order: OrderSnapshot, **headers: str) -> httpx2.Response:
        """Places an order by HTTP."""
        async with self.http(**{"idempotency-key": new_id()} | headers) as http:
            return await http.post("/v1/orders", content=to_place(order).model_dump_json())

    async def timeline(self, order: OrderSnapshot) -> list[dict[str, Any]]:
        """The order's entries; none while there is no such order."""
        async with self.http() as http:
            answer = await http.get(f"/v1/orders/{order.id}/log")
        return list(answer.json()["entries"]) if answer.is_success else []

    async def noted(self, order: OrderSnapshot, kind: str, count: int = 1, within: float = 30) -> list[dict[str, Any]]:
        """Waits until so many entries of a type are on the order's timeline."""

        async def there() -> list[dict[str, Any]]:
            entries = await self.timeline(order)
            found = [entry for entry in entries if entry["type"] == kind]
            assert len(found) >= count, f"the timeline has {[entry['type'] for entry in entries]}"
            return found

        return await eventually(there, timeout=within, every=0.1, waiting_for=f"{count} {kind} of order {order.id}")

    def lines(self, name: str) -> list[dict[str, Any]]:
        """What a process has logged."""
        return [json.loads(line) for line in self.log(name).read_text().splitlines() if line.startswith("{")]


@pytest.fixture
async def system(
    kafka: str, topic_prefix: str, create_database: CreateDatabase, mailbox: Mailbox, tmp_path: Path
) -> AsyncIterator[System]:
    """The system with its databases and topics, nothing started; whatever a test starts is stopped at its end."""
    async with TopicsOnBroker(kafka, topic_prefix) as topics:
        await topics.create(TOPICS, partitions=2)
    databases = {service: await create_database() for service in SERVICES}
    made = System(kafka, topic_prefix, databases, mailbox, tmp_path)
    async with AsyncExitStack() as stack:
        stack.push_async_callback(made.stop)
        yield made


@pytest.fixture
async def own_system(system: System) -> System:
    """Orders and notifications, running, and one shop, `nordic-tea`, for a test that kills or stops them."""
    await asyncio.gather(system.start("orders"), system.start("notifications"))
    await system.open_a_shop()
    return system


@pytest.fixture(scope="module")
def running_system(
    kafka: str, postgres_url: str, running_mailbox: Mailbox, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[System]:
    """The system with all services running and one shop, `nordic-tea`, shared by the tests of a module."""
    name = secrets.token_hex(4)
    databases = {service: f"test_{service}_{name}" for service in SERVICES}
    made = System(
        kafka,
        f"t{name}.",
        {
            service: urlunsplit(urlsplit(postgres_url)._replace(path=f"/{database}"))
            for service, database in databases.items()
        },
        running_mailbox,
        tmp_path_factory.mktemp("system"),
    )
    apart(lambda: asyncio.run(_begin(made, postgres_url, databases.values())))
    yield made
    apart(lambda: asyncio.run(_end(made, postgres_url, databases.values())))


async def _begin(system: System, postgres_url: str, databases: Iterable[str]) -> None:
    async with TopicsOnBroker(system.kafka, system.prefix) as topics:
        await topics.create(TOPICS, partitions=2)
    for database in databases:
        await execute(postgres_url, f"create database {database}")
    await asyncio.gather(*(system.start(service) for service in SERVICES))
    await system.open_a_shop()


async def _end(system: System, postgres_url: str, databases: Iterable[str]) -> None:
    await system.stop()
    for database in databases:
        await execute(postgres_url, f"drop database {database} with (force)")
    await delete_topics(system.kafka, system.prefix)

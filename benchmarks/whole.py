"""The whole system, each part a process of its own: the services, a mailbox, and three companies that are not ours."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import get_args

import asyncpg

from benchmarks.world import READY_WITHIN, World
from deploy.local.demo.connect import Sandbox, connect
from deploy.local.demo.shops_and_tokens import set_up_shops
from deploy.local.ports import HOST, take_port
from deploy.local.processes import until_it_answers
from services.integrations.connections import Kind
from shared.contracts.shop_facts import ShopSettings
from shared.messaging.sealing import Seal

SERVICES = ("orders", "notifications", "documents", "integrations")
KEY = "bG9jYWwtc3RhY2stb25seS1uZXZlci1lbHNld2hlcmU="
CONNECTED = "select body::text from fact where owner = 'integrations'"


@dataclass(frozen=True)
class Whole:
    """The system while it runs."""

    prefix: str
    orders_url: str
    orders_dsn: str
    sandboxes: Mapping[Kind, str]
    tokens: Mapping[str, str]
    """Of the shops, at orders."""
    pids: Mapping[str, int]
    """Of everything that runs, the servers too where they are ours."""


@asynccontextmanager
async def whole_system(world: World, shops: Sequence[ShopSettings]) -> AsyncIterator[Whole]:
    """Begins when everything is ready and orders knows what the shops have connected; stopped at the end."""
    async with AsyncExitStack() as undo:
        folder = Path(undo.enter_context(TemporaryDirectory(dir=world.folder)))
        prefix = await undo.enter_async_context(world.topics())
        dsns = {name: await undo.enter_async_context(world.database()) for name in SERVICES}
        smtp_port, mailbox = await undo.enter_async_context(_mailbox(world, folder / "mails"))
        companies = {
            kind: await undo.enter_async_context(_sandbox(world, kind, folder / kind)) for kind in get_args(Kind)
        }
        settings: Mapping[str, dict[str, str]] = {
            "orders": {},
            "notifications": {"SMTP_HOST": HOST, "SMTP_PORT": str(smtp_port), "SENDER_DOMAIN": "mail.example"},
            "documents": {"STORE": str(folder / "files")},
            "integrations": {"SEALING_KEYS": KEY},
        }
        running = {
            name: await undo.enter_async_context(world.service(name, dsns[name], prefix, **settings[name]))
            for name in SERVICES
        }
        sandboxes = {kind: url for kind, (url, _) in companies.items()}
        urls = {name: f"http://{HOST}:{running[name].port}" for name in SERVICES}
        tokens = await set_up_shops(dsns["orders"], shops)
        accounts = {kind: Sandbox(url, url) for kind, url in sandboxes.items()}
        await connect(dsns["integrations"], accounts, urls["integrations"], shops, Seal([KEY]))
        await _until_connected(dsns["orders"], len(shops))
        pids = {name: running[name].process.pid for name in SERVICES}
        pids |= {"mailbox": mailbox, **{f"sandbox of {kind}": pid for kind, (_, pid) in companies.items()}}
        servers = {"PostgreSQL": world.postgres_pid, "Kafka": world.kafka_pid}
        pids |= {name: pid for name, pid in servers.items() if pid is not None}
        yield Whole(prefix, urls["orders"], dsns["orders"], sandboxes, tokens, pids)


@asynccontextmanager
async def _mailbox(world: World, folder: Path) -> AsyncIterator[tuple[int, int]]:
    """Its port for mail, and its pid."""
    smtp, page = take_port(), take_port()
    words = ["--folder", str(folder), "--smtp-port", str(smtp), "--http-port", str(page)]
    async with world.python("deploy.local.mailbox", *words) as process:
        await until_it_answers(process, f"http://{HOST}:{page}/api/messages?limit=1", READY_WITHIN)
        yield smtp, process.pid


@asynccontextmanager
async def _sandbox(world: World, kind: Kind, folder: Path) -> AsyncIterator[tuple[str, int]]:
    """Its address, and its pid."""
    port = take_port()
    words = [kind, "--port", str(port), "--folder", str(folder)]
    async with world.python("deploy.local.sandbox", *words) as process:
        url = f"http://{HOST}:{port}"
        await until_it_answers(process, f"{url}/readyz", READY_WITHIN)
        yield url, process.pid


async def _until_connected(dsn: str, shops: int) -> None:
    deadline = time.monotonic() + READY_WITHIN
    connection = await asyncpg.connect(dsn)
    try:
        while True:
            known = [json.loads(row["body"]) for row in await connection.fetch(CONNECTED)]
            if sum(all(fact[kind] for kind in get_args(Kind)) for fact in known) == shops:
                return
            if time.monotonic() > deadline:
                raise RuntimeError(f"orders does not know within {READY_WITHIN:g} s what the shops have connected")
            await asyncio.sleep(0.1)
    finally:
        await connection.close()

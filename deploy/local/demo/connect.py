"""Every shop has an account at each sandbox; connections are made as an operator makes them, and told to all."""

import asyncio
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import httpx2

from deploy.local.failure import LocalStackError
from deploy.local.ports import HOST
from deploy.local.stack import Stack
from services.integrations.connections import Connection, Kind, save_connection
from shared.contracts.shop_facts import ShopSettings
from shared.messaging.outbox import Outbox
from shared.messaging.sealing import Seal
from shared.messaging.wakeup import Bell

KINDS: Mapping[Kind, int] = {"payment": 18091, "shipping": 18092, "erp": 18093}
PATIENCE = 60.0
TOLD = """
select count(*) from unnest($1::text[]) wanted(shop)
where (select count(*) from fact f where f.shop = wanted.shop and owner in ('notifications', 'documents')) = 2
  and exists (select from fact f where f.shop = wanted.shop and owner = 'integrations' and not exists (
    select from unnest($2::text[]) kind where coalesce(f.body->kind, 'null') = 'null'))
"""
_SECRET = "whsec_bG9jYWwtc3RhY2stb25seQ=="  # noqa: S105 - for this machine only


@dataclass(frozen=True)
class Sandbox:
    """Where a company is: for us, and for the services."""

    url: str
    inside: str


async def start_sandboxes(stack: Stack, chaos: float) -> dict[Kind, Sandbox]:
    """Starts the three companies; returns where they are."""
    found: dict[Kind, Sandbox] = {}
    for kind, preferred in KINDS.items():
        name = f"sandbox-{kind}"
        port = stack.port(name, preferred)
        found[kind] = Sandbox(f"http://{HOST}:{port}", stack.inside(name, port))
        folder = Path(stack.folder) / "sandboxes" / kind
        words = [kind, "--port", str(port), "--folder", str(folder), "--chaos", str(chaos)]
        await stack.start_service(
            name, "deploy.local.sandbox", {}, ready_url=f"{found[kind].url}/readyz", arguments=words
        )
    return found


def key_of(kind: Kind, shop: str) -> str:
    """The key of a shop's account at a sandbox."""
    return {"payment": f"sk_sandbox_{shop}", "erp": f"{shop}:local"}.get(kind, shop)


async def connect(
    database_url: str, sandboxes: Mapping[Kind, Sandbox], integrations: str, shops: Iterable[ShopSettings], seal: Seal
) -> None:
    """Connects every shop at every sandbox; money is taken when units are sent. `integrations`: where webhooks go."""
    database = await asyncpg.connect(database_url)
    try:
        for shop in shops:
            for kind, sandbox in sandboxes.items():
                key = key_of(kind, shop.shop)
                new = Connection(shop.shop, kind, "sandbox", sandbox.inside, key, _SECRET, "when-shipped")
                async with database.transaction():
                    await save_connection(database, new, seal, Outbox("/integrations", Bell()), "demo")
                if kind != "erp":
                    await _tell_where(kind, sandbox.url, key, f"{integrations}/v1/webhooks/{kind}/{shop.shop}")
    finally:
        await database.close()


async def until_told(database_url: str, shops: Iterable[ShopSettings]) -> None:
    """Waits until orders knows what each service does for each shop. Raises LocalStackError after a minute."""
    names, until = [shop.shop for shop in shops], time.monotonic() + PATIENCE
    database = await asyncpg.connect(database_url)
    try:
        while await database.fetchval(TOLD, names, list(KINDS)) < len(names):
            if time.monotonic() > until:
                raise LocalStackError("Orders was not told within a minute what the other services do for the shops.")
            await asyncio.sleep(0.1)
    finally:
        await database.close()


async def _tell_where(kind: Kind, url: str, key: str, webhooks: str) -> None:
    headers = {"Authorization": f"Bearer {key}"} if kind == "payment" else {"X-Api-Key": key}
    async with httpx2.AsyncClient(base_url=url, headers=headers, timeout=30.0, trust_env=False) as http:
        for _ in range(10):  # the sandbox may misbehave in this, too
            try:
                answer = await http.put("/v1/webhook-endpoint", json={"url": webhooks, "secret": _SECRET})
            except httpx2.TransportError:
                continue
            if answer.is_success:
                return
        answer.raise_for_status()

"""The integrations service without Kafka: its HTTP face, and its database as its lanes find it."""

import json
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
import httpx2
import pytest
from fastapi import FastAPI

import services.integrations
import shared.messaging
from deploy.local.sandbox.webhooks import signature
from services.integrations.accounts import Accounts
from services.integrations.checks import Checks
from services.integrations.connections import Connection, Connections, Kind, save_connection
from services.integrations.connections_api import router as connections
from services.integrations.erp.sandbox import SandboxErp
from services.integrations.news import payment_news, shipping_news
from services.integrations.payment.api import router as payments
from services.integrations.payment.handlers import payment
from services.integrations.payment.sandbox import SandboxPay
from services.integrations.payment.unmatched import order_came
from services.integrations.pulse import Pulse
from services.integrations.shipping.handlers import shipping
from services.integrations.shipping.sandbox import SandboxPost
from services.integrations.webhooks import Listener, router
from shared.contracts.order import OrderSnapshot
from shared.messaging.outbox import Outbox
from shared.messaging.sealing import Seal
from shared.messaging.wakeup import Bell
from shared.runtime.database import Pool, open_pool, transaction
from shared.runtime.http import make_app
from shared.runtime.migrations import RUNTIME_MIGRATIONS, migrate
from shared.runtime.tokens import Tokens, make_token

FOLDERS = [
    RUNTIME_MIGRATIONS,
    ("messaging", Path(shared.messaging.__path__[0]) / "migrations"),
    ("integrations", Path(services.integrations.__path__[0]) / "sql" / "migrations"),
]
SECRET = "whsec_dGhlIHNlY3JldCBvZiB0aGUgdGVzdHM="
KEY = "bG9jYWwtc3RhY2stb25seS1uZXZlci1lbHNld2hlcmU="
SHOPS = ("nordic-tea", "other-shop")


@dataclass
class Door:
    """Where webhooks of `nordic-tea` are taken, and the database behind it."""

    client: httpx2.AsyncClient
    pool: Pool
    app: FastAPI
    listeners: Mapping[Kind, Listener]
    pulse: Pulse

    async def connect(self, shop: str, kind: Kind, url: str, api_key: str, **more: Any) -> None:
        """As an operator does it."""
        new = Connection(shop, kind, **{"provider": "sandbox", "url": url, "api_key": api_key, **more})
        async with transaction(self.pool) as connection:
            await save_connection(connection, new, Seal([KEY]), Outbox("/integrations", Bell()), "test")

    async def tell(
        self, body: bytes, webhook_id: str = "evt_1", secret: str = SECRET, **headers: str
    ) -> httpx2.Response:
        return await self.tell_of("payment", body, webhook_id, secret, **headers)

    async def tell_of(
        self, kind: str, body: bytes, webhook_id: str = "evt_1", secret: str = SECRET, **headers: str
    ) -> httpx2.Response:
        known = signature(secret, webhook_id, body, int(time.time()))
        return await self.client.post(f"/v1/webhooks/{kind}/nordic-tea", content=body, headers={**known, **headers})

    async def inbox(self) -> list[str]:
        rows = await self.pool.fetch("select type, subject from message order by position")
        return [f"{row['type']} {row['subject']}" for row in rows]

    async def messages(self) -> list[dict[str, Any]]:
        """What waits in the lanes, in its order: the data of each, with its type."""
        rows = await self.pool.fetch("select type, record from message order by position")
        return [{"type": row["type"], **json.loads(row["record"])["data"]} for row in rows]

    async def order_comes(self, order: OrderSnapshot, *, late_after: float = 0) -> None:
        """As payment's handler of OrderPlaced has it."""
        async with transaction(self.pool) as connection:
            await order_came(connection, order, late_after=late_after)

    async def caller(self, shop: str = "nordic-tea", *scopes: str) -> httpx2.AsyncClient:
        """Somebody with a token of the shop."""
        async with transaction(self.pool) as connection:
            token = await make_token(connection, shop, "test", scopes or ("payments:read", "payments:write"))
        headers = {"authorization": f"Bearer {token}", "content-type": "application/json"}
        transport = httpx2.ASGITransport(self.app)
        return httpx2.AsyncClient(transport=transport, base_url="http://integrations.example", headers=headers)


def told(
    key: str = "by hand",
    status: str = "succeeded",
    kind: str = "capture",
    *,
    transaction_id: str = "cap_1",
    reference: str = "pay_1",
    **payment_fields: Any,
) -> bytes:
    """What Sandbox Pay tells of one transaction."""
    done: dict[str, Any] = {
        "id": transaction_id,
        "kind": kind,
        "status": status,
        "payment": reference,
        "amount": 1000,
        "currency": "SEK",
        "idempotency_key": key,
        "created": "2026-11-24T18:30:00+00:00",
    }
    data = {"transaction": done, "payment": {"reference": "cart-7", **payment_fields}}
    return json.dumps({"id": "evt_1", "type": f"{kind}.{status}", "data": data}).encode()


async def make_tables(database_url: str) -> None:
    """The tables of integrations, in a life that is told from others."""
    plain = await asyncpg.connect(database_url)
    await migrate(plain, FOLDERS)
    await plain.execute("insert into relay (incarnation) values (1790000000) on conflict do nothing")
    await plain.execute("update relay set incarnation = 1790000000")
    await plain.close()


@pytest.fixture
async def door(database_url: str) -> AsyncIterator[Door]:
    """The HTTP face of two shops that have connected payment and shipping."""
    await make_tables(database_url)
    pool, seal = await open_pool(database_url, name="integrations", connections=8), Seal([KEY])
    keyed = await open_pool(database_url, name="integrations kit", connections=2, keys_only=True)
    async with transaction(pool) as connection:
        for shop in SHOPS:
            new = Connection(shop, "payment", "sandbox", "http://127.0.0.1:1", "sk_sandbox_x", SECRET)
            carrier = Connection(shop, "shipping", "sandbox", "http://127.0.0.1:1", "customer-x", SECRET)
            for each in (new, carrier):
                await save_connection(connection, each, seal, Outbox("/integrations", Bell()), "test")
    shops = Connections(pool, seal)
    pulse = Pulse(pool)
    accounts = Accounts[Any](shops, "payment", {"sandbox": lambda it: SandboxPay(it, seconds=5, heard=pulse.of(it))})
    carriers = Accounts[Any](shops, "shipping", {"sandbox": lambda it: SandboxPost(it, seconds=5, heard=pulse.of(it))})
    systems = Accounts[Any](shops, "erp", {"sandbox": lambda it: SandboxErp(it, seconds=5, heard=pulse.of(it))})
    checks = Checks(pool, {"payment": accounts, "shipping": carriers, "erp": systems}, pulse)
    listeners: dict[Kind, Listener] = {
        "payment": Listener(payment, "/integrations/payment", accounts, payment_news),
        "shipping": Listener(shipping, "/integrations/shipping", carriers, shipping_news),
    }
    tokens = Tokens(pool, wait=30)
    mine = {"listeners": listeners, "checks": checks, "pulse": pulse}
    state = {"pool": pool, "keyed_pool": keyed, "tokens": tokens, **mine}
    app = make_app("integrations", [router, payments, connections], state=state)
    transport = httpx2.ASGITransport(app)
    async with httpx2.AsyncClient(transport=transport, base_url="http://integrations.example") as client:
        yield Door(client, pool, app, listeners, pulse)
    await accounts.close()
    await carriers.close()
    await systems.close()
    await keyed.close()
    await pool.close()

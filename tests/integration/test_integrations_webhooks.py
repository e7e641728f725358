"""Webhooks are taken from whom they come, once, and whatever else is sent changes nothing."""

import json
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg
import httpx2
import pytest

import services.integrations
import shared.messaging
from deploy.local.sandbox.webhooks import signature
from services.integrations.accounts import Accounts
from services.integrations.connections import Connection, Connections, save_connection
from services.integrations.known_there import KnownThere
from services.integrations.news import payment_news, shipping_news
from services.integrations.payment.handlers import payment
from services.integrations.payment.sandbox import SandboxPay
from services.integrations.shipping.handlers import shipping
from services.integrations.shipping.sandbox import SandboxPost
from services.integrations.webhooks import Listener, router
from shared.messaging.outbox import Outbox
from shared.messaging.sealing import Seal
from shared.messaging.wakeup import Bell
from shared.runtime.database import Pool, open_pool, transaction
from shared.runtime.http import make_app
from shared.runtime.migrations import RUNTIME_MIGRATIONS, migrate

FOLDERS = [
    RUNTIME_MIGRATIONS,
    ("messaging", Path(shared.messaging.__path__[0]) / "migrations"),
    ("integrations", Path(services.integrations.__path__[0]) / "sql" / "migrations"),
]
SECRET = "whsec_dGhlIHNlY3JldCBvZiB0aGUgdGVzdHM="
KEY = "bG9jYWwtc3RhY2stb25seS1uZXZlci1lbHNld2hlcmU="


@dataclass
class Door:
    """Where webhooks of `nordic-tea` are taken, and the database behind it."""

    client: httpx2.AsyncClient
    pool: Pool

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


def told(key: str = "by hand", status: str = "succeeded", kind: str = "capture") -> bytes:
    transaction: dict[str, Any] = {
        "id": "cap_1",
        "kind": kind,
        "status": status,
        "payment": "pay_1",
        "amount": 1000,
        "currency": "SEK",
        "idempotency_key": key,
    }
    return json.dumps({"id": "evt_1", "type": "capture.succeeded", "data": {"transaction": transaction}}).encode()


@pytest.fixture
async def door(database_url: str) -> AsyncIterator[Door]:
    """The HTTP face of a shop that has connected payment and shipping."""
    plain = await asyncpg.connect(database_url)
    await migrate(plain, FOLDERS)
    await plain.execute("insert into relay (incarnation) values (1790000000) on conflict do nothing")
    await plain.execute("update relay set incarnation = 1790000000")
    await plain.close()
    pool, seal = await open_pool(database_url, name="integrations", connections=4), Seal([KEY])
    new = Connection("nordic-tea", "payment", "sandbox", "http://127.0.0.1:1", "sk_sandbox_x", SECRET)
    carrier = Connection("nordic-tea", "shipping", "sandbox", "http://127.0.0.1:1", "customer-x", SECRET)
    async with transaction(pool) as connection:
        for each in (new, carrier):
            await save_connection(connection, each, seal, Outbox("/integrations", Bell()), "test")
    shops = Connections(pool, seal)
    accounts = Accounts[Any](shops, "payment", {"sandbox": lambda found: SandboxPay(found, seconds=5)})
    carriers = Accounts[Any](shops, "shipping", {"sandbox": lambda found: SandboxPost(found, seconds=5)})
    listeners = {
        "payment": Listener(payment, "/integrations/payment", accounts, payment_news),
        "shipping": Listener(shipping, "/integrations/shipping", carriers, shipping_news),
    }
    transport = httpx2.ASGITransport(make_app("integrations", [router], state={"pool": pool, "listeners": listeners}))
    async with httpx2.AsyncClient(transport=transport, base_url="http://integrations.example") as client:
        yield Door(client, pool)
    await accounts.close()
    await carriers.close()
    await pool.close()


async def known(door: Door) -> str:
    order_id = uuid4()
    await KnownThere(door.pool).remember("nordic-tea", "payment", "pay_1", order_id)
    return str(order_id)


async def test_what_a_provider_did_by_itself_goes_to_its_orders_lane_once(door: Door) -> None:
    order_id = await known(door)
    answers = [await door.tell(told()) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [204] * 3
    assert await door.inbox() == [f"payment.provider-told.v1 {order_id}"]
    await door.tell(told(), webhook_id="evt_2")
    assert len(await door.inbox()) == 2, "another webhook is another fact"


async def test_what_is_not_signed_with_the_connections_secret_is_refused(door: Door) -> None:
    await known(door)
    answer = await door.tell(told(), secret="whsec_b3RoZXI=")
    assert (answer.status_code, answer.json()["type"]) == (401, "/problems/not-genuine")
    changed = await door.tell(told(), **{"webhook-timestamp": "1"})
    assert changed.status_code == 401
    assert await door.inbox() == []


async def test_what_is_about_nothing_that_is_known_is_taken_and_forgotten(door: Door) -> None:
    assert (await door.tell(told())).status_code == 204
    assert await door.inbox() == []


async def test_a_shipment_whose_booking_is_not_answered_yet_is_known_by_what_we_call_it(door: Door) -> None:
    order_id = uuid4()
    await KnownThere(door.pool).remember("nordic-tea", "shipping", "book-shipment:e1", order_id)
    data = {
        "shipment": "shp_1",
        "reference": "book-shipment:e1",
        "tracking_number": "SP1SE",
        "event": {"code": "handed-over", "time": "2026-11-24T18:30:00+00:00"},
    }
    body = json.dumps({"id": "evt_1", "type": "shipment.tracked", "data": data}).encode()
    assert (await door.tell_of("shipping", body)).status_code == 204
    assert await door.inbox() == [f"shipping.carrier-told.v1 {order_id}"]


async def test_what_did_not_happen_says_nothing_of_an_order(door: Door) -> None:
    await known(door)
    assert (await door.tell(told(status="failed", kind="refund"))).status_code == 204
    assert await door.inbox() == []


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"data": {}}', b'{"data": {"transaction": null}}', b"\xff"])
async def test_what_is_signed_and_not_understood_is_refused_and_takes_no_place(door: Door, body: bytes) -> None:
    await known(door)
    answer = await door.tell(body)
    assert (answer.status_code, answer.json()["type"]) == (422, "/problems/not-understood")
    assert (await door.tell(told())).status_code == 204
    assert len(await door.inbox()) == 1, "its id was not used up"


@pytest.mark.parametrize("path", ["payment/no-such-shop", "shipping/no-such-shop", "erp/nordic-tea"])
async def test_a_connection_that_is_not_there_takes_no_webhooks(door: Door, path: str) -> None:
    answer = await door.client.post(f"/v1/webhooks/{path}", content=b"{}")
    assert (answer.status_code, answer.json()["type"]) == (404, "/problems/unknown-connection")


async def test_secrets_are_kept_sealed_and_told_to_nobody(door: Door) -> None:
    row = await door.pool.fetchrow("select secret from connection")
    assert row is not None
    assert b"sk_sandbox_x" not in row["secret"]
    told_to_all = await door.pool.fetchval("select payload from outbox where topic = 'shops.facts'")
    assert json.loads(told_to_all)["data"]["payment"] == {"provider": "sandbox", "capture": "by-hand"}
    assert "sk_sandbox_x" not in told_to_all

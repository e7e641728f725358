"""The orders service without HTTP and without Kafka: its database, and its handlers as the kit runs them."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncpg
import httpx2
import pytest
from fastapi import FastAPI

import services.orders
import shared.messaging
from services.orders.actions import router as actions
from services.orders.api import documents, router
from services.orders.app import keeping
from services.orders.changes_api import router as changes
from services.orders.desk import Desk
from services.orders.handlers import commands
from services.orders.keyring import Keyring
from services.orders.list_api import router as lists
from services.orders.live import TOPICS, Live
from services.orders.log_api import router as logs
from services.orders.number_api import reveals
from services.orders.number_api import router as personal_number
from services.orders.numbers import Numbers
from services.orders.payment_api import router as payment
from services.orders.personal_numbers import PersonalNumbers
from services.orders.promises import Expectations
from services.orders.repository import Orders
from services.orders.shop_api import router as shop
from services.orders.shop_api import shops as all_shops
from services.orders.shops import Shops, save_shop
from services.orders.vat_api import router as vat_rates
from shared.contracts.message import Message, new_id
from shared.contracts.order_commands import OrderCommand, PlaceOrder
from shared.contracts.shop_facts import ShopFact, ShopSettings
from shared.messaging.database import Connection
from shared.messaging.ends import Ends
from shared.messaging.outbox import Outbox
from shared.messaging.timers import Later
from shared.messaging.wakeup import Bell
from shared.runtime.database import Pool, open_pool, transaction
from shared.runtime.http import make_app
from shared.runtime.migrations import RUNTIME_MIGRATIONS, migrate
from shared.runtime.tokens import Tokens, make_token
from shared.runtime.tokens_api import router as tokens
from tests.builders import a_shop, what_is_printed, what_is_sent

KNOW = """
insert into fact (shop, owner, type, incarnation, n, body) values ($1, $2, $3, 1, 1, $4)
on conflict (shop, owner) do update set body = excluded.body
"""
KEYS = {"2026-11": "bG9jYWwtc3RhY2stb25seS1uZXZlci1lbHNld2hlcmU="}
ROUTERS = (
    *(lists, router, payment, logs, actions, personal_number, shop, vat_rates, reveals),
    *(all_shops, tokens, changes),
)
FOLDERS = [
    RUNTIME_MIGRATIONS,
    ("messaging", Path(shared.messaging.__path__[0]) / "migrations"),
    ("orders", Path(services.orders.__path__[0]) / "sql" / "migrations"),
]


@dataclass
class OrdersAlone:
    """The parts of the service; `handle` takes commands as a lane does, all of them in one transaction."""

    pool: Pool
    outbox: Outbox
    shops: Shops
    numbers: Numbers
    outbox_age: float = 0.0
    refused: str = ""
    personal_numbers: PersonalNumbers = field(default_factory=lambda: PersonalNumbers(Keyring(KEYS)))

    async def handle(self, *received: OrderCommand) -> list[Message]:
        """Everything that these received commands made the service say, stamped."""
        async with transaction(self.pool) as connection:
            orders = self.orders(connection)
            await orders.open(received)
            said = [(command.meta, await self._reaction(command, orders)) for command in received]
            await orders.flush()
            return await self.outbox.append(connection, said)

    def orders(self, connection: Connection) -> Orders:
        """A workspace on this connection."""
        return Orders(connection, self.shops, self.numbers)

    async def save(self, *shops: ShopSettings) -> None:
        """Make these shops, or change their settings."""
        async with transaction(self.pool) as connection:
            for shop in shops:
                await save_shop(connection, shop, self.outbox)

    async def know(self, *facts: ShopFact) -> None:
        """As if these had come from other services."""
        for fact in facts:
            await self.pool.execute(KNOW, fact.shop, fact.owner, fact.type, fact.model_dump_json())

    async def know_nothing(self) -> None:
        """As if no other service had said anything of any shop."""
        await self.pool.execute("delete from fact")

    def desk(self) -> Desk:
        """The desk that serves HTTP; `outbox_age` and `refused` are what it believes of the database."""
        return Desk(
            self.pool,
            commands,
            self.outbox,
            self.orders,
            outbox_age=lambda: self.outbox_age,
            refused=lambda: self.refused,
            wait=30,
        )

    async def _reaction(self, command: OrderCommand, orders: Orders) -> Sequence[Message | Later]:
        reaction = commands.reaction_to(type(command))
        assert reaction is not None
        return await reaction(command, {Orders: orders})


@pytest.fixture
async def orders_url(database_url: str) -> str:
    """The address of an orders database with all its tables and nothing in them."""
    connection = await asyncpg.connect(database_url)
    try:
        await migrate(connection, FOLDERS)
    finally:
        await connection.close()
    return database_url


@asynccontextmanager
async def orders_on(
    url: str,
    *,
    keep: float = 0.0,
    block: int = 10,
    on_connect: Callable[[Connection], Coroutine[Any, Any, None]] | None = None,
) -> AsyncIterator[OrdersAlone]:
    """The parts of the service on this database, with one shop, `nordic-tea`, which has mails and documents.

    What it knows it looks up each time.
    """
    pool = await open_pool(url, name="orders", connections=8, on_connect=on_connect)
    of_numbers = await open_pool(url, name="orders-numbers", connections=2, on_connect=on_connect)
    outbox = Outbox("/orders", Bell(), appended=keeping(Expectations(keep=keep)))
    alone = OrdersAlone(pool, outbox, Shops(keep=keep), Numbers(of_numbers, block=block))
    await alone.save(a_shop())
    await alone.know(what_is_sent(), what_is_printed())
    yield alone
    await of_numbers.close()
    await pool.close()


def app_of(alone: OrdersAlone) -> FastAPI:
    """The HTTP face of the service; nobody hears changes here, and their streams end at once."""
    live = Live(alone.pool, lambda: Ends("", "", TOPICS))
    live.end()
    state = {
        "pool": alone.pool,
        "tokens": Tokens(alone.pool, wait=30),
        "desk": alone.desk(),
        "live": live,
        "personal_numbers": alone.personal_numbers,
    }
    return make_app("orders", [*ROUTERS, documents], state=state)


@pytest.fixture
async def orders_alone(orders_url: str) -> AsyncIterator[OrdersAlone]:
    """The parts of the service, with one shop: `nordic-tea`."""
    async with orders_on(orders_url) as alone:
        yield alone


@pytest.fixture
def orders_app(orders_alone: OrdersAlone) -> FastAPI:
    """The HTTP face of the service."""
    return app_of(orders_alone)


@dataclass
class Caller:
    """Somebody with a token: sends what it is told to and gives the answer."""

    client: httpx2.AsyncClient

    async def place(self, body: Any, key: str | None = None, **headers: str) -> httpx2.Response:
        """POST an order: a command, a document or raw bytes; under a new key where none is said."""
        if isinstance(body, PlaceOrder):
            body = body.model_dump_json().encode()
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        known = {"content-type": "application/json", "idempotency-key": key or new_id()}
        return await self.client.post("/v1/orders", content=content, headers=known | headers)

    async def confirm(self, order_id: object, key: str | None = None, **body: Any) -> httpx2.Response:
        """POST the wish for another confirmation."""
        headers = {"idempotency-key": key or new_id()}
        return await self.client.post(f"/v1/orders/{order_id}/confirmation", json=body, headers=headers)

    async def handle(self, order_id: object, what: str, key: str | None = None, **body: Any) -> httpx2.Response:
        """POST a command below the order: `process`, `ship`, `documents`."""
        headers = {"idempotency-key": key or new_id()}
        return await self.client.post(f"/v1/orders/{order_id}/{what}", json=body, headers=headers)

    async def get(self, path: str, **parameters: Any) -> httpx2.Response:
        """GET a path below /v1/orders/."""
        return await self.client.get(f"/v1/orders/{path}", params=parameters)


CallAs = Callable[..., Awaitable[Caller]]


@pytest.fixture
async def call_as(orders_alone: OrdersAlone, orders_app: FastAPI) -> AsyncIterator[CallAs]:
    """`await call_as("nordic-tea", "orders:read")` makes a token for the shop; with all scopes of orders by default."""
    async with AsyncExitStack() as clients:

        async def make(shop: str, *scopes: str) -> Caller:
            async with transaction(orders_alone.pool) as connection:
                token = await make_token(connection, shop, "a test", scopes or ("orders:read", "orders:write"))
            transport = httpx2.ASGITransport(orders_app)
            headers = {"authorization": f"Bearer {token}"}
            client = httpx2.AsyncClient(transport=transport, base_url="http://orders", headers=headers)
            return Caller(await clients.enter_async_context(client))

        yield make


@pytest.fixture
async def tea(call_as: CallAs) -> Caller:
    """The shop front of `nordic-tea`."""
    return await call_as("nordic-tea")

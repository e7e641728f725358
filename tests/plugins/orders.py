"""The orders service without HTTP and without Kafka: its database, and its handlers as the kit runs them."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import pytest

import services.orders
import shared.messaging
from services.orders.handlers import commands
from services.orders.numbers import Numbers
from services.orders.repository import Orders
from services.orders.shops import Shops, save_shop
from services.orders.timeline import record
from shared.contracts.message import Message
from shared.contracts.order_commands import OrderCommand
from shared.contracts.shop_facts import ShopSettings
from shared.messaging.database import Connection
from shared.messaging.outbox import Outbox
from shared.messaging.wakeup import Bell
from shared.runtime.database import Pool, open_pool, transaction
from shared.runtime.migrations import RUNTIME_MIGRATIONS, migrate
from tests.builders import a_shop

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

    async def _reaction(self, command: OrderCommand, orders: Orders) -> Sequence[Message]:
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


@pytest.fixture
async def orders_alone(orders_url: str) -> AsyncIterator[OrdersAlone]:
    """The parts of the service, with one shop: `nordic-tea`."""
    pool = await open_pool(orders_url, name="orders", connections=8)
    of_numbers = await open_pool(orders_url, name="orders-numbers", connections=2)
    alone = OrdersAlone(pool, Outbox("/orders", Bell(), appended=record), Shops(keep=0), Numbers(of_numbers, block=10))
    await alone.save(a_shop())
    yield alone
    await of_numbers.close()
    await pool.close()

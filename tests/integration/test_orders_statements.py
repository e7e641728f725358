"""How many statements each command sends to the database, apart from BEGIN and COMMIT: a change of it is seen here."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import asyncpg
import httpx2
import pytest

from shared.contracts.message import new_id
from shared.contracts.order import OrderSnapshot
from shared.contracts.shop_facts import Folder, PaymentConnection, ShopConnections
from shared.messaging.database import Connection
from shared.runtime.database import transaction
from shared.runtime.tokens import make_token
from tests.builders import a_line, a_shop, an_order, to_place
from tests.plugins.orders import Caller, OrdersAlone, app_of, orders_on

OFTEN = 100.0
"""Seconds for which settings and facts are kept here: a command is counted in a process that has run a while."""


@dataclass
class Statements:
    """What was sent since the last look."""

    sent: list[str] = field(default_factory=list)

    async def listen(self, connection: Connection) -> None:
        """As `on_connect` of a pool."""
        connection.add_query_logger(self._log)

    def _log(self, record: asyncpg.connection.LoggedQuery) -> None:
        if record.query.strip("; \n").upper() not in {"BEGIN", "COMMIT", "ROLLBACK"}:
            self.sent.append(" ".join(record.query.split())[:60])

    def taken(self) -> list[str]:
        """They, and forgotten."""
        sent, self.sent = self.sent, []
        return sent


@pytest.fixture
def statements() -> Statements:
    return Statements()


@pytest.fixture
async def orders(orders_url: str, statements: Statements) -> AsyncIterator[OrdersAlone]:
    """A service that has everything at hand: settings, facts of the shop, numbers."""
    async with orders_on(orders_url, keep=OFTEN, block=1_000, on_connect=statements.listen) as alone:
        await alone.save(a_shop(folders=[Folder(id="to-pack", name="Att packa")]))
        await alone.know(ShopConnections(shop="nordic-tea", payment=PaymentConnection(provider="sandbox")))
        await alone.handle(to_place(an_order()))
        yield alone


@pytest.fixture
async def tea(orders: OrdersAlone) -> AsyncIterator[Caller]:
    async with transaction(orders.pool) as connection:
        token = await make_token(connection, "nordic-tea", "a test", ("orders:read", "orders:write"))
    headers = {"authorization": f"Bearer {token}"}
    transport = httpx2.ASGITransport(app_of(orders))
    async with httpx2.AsyncClient(transport=transport, base_url="http://orders", headers=headers) as client:
        caller = Caller(client)
        await caller.get(new_id())
        yield caller


async def placed(tea: Caller) -> OrderSnapshot:
    order = an_order(lines=[a_line(line_id="1", quantity=2), a_line(line_id="2")])
    assert (await tea.place(to_place(order))).status_code == 201
    return order


async def test_placing_an_order_by_http_sends_six_statements(tea: Caller, statements: Statements) -> None:
    statements.taken()
    await placed(tea)
    sent = statements.taken()
    tables = ("orders", "stream", "outbox", "entry", "promise", "idempotency")
    assert len(sent) == len(tables), sent
    for statement, table in zip(sent, tables, strict=True):
        assert statement.startswith((f"insert into {table} ", f"with {table} ")), sent


ONE = {"units": [{"line_id": "1", "units": 1}]}


# Locked, the shop's connections, the change, numbers, outbox, timeline, the answer; a second entry on the same order's
# timeline is one more, and so is a look at what stood open, where an entry may end it; the confirmation has a promise.
@pytest.mark.parametrize(
    ("what", "body", "count"),
    [
        ("process", {}, 7),
        ("ship", {}, 7),
        ("back-order", ONE, 7),
        ("cancel", {}, 8),
        ("cancel", ONE, 7),
        ("status", {"status": "in-progress"}, 7),
        ("line-status", {"status": "shipped", "line_ids": ["1"]}, 8),
        ("internal-status", {"status": "to-pick"}, 7),
        ("folder", {"folder": "to-pack"}, 7),
        ("comments", {"text": "Wrap it as a present."}, 7),
        ("contact", {"email": "asa@example.org"}, 7),
        ("customer", {"customer_id": "C-9"}, 7),
        ("confirm-payment", {}, 9),
        ("confirmation", {}, 7),
        ("documents", {"document": "delivery-note"}, 7),
    ],
)
async def test_what_each_command_by_http_sends(
    tea: Caller, statements: Statements, what: str, body: dict[str, Any], count: int
) -> None:
    order = await placed(tea)
    statements.taken()
    answer = await tea.handle(order.id, what, **body)
    sent = statements.taken()
    assert answer.is_success, answer.text
    assert len(sent) == count, sent


async def test_a_batch_of_fifty_from_the_topic_sends_as_many_as_one(
    orders: OrdersAlone, statements: Statements
) -> None:
    counts = []
    for size in (1, 50):
        statements.taken()
        await orders.handle(*(to_place(an_order()) for _ in range(size)))
        counts.append(statements.taken())
    assert counts[0] == counts[1]
    assert len(counts[1]) == 6, counts[1]

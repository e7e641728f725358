"""Trouble of every kind in the database of a running service, as it stands there when it has come about."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import asyncpg

from shared.contracts.message import Sequence, new_id, write_record
from tests.builders import an_order, placed
from tests.plugins.system import SERVICES, System

SERVICE, GROUP = "notifications", "notifications"
ERROR = "Reject: the template order-received has no sentence in fi, for asa@example.org\nand a second line"
DEAD = """
with m as (
  insert into message (id, source, topic, type, subject, record)
  values ($1, '/orders', 'orders.events', 'order.placed.v1', $2, $3) returning position),
l as (
  insert into lane ("group", subject, shop, state, attempts, failing_since, error)
  values ('notifications', $2, $4, 'blocked', 1, now() - interval '1 hour', $5))
insert into inbox ("group", subject, position, state, attempts, error, died_at)
select 'notifications', $2, position, 'dead', 1, $5, now() - interval '1 hour' from m returning position
"""
UNKNOWN = """
insert into effect (key, "group", subject, shop, kind, state, attempts, token, started_at, deadline, position, result)
values ($1, 'notifications', $2, $3, 'mail', 'unknown', 1, gen_random_uuid(), now() - interval '20 min', now(), 0,
  '{"detail": "ConnectionResetError: Connection lost while asa@example.org was told"}')
"""
WAITING = """
insert into lane ("group", subject, shop, state, attempts, due, failing_since, error)
values ('notifications', $1, $2, 'ready', 4, now() + interval '1 h', now() - interval '3 min', 'TryLater: 451 busy')
"""
PARKED = """
insert into parked (topic, aggregateid, error)
values ('orders.log', $1, 'MessageSizeTooLargeError: [Error 10] MessageSizeTooLargeError')
"""
QUARANTINED = """
insert into quarantine (topic, partition, "offset", key, value, headers, reason)
values ('orders.events', 1, $1, $2, $3, '[]', 'the record is no JSON: asa@example.org') returning position
"""
CURSOR = """
insert into cursor (source, subject, topic, incarnation, last, id)
values ('/orders', $1, 'orders.events', 1795525200, 3, 'x')
"""
HELD = """
insert into held (source, subject, topic, incarnation, n, id, shop, type, record, partition, "offset", headers, at)
values ('/orders', $1, 'orders.events', 1795525200, 6, $2, $3, 'order.placed.v1', '{}', 0, 9, '[]',
  now() - interval '5 min')
"""
FORGET = (
    "delete from inbox where state = 'dead'",
    "delete from lane where state = 'blocked' or failing_since is not null",
    "delete from effect where state = 'unknown'",
    "delete from parked",
    "delete from quarantine",
    "delete from held",
    "delete from cursor where incarnation = 1795525200",
)


@dataclass
class Troubles:
    """What was made, by kind: the ids that lists show."""

    connection: asyncpg.Connection
    ids: dict[str, list[str]]

    async def dead(self, shop: str = "nordic-tea") -> str:
        """A message that blocks its order; gives the item's id."""
        event = placed(an_order(id=uuid4(), shop=shop))
        stamped = event.stamped(event.meta.numbered(Sequence(1_790_000_000, 1)))
        record = write_record(stamped, stamped.meta).encode()
        position = await self.connection.fetchval(DEAD, stamped.meta.id, str(event.order.id), record, shop, ERROR)
        return self._made("dead", f"{GROUP}:{position}")

    async def unknown(self, shop: str = "nordic-tea") -> str:
        """A mail of which nobody knows."""
        key = f"mail:{new_id()}:order-received:5f2b9c41d07e"
        await self.connection.execute(UNKNOWN, key, str(uuid4()), shop)
        return self._made("unknown", key)

    async def waiting(self, shop: str = "nordic-tea") -> str:
        """A lane that is tried again in an hour."""
        order = str(uuid4())
        await self.connection.execute(WAITING, order, shop)
        return self._made("waiting", f"{GROUP}:{order}")

    async def parked(self) -> str:
        """A key of which Kafka refuses a record."""
        order = str(uuid4())
        await self.connection.execute(PARKED, order)
        return self._made("parked", f"orders.log:{order}")

    async def quarantined(self, value: bytes = b"not JSON, for asa@example.org") -> str:
        """A record that nobody understands."""
        key = str(uuid4())
        position = await self.connection.fetchval(QUARANTINED, abs(hash(key)) % 10**9, key.encode(), value)
        return self._made("quarantined", str(position))

    async def held(self, shop: str = "nordic-tea") -> str:
        """A record that waits for two earlier ones."""
        order = str(uuid4())
        await self.connection.execute(CURSOR, order)
        await self.connection.execute(HELD, order, new_id(), shop)
        return self._made("held", f"orders.events:/orders:{order}")

    async def one_of_each(self) -> None:
        """All kinds."""
        for make in (self.dead, self.unknown, self.waiting, self.parked, self.quarantined, self.held):
            await make()

    def _made(self, kind: str, item_id: str) -> str:
        self.ids.setdefault(kind, []).append(item_id)
        return item_id

    async def ask(self, statement: str, *values: Any) -> Any:
        """What the service's database says."""
        return await self.connection.fetchval(statement, *values)


@asynccontextmanager
async def troubles_in(system: System) -> AsyncIterator[Troubles]:
    """What is made in notifications, and what needs a person elsewhere, is gone afterwards."""
    connection = await asyncpg.connect(system.databases[SERVICE])
    try:
        yield Troubles(connection, {})
    finally:
        await connection.close()
        for service in SERVICES:
            await forget(system.databases[service])


async def forget(database: str) -> None:
    """As if nothing had gone wrong there."""
    connection = await asyncpg.connect(database)
    for statement in FORGET:
        await connection.execute(statement)
    await connection.close()

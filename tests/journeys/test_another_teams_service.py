"""A service of another team that knows the topic alone has every order once, whoever is killed meanwhile."""

import ast
import asyncio
import json
import signal
import sqlite3
import sys
from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete

from deploy.local.processes import Process, start_process
from shared.contracts.message import new_id
from shared.contracts.order import OrderSnapshot
from tests.builders import a_line, an_order
from tests.plugins.system import System
from tests.plugins.waiting import eventually

pytestmark = pytest.mark.timeout(300)

FOLDER = Path(__file__).parents[2] / "examples" / "subscriber"
ORDERS, ROUNDS = 40, 4
OURS = {"shared", "services", "deploy", "tests", "benchmarks", "examples"}

Totals = dict[tuple[str, str], tuple[int, int]]


@dataclass
class Example:
    """One of the examples as a process, and what it has kept."""

    system: System
    script: str

    @property
    def process(self) -> Process:
        return self.system.processes[self.script]

    def start(self) -> None:
        """Starts it as its team would: with an address, a place for its state and nothing of ours."""
        env = {"KAFKA": self.system.kafka, "TOPIC_PREFIX": self.system.prefix, "STATE": str(self._state)}
        command = [sys.executable, str(FOLDER / self.script)]
        self.system.processes[self.script] = start_process(self.script, command, self.system.log(self.script), env)

    async def kill(self) -> None:
        self.process.send(signal.SIGKILL)
        assert await self.process.ended(10)

    @property
    def _state(self) -> Path:
        return self.system.folder / f"{self.script}.sqlite"

    def _rows(self, query: str) -> list[Any]:
        try:
            with closing(sqlite3.connect(f"file:{self._state}?mode=ro", uri=True)) as state:
                return state.execute(query).fetchall()
        except sqlite3.OperationalError:  # it has not made its tables yet
            return []

    def totals(self) -> Totals:
        """Orders and what they cost, by shop and currency."""
        return {(shop, currency): (orders, cost) for shop, currency, orders, cost in self._rows("select * from totals")}

    def count(self) -> int:
        """How many orders it knows."""
        return sum(orders for orders, _ in self.totals().values())

    def places(self) -> dict[int, int]:
        """Where it reads on, by partition."""
        return dict(self._rows("select * from place"))

    async def knows(self, totals: Totals) -> None:
        """Waits until it has exactly these."""

        def same() -> bool:
            assert self.totals() == totals, self.process.tail()
            return True

        await eventually(same, timeout=60, every=0.1, waiting_for="the example's totals")

    async def knows_more_than(self, orders: int) -> None:
        """Waits until it knows more orders than so many."""
        await eventually(lambda: self.count() > orders, timeout=60, waiting_for=f"more than {orders} orders")

    async def has_read(self, partition: int, offset: int) -> None:
        """Waits until it has read this record."""
        await eventually(lambda: self.places().get(partition, 0) > offset, timeout=60, every=0.1)


@pytest.fixture(params=["follow.py", "follow_with_faststream.py"])
async def example(system: System, request: pytest.FixtureRequest) -> Example:
    """An example, started, beside orders and one shop."""
    await system.start("orders")
    await system.open_a_shop()
    made = Example(system, request.param)
    made.start()
    return made


async def place(system: System, order: OrderSnapshot) -> None:
    """Places it, again and again until somebody has said yes."""
    key = {"idempotency-key": new_id()}

    async def accepted() -> bool:
        try:
            return (await system.place(order, **key)).is_success
        except httpx2.TransportError:
            return False

    await eventually(accepted, timeout=60, every=0.05, waiting_for=f"order {order.id} to be accepted")


async def place_all(system: System, orders: Sequence[OrderSnapshot]) -> None:
    for order in orders:
        await place(system, order)


def what_they_cost(orders: Sequence[OrderSnapshot]) -> Totals:
    numbers, costs = Counter[tuple[str, str]](), Counter[tuple[str, str]]()
    for order in orders:
        numbers[order.shop, order.currency] += 1
        costs[order.shop, order.currency] += order.totals.to_pay.amount
    return {shop: (number, costs[shop]) for shop, number in numbers.items()}


async def test_it_has_every_order_once_although_it_and_orders_are_killed_again_and_again(example: Example) -> None:
    system = example.system
    orders = [
        an_order(currency="EUR" if number % 3 == 0 else "SEK", lines=[a_line(quantity=number + 1)])
        for number in range(ORDERS)
    ]
    size = ORDERS // ROUNDS
    for done in range(0, ORDERS, size):
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(place_all(system, orders[done : done + size]))
            await example.knows_more_than(done)
            system.processes["orders"].send(signal.SIGKILL)
            await example.kill()
            assert await system.processes["orders"].ended(10)
            example.start()
            await system.start("orders")
    await example.knows(what_they_cost(orders))
    await example.process.stop(signal.SIGTERM)
    assert example.process.exit_code() == 0


async def records_about(system: System, order: OrderSnapshot, count: int) -> list[Any]:
    """The first records of this order on the topic, when there are so many."""
    topic = system.prefix + "orders.events"
    found: list[Any] = []
    async with AIOKafkaConsumer(
        topic, bootstrap_servers=system.kafka, auto_offset_reset="earliest", enable_auto_commit=False
    ) as consumer:
        while len(found) < count:
            for records in (await consumer.getmany(timeout_ms=200)).values():
                found += [record for record in records if record.key.decode() == str(order.id)]
    return found


async def produce(system: System, like: Any, value: bytes) -> Any:
    """Puts a record where this one is; returns where it went."""
    async with AIOKafkaProducer(bootstrap_servers=system.kafka) as producer:
        return await producer.send_and_wait(like.topic, value, key=like.key, partition=like.partition)


def changed(record: Any, cost: int, **envelope: str) -> bytes:
    """The record with another cost, and something else in its envelope."""
    event = json.loads(record.value)
    event["data"]["order"]["totals"]["incl_vat"]["amount"] = cost
    return json.dumps(event | envelope).encode()


async def test_an_old_duplicate_and_an_unknown_type_change_nothing_and_news_do(example: Example) -> None:
    system, order = example.system, an_order()
    await place(system, order)
    async with system.http(**{"idempotency-key": new_id()}) as http:
        assert (await http.post(f"/v1/orders/{order.id}/process", json={})).is_success
    first, second = (await records_about(system, order, 2))[:2]
    later = json.loads(second.value)["sequence"][:-1] + "9"
    await produce(system, first, first.value)
    await produce(system, first, changed(first, 1))
    sent = await produce(system, first, changed(first, 2, type="order.never-heard-of.v1", sequence=later))
    await example.has_read(sent.partition, sent.offset)
    assert example.totals() == what_they_cost([order])
    await produce(system, first, changed(second, 3, sequence=later))
    await example.knows({(order.shop, order.currency): (1, 3)})


async def test_a_record_that_it_cannot_understand_ends_it_and_is_not_passed_over(example: Example) -> None:
    system, order = example.system, an_order()
    await place(system, order)
    (first,) = (await records_about(system, order, 1))[:1]
    sent = await produce(system, first, b"no event")
    await produce(system, first, changed(first, 4, sequence="9999999999.000000000001"))
    for _ in range(2):
        assert await example.process.ended(60)
        assert example.process.exit_code() == 1
        assert "JSONDecodeError" in example.process.tail(100)
        assert example.places().get(sent.partition, 0) <= sent.offset
        example.start()


async def test_records_that_were_deleted_unread_are_not_passed_over_in_silence(example: Example) -> None:
    system, order = example.system, an_order()
    await place(system, order)
    (first,) = (await records_about(system, order, 1))[:1]
    await example.has_read(first.partition, first.offset)
    await example.kill()
    last = await produce(system, first, first.value)
    await produce(system, first, first.value)
    await delete_before(system, TopicPartition(first.topic, first.partition), last.offset + 1)
    example.start()
    assert await example.process.ended(60)
    assert "PassedOver" in example.process.tail(100)


async def delete_before(system: System, partition: TopicPartition, offset: int) -> None:
    """What retention does, at once."""
    admin = AIOKafkaAdminClient(bootstrap_servers=system.kafka)
    await admin.start()
    try:
        await admin.delete_records({partition: RecordsToDelete(before_offset=offset)})
    finally:
        await admin.close()


@pytest.mark.parametrize("script", ["follow.py", "follow_with_faststream.py"])
def test_it_imports_nothing_of_this_project(script: str) -> None:
    names = set()
    for node in ast.walk(ast.parse((FOLDER / script).read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0
            names.add((node.module or "").split(".")[0])
    assert not names & OURS
    assert names <= sys.stdlib_module_names | {"aiokafka", "faststream", "follow"}

"""One command tells an order's whole story, from every database and the topics, whoever is away meanwhile."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

import pytest

from services.notifications.handlers import notifications
from shared.contracts.message import write_record
from shared.contracts.order_log import MessageFailed
from shared.contracts.topics import ORDERS_COMMANDS, ORDERS_EVENTS, ORDERS_LOG
from shared.messaging.ingest import Ingest
from shared.messaging.relay import Relay
from shared.runtime.migrations import migrate
from tests.builders import an_order, placed, to_place
from tests.plugins.kit import FOLDERS, Kit, running
from tests.plugins.operator import ops
from tests.plugins.orders import OrdersAlone
from tests.plugins.waiting import eventually

EFFECT = """
insert into effect (key, "group", subject, kind, state, attempts, token, started_at, deadline, result)
values ('mail:1', 'notifications', $1, 'mail', 'unknown', 1, gen_random_uuid(), now(), now(), $2)
"""
BLOCK = "update lane set state = 'blocked', due = null, attempts = 3, failing_since = now(), error = $1"


@dataclass(frozen=True)
class Told:
    """An order that orders has placed and announced, and of which notifications has a blocked lane."""

    order: UUID
    orders: Kit
    notifications: Kit

    @property
    def where(self) -> tuple[str, ...]:
        kit = self.notifications
        return (*self.databases, "--kafka", kit.kafka, "--prefix", kit.prefix)

    @property
    def databases(self) -> tuple[str, ...]:
        return ("-d", f"orders={self.orders.dsn}", "-d", f"notifications={self.notifications.dsn}")


@pytest.fixture
async def told(orders_alone: OrdersAlone, orders_url: str, kit_on_kafka: Kit) -> Told:
    kit, order = kit_on_kafka, an_order(id=uuid4())
    of_orders = Kit(orders_url, orders_alone.pool, kit.kafka, kit.prefix)
    async with orders_alone.pool.acquire() as connection:
        await migrate(connection, FOLDERS)
    command = to_place(order)
    record = (command.subject.encode(), write_record(command, command.meta).encode())
    await of_orders.publish(ORDERS_COMMANDS, record)
    await orders_alone.handle(command)
    async with running(Relay(of_orders.dsn, kit.kafka, of_orders.bell, prefix=kit.prefix, keeps=True, poll=0.05)):
        await eventually(lambda: empty(of_orders, "outbox"))
    ingest = Ingest(
        kit.pool, kit.kafka, ORDERS_EVENTS, [notifications], kit.bell, service="notifications", prefix=kit.prefix
    )
    async with running(ingest):
        await eventually(lambda: some(kit, "inbox"))
    await kit.pool.execute(BLOCK, "RuntimeError: no such recipient asa.oberg@example.org")
    await kit.pool.execute(EFFECT, str(order.id), '{"detail": "the line to asa.oberg@example.org was cut"}')
    kit.source = "/notifications"
    failed = MessageFailed(
        order_id=order.id, outcome="failed", summary="message.failed", template="order-received",
        recipient="a***@example.org", language="sv", reason="mailbox-unknown"
    )  # fmt: skip
    await kit.say(placed(order).meta, [failed])
    return Told(order.id, of_orders, kit)


async def empty(kit: Kit, table: str) -> bool:
    return await kit.count(table) == 0


async def some(kit: Kit, table: str) -> bool:
    return await kit.count(table) > 0


def texts(entries: list[dict[str, Any]], where: str, what: str) -> list[str]:
    return [entry["text"] for entry in entries if entry["where"] == where and entry["what"].startswith(what)]


async def test_the_story_is_whole_and_in_the_order_of_time(told: Told) -> None:
    answer = await ops("journey", str(told.order), *told.where, "--json")
    assert answer.code == 0, answer.err
    story, standing = answer.document["story"], answer.document["standing"]
    assert [entry["at"] for entry in story] == sorted(entry["at"] for entry in story)

    assert len(texts(story, "Kafka", "orders.commands")) == 1
    assert [text.split()[0] for text in texts(story, "Kafka", "orders.events")] == ["order.placed.v1"]
    assert [text.split()[0] for text in texts(story, "Kafka", "orders.log")] == ["order.noted.v1"]
    assert len(texts(story, "orders", "announced")) == 2
    assert texts(story, "orders", "order")[0].endswith("of nordic-tea, accepted; now version 1")
    assert [text.split()[:2] for text in texts(story, "orders", "timeline")] == [["order.noted.v1", "done"]]
    assert texts(story, "notifications", "inbox") == [
        "order.placed.v1 of /orders, taken in from orders.events: waits in its lane"
    ]
    assert texts(story, "notifications", "effect mail") == ["unknown (attempt 1) mail:1"]
    assert "waits to be published on orders.log" in texts(story, "notifications", "outbox")[0]

    assert texts(standing, "orders", "said on orders.events") == ["1 so far, as /orders"]
    assert texts(standing, "notifications", "read on orders.events") == ["up to number 1 of /orders"]
    (lane,) = texts(standing, "notifications", "lane notifications")
    assert lane.startswith("blocked; 3 attempts; failing since")
    assert lane.endswith("1 waiting; RuntimeError: no such recipient a***@example.org")


async def test_nothing_personal_is_shown(told: Told) -> None:
    for words in ((), ("--json",)):
        answer = await ops("journey", str(told.order), *told.where, *words)
        assert answer.code == 0, answer.err
        for secret in ("Öberg", "oberg", "Hornsgatan", "123 45 67"):
            assert secret not in answer.out
    assert '"full_name": "***"' in answer.out


async def test_people_read_two_tables_and_how_many_things_need_them(told: Told) -> None:
    answer = await ops("journey", str(told.order).upper(), *told.where)
    assert f"What happened to {told.order}" in answer.out
    assert "How it stands" in answer.out
    assert "! blocked; 3 attempts" in answer.out
    assert "2 of these need somebody" in answer.out


async def test_a_server_that_is_away_is_named_and_hides_nothing_else(told: Told) -> None:
    away = "documents=postgresql://a:b@127.0.0.1:1/documents"
    answer = await ops("journey", str(told.order), *told.databases, "-d", away, "--kafka", "127.0.0.1:1", "--json")
    assert answer.code == 3
    assert [sentence.split(" cannot be reached")[0] for sentence in answer.document["missing"]] == [
        "the database of documents", "Kafka"
    ]  # fmt: skip
    assert len(texts(answer.document["story"], "orders", "announced")) == 2


async def test_the_databases_alone_may_be_asked(told: Told) -> None:
    answer = await ops("journey", str(told.order), *told.databases, "--no-topics", "--json")
    assert answer.code == 0
    assert "Kafka" not in {entry["where"] for entry in answer.document["story"]}
    assert (await ops("journey", str(told.order), *told.databases)).code == 2


async def test_an_order_that_nobody_knows_ends_with_1(told: Told) -> None:
    answer = await ops("journey", str(uuid4()), *told.where)
    assert answer.code == 1
    assert "Nobody who was asked knows the order" in answer.err
    assert (await ops("journey", "42", *told.where)).code == 2


async def test_records_are_found_where_another_clients_partitioner_put_them(told: Told) -> None:
    kit, other = told.notifications, an_order(id=uuid4())
    event = placed(other)
    record = (event.subject.encode(), write_record(event, event.meta).encode())
    for partition in (0, 1):
        await kit.publish(ORDERS_LOG, record, partition=partition)
    for words, found in (((), 1), (("--all-partitions",), 2)):
        answer = await ops("journey", str(other.id), *told.where, *words, "--json")
        assert len(texts(answer.document["story"], "Kafka", "orders.log")) == found

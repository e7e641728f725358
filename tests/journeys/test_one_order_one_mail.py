"""From the shop front to the mail and the timeline, through real processes, by both public ways."""

import asyncio
import json
import signal
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg
import httpx2
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from deploy.local import kafka as local_kafka
from deploy.local.ports import HOST, take_port
from shared.contracts.message import Message, new_id, record_headers, write_record
from shared.contracts.order_commands import ResendConfirmation
from shared.contracts.topics import ORDERS_COMMANDS, TOPICS
from shared.messaging.topics_on_broker import TopicsOnBroker
from shared.runtime.tokens import make_token
from tests.builders import a_customer, an_order, stamped, to_place
from tests.plugins.mailboxes import Mailbox
from tests.plugins.servers import CreateDatabase
from tests.plugins.system import System
from tests.plugins.waiting import eventually

pytestmark = pytest.mark.timeout(300)


async def send(system: System, *commands: Message) -> None:
    """Writes commands to the topic as a shop front does."""
    async with AIOKafkaProducer(bootstrap_servers=system.kafka, enable_idempotence=True) as producer:
        for command in commands:
            await producer.send_and_wait(
                system.prefix + ORDERS_COMMANDS.name,
                write_record(command, command.meta).encode(),
                key=command.subject.encode(),
                headers=[(name, value.encode()) for name, value in record_headers(command, command.meta).items()],
            )


def somebody(**changes: Any) -> Any:
    return a_customer(email=f"{uuid4().hex}@kund.example", **changes)


@pytest.mark.requirement("R077", "R122")
async def test_an_order_placed_by_http_gets_one_mail_and_says_so_on_its_timeline(running_system: System) -> None:
    system, order = running_system, an_order(customer=somebody())
    answer = await system.place(order)
    assert answer.status_code == 201, answer.text
    (sent,) = await system.noted(order, "message.sent.v1")
    (noted,) = await system.noted(order, "order.noted.v1")
    mail = await system.mailbox.message(to=order.customer.email)
    assert sent["outcome"] == "done"
    assert sent["causationid"] == noted["data"]["event_id"]
    assert sent["data"]["message_id"] == mail["message_id"]
    assert order.customer.email not in json.dumps(sent)
    assert len(await system.mailbox.messages(to=order.customer.email)) == 1


@pytest.mark.parametrize(("language", "words"), [("sv", "order"), ("fi", "tilaus"), ("en", "order")])
async def test_an_order_placed_on_the_topic_is_confirmed_in_its_language(
    running_system: System, language: str, words: str
) -> None:
    system, order = running_system, an_order(language=language, customer=somebody())
    command = to_place(order)
    await send(system, command, command)
    await system.noted(order, "message.sent.v1")
    mail = await system.mailbox.message(to=order.customer.email)
    assert words in mail["subject"].lower()
    assert f'lang="{language}"' in mail["html"]
    assert len(await system.noted(order, "order.noted.v1")) == 1


@pytest.mark.requirement("R068")
async def test_a_confirmation_is_sent_again_by_both_ways_and_once_per_wish(running_system: System) -> None:
    system, order = running_system, an_order(customer=somebody())
    await system.place(order)
    await system.noted(order, "message.sent.v1")
    async with system.http(**{"idempotency-key": "the-same-wish"}) as http:
        for _ in range(2):
            answer = await http.post(f"/v1/orders/{order.id}/confirmation", json={"content": "as-then"})
            assert answer.status_code == 202, answer.text
    wish = stamped(ResendConfirmation(order_id=order.id, content="as-now"), shop=order.shop, source="/shop-front")
    await send(system, wish, wish)
    await system.noted(order, "message.sent.v1", count=3)
    mails = await system.mailbox.messages(to=order.customer.email)
    assert len(mails) == 3
    assert len({mail["message_id"] for mail in mails}) == 3


@pytest.mark.requirement("R049", "R051", "R056", "R119", "R120")
async def test_what_a_person_writes_reaches_the_customer_once_and_is_listed_with_the_order(
    running_system: System,
) -> None:
    system, order = running_system, an_order(customer=somebody(), language="fi")
    await system.place(order)
    words = {"headline": "Tilauksestasi", "text": "<p>Sininen on <b>loppu</b>.</p>", "format": "html"}
    async with system.http(**{"idempotency-key": new_id()}) as http:
        for _ in range(2):
            assert (await http.post(f"/v1/orders/{order.id}/messages", json=words)).status_code == 202
    kinds = [entry["data"]["template"] for entry in await system.noted(order, "message.sent.v1", count=2)]
    assert sorted(kinds) == ["message-about-order", "order-received"]
    mail = await system.mailbox.message(to=order.customer.email)
    assert (mail["subject"], "<b>loppu</b>" in mail["html"]) == ("Tilauksestasi", True)
    assert mail["text"].startswith("Sininen on loppu.")
    connection = await asyncpg.connect(system.databases["notifications"])
    token = await make_token(connection, order.shop, "test", ("messages:read",))
    await connection.close()
    async with system.http("notifications", authorization=f"Bearer {token}") as http:
        listed = (await http.get(f"/v1/orders/{order.id}/messages")).json()["messages"]
    assert {each["kind"]: each["state"] for each in listed} == {"message-about-order": "sent", "order-received": "sent"}
    assert {each["recipient"] for each in listed} == {order.customer.email}


async def test_a_refused_command_is_answered_on_the_log_with_a_stable_reason(running_system: System) -> None:
    system = running_system
    unknown_shop = to_place(an_order(shop="no-such-shop"))
    unknown_order = stamped(ResendConfirmation(order_id=uuid4()), shop="nordic-tea", source="/shop-front")
    good = an_order(customer=somebody())
    broken = to_place(an_order())
    broken = broken.model_copy(update={"lines": [broken.lines[0], broken.lines[0]]})
    await send(system, unknown_shop, unknown_order, broken, to_place(good))
    await system.noted(good, "message.sent.v1")
    expected = {
        unknown_shop.subject: "unknown-shop",
        unknown_order.subject: "unknown-order",
        broken.subject: "invalid-command",
    }
    found = await rejections(system)
    assert {subject: found.get(subject) for subject in expected} == expected


async def rejections(system: System) -> dict[str, str]:
    """The reasons on the order log, by order, as any reader of the topic sees them."""
    topic = system.prefix + "orders.log"
    async with AIOKafkaConsumer(bootstrap_servers=system.kafka, enable_auto_commit=False) as consumer:
        partitions = [TopicPartition(topic, number) for number in range(2)]
        consumer.assign(partitions)
        await consumer.seek_to_beginning(*partitions)
        ends = await consumer.end_offsets(partitions)
        documents: list[dict[str, Any]] = []
        while len(documents) < sum(ends.values()):
            for records in (await consumer.getmany(timeout_ms=200)).values():
                documents += [json.loads(record.value) for record in records]
    return {d["subject"]: d["data"]["reason"] for d in documents if d["type"] == "command.rejected.v1"}


async def test_an_address_that_the_mail_server_refuses_is_shown_on_the_order(running_system: System) -> None:
    system, order = running_system, an_order(customer=a_customer(email="refuse-550@kund.example"))
    await system.place(order)
    (failed,) = await system.noted(order, "message.failed.v1")
    assert failed["outcome"] == "failed"
    assert "550" in failed["data"]["detail"]
    assert "refuse-550@" not in json.dumps(failed)


async def test_a_trace_begun_by_the_shop_front_is_found_in_records_and_logs(running_system: System) -> None:
    system, trace = running_system, uuid4().hex
    order = an_order(customer=a_customer(email=f"tempfail-451@{trace}.kund.example"))
    await system.place(order, traceparent=f"00-{trace}-00f067aa0ba902b7-01")
    await eventually(lambda: [line for line in system.lines("notifications") if line.get("trace_id") == trace])
    (line, *_) = [line for line in system.lines("notifications") if line.get("trace_id") == trace]
    assert (line["message"], line["order_id"]) == ("message failed", str(order.id))
    async with system.http() as http:
        metrics = (await http.get("/metrics")).text
    assert "outbox_published" in metrics
    events = await documents_about(system, "orders.events", str(order.id))
    log = await documents_about(system, "orders.log", str(order.id))
    assert {document["traceparent"].split("-")[1] for document in [*events, *log]} == {trace}


async def documents_about(system: System, topic: str, subject: str) -> list[dict[str, Any]]:
    async with AIOKafkaConsumer(bootstrap_servers=system.kafka, enable_auto_commit=False) as consumer:
        partitions = [TopicPartition(system.prefix + topic, number) for number in range(2)]
        consumer.assign(partitions)
        await consumer.seek_to_beginning(*partitions)
        ends = await consumer.end_offsets(partitions)
        found: list[Any] = []
        while len(found) < sum(ends.values()):
            for records in (await consumer.getmany(timeout_ms=200)).values():
                found += records
    about = [record for record in found if record.key.decode() == subject]
    for record in about:
        assert dict(record.headers)["traceparent"].decode() == json.loads(record.value)["traceparent"]
    return [json.loads(record.value) for record in about]


async def test_no_log_line_tells_who_ordered(running_system: System) -> None:
    system = running_system
    order = an_order(customer=a_customer(email="tempfail-451@kund.example", full_name="Hemliga Hedvig"))
    await system.place(order)
    bad = to_place(order).model_dump(mode="json") | {"currency": "???"}
    async with system.http(**{"idempotency-key": "x"}) as http:
        await http.post("/v1/orders", json=bad)
    await eventually(lambda: [line for line in failures(system) if line["order_id"] == str(order.id)])
    for name in ("orders", "notifications"):
        text = system.log(name).read_text()
        assert "tempfail-451@" not in text
        assert "Hedvig" not in text


def failures(system: System) -> list[dict[str, Any]]:
    return [line for line in system.lines("notifications") if line["message"] == "message failed"]


async def test_killed_processes_lose_nothing_and_send_nothing_twice(own_system: System) -> None:
    system = own_system
    orders = [an_order(customer=somebody()) for _ in range(40)]
    await send(system, *(to_place(order) for order in orders))
    for name in ("notifications", "orders", "notifications"):
        await eventually(lambda: has_mails(system, 1))
        system.processes[name].send(signal.SIGKILL)
        await system.processes[name].ended(5)
        await system.start(name)
    settled = await asyncio.gather(*(settled_entry(system, order) for order in orders))
    mails = {order.id: await system.mailbox.messages(to=order.customer.email) for order in orders}
    for order, entry in zip(orders, settled, strict=True):
        assert len(mails[order.id]) <= 1, "a customer got two mails"
        if entry["type"] == "message.sent.v1":
            assert len(mails[order.id]) == 1
        else:
            assert entry["outcome"] == "unknown"


async def has_mails(system: System, count: int) -> bool:
    return len(await system.mailbox.messages()) >= count


async def settled_entry(system: System, order: Any) -> dict[str, Any]:
    async def there() -> list[dict[str, Any]]:
        kinds = {"message.sent.v1", "effect.unknown.v1"}
        return [entry for entry in await system.timeline(order) if entry["type"] in kinds]

    # An effect that was under way is called unknown when its deadline has passed, some seconds after it was begun.
    first: dict[str, Any] = (await eventually(there, timeout=100, every=0.5))[0]
    return first


async def test_roles_run_in_processes_of_their_own(system: System) -> None:
    roles = ("api", "ingest", "work", "relay")
    await asyncio.gather(
        *(system.start("orders", name=f"orders-{role}", roles=role) for role in roles), system.start("notifications")
    )
    await system.open_a_shop()
    system.ports["orders"] = system.ports["orders-api"]
    order = an_order(customer=somebody())
    assert (await system.place(order)).status_code == 201
    await system.noted(order, "message.sent.v1")
    async with httpx2.AsyncClient(base_url=f"http://{HOST}:{system.ports['orders-relay']}") as http:
        assert (await http.get("/v1/orders/x")).status_code == 404
        assert (await http.get("/livez")).json()["checks"]["relay"] == "ok"


async def test_a_service_told_to_stop_finishes_and_ends_with_zero(own_system: System) -> None:
    system = own_system
    await send(system, *(to_place(an_order(customer=somebody())) for _ in range(20)))
    for process in system.processes.values():
        process.send(signal.SIGTERM)
    for process in system.processes.values():
        assert await process.ended(20)
        assert process.exit_code() == 0


async def test_while_kafka_is_away_orders_accepts_and_afterwards_all_is_sent(
    create_database: CreateDatabase, mailbox: Mailbox, tmp_path: Path
) -> None:
    taken: set[int] = set()
    ports = take_port(taken=taken), take_port(taken=taken)
    broker = await local_kafka.start(tmp_path / "kafka", *ports, tmp_path / "kafka.log")
    databases = {service: await create_database() for service in ("orders", "notifications")}
    system = System(broker.bootstrap, "", databases, mailbox, tmp_path)
    try:
        async with TopicsOnBroker(broker.bootstrap) as topics:
            await topics.create(TOPICS, partitions=2)
        await asyncio.gather(system.start("orders"), system.start("notifications"))
        await system.open_a_shop()
        before, during = an_order(customer=somebody()), [an_order(customer=somebody()) for _ in range(10)]
        await system.place(before)
        await system.noted(before, "message.sent.v1")
        await broker.stop()
        for order in during:
            assert (await system.place(order)).status_code == 201
            assert [entry["type"] for entry in await system.timeline(order)] == ["order.noted.v1"]
        broker = await local_kafka.start(tmp_path / "kafka", *ports, tmp_path / "kafka.log")
        for order in during:
            await system.noted(order, "message.sent.v1", within=90)
            assert len(await mailbox.messages(to=order.customer.email)) == 1
    finally:
        await system.stop()
        await broker.stop()

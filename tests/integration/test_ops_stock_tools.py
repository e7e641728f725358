"""Whoever reads a topic with Kafka's own tools sees CloudEvents documents that make sense by themselves."""

import asyncio
import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import pytest
from cloudevents.core.base import BaseCloudEvent
from cloudevents.core.bindings.kafka import KafkaMessage, from_structured_event
from cloudevents.core.formats.json import JSONFormat

from deploy.local.failure import LocalStackError
from deploy.local.kafka import tool_command
from shared.contracts.order_events import OrderPlaced
from shared.messaging.relay import Relay
from tests.builders import an_order, to_place
from tests.plugins.kit import Kit, running
from tests.plugins.waiting import eventually

ORDER = uuid4()


@dataclass(frozen=True)
class Read:
    """A record as a tool has printed it."""

    key: str
    headers: dict[str, str]
    value: str

    @property
    def document(self) -> dict[str, Any]:
        document: dict[str, Any] = json.loads(self.value)
        return document


@pytest.fixture
async def published(kit_on_kafka: Kit) -> Kit:
    """An order is placed: the kit has numbered and published its event."""
    kit = kit_on_kafka
    order = an_order(id=ORDER)
    await kit.say(to_place(order).meta, [OrderPlaced(order=order)])
    async with running(Relay(kit.dsn, kit.kafka, kit.bell, prefix=kit.prefix, poll=0.05)):
        await eventually(lambda: all_out(kit))
    return kit


async def all_out(kit: Kit) -> bool:
    return await kit.count("outbox") == 0


async def printed(command: Sequence[object]) -> str:
    """What a program writes to its stdout."""
    process = await asyncio.create_subprocess_exec(
        *map(str, command), stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    out, err = await process.communicate()
    assert process.returncode == 0, err.decode()
    return out.decode()


async def with_kcat(kit: Kit, topic: str) -> list[Read]:
    if shutil.which("kcat") is None:
        pytest.skip("kcat is not on this machine")
    command = ("kcat", "-b", kit.kafka, "-C", "-t", kit.prefix + topic, "-e", "-q", "-f", r"%k\t%h\t%s\n")
    lines = [line.split("\t") for line in (await printed(command)).splitlines()]
    return [Read(key, dict(pair.split("=", 1) for pair in headers.split(",")), value) for key, headers, value in lines]


async def with_console_consumer(kit: Kit, topic: str) -> list[Read]:
    words = ("--topic", kit.prefix + topic, "--from-beginning", "--max-messages", "1", "--timeout-ms", "60000")
    shown = ("--formatter-property", "print.key=true", "--formatter-property", "print.headers=true")
    try:
        command = tool_command("kafka-console-consumer", [*words, *shown], kit.kafka)
    except LocalStackError as error:
        pytest.skip(str(error))
    lines = [line.split("\t") for line in (await printed(command)).splitlines()]
    return [Read(key, dict(pair.split(":", 1) for pair in headers.split(",")), value) for headers, key, value in lines]


def assert_it_explains_itself(record: Read, type_: str) -> None:
    """The key, the document and the headers say the same."""
    document = record.document
    assert record.key == document["subject"] == document["partitionkey"] == str(ORDER)
    assert (document["type"], document["source"], document["shop"]) == (type_, "/orders", "nordic-tea")
    assert record.headers["content-type"].startswith("application/cloudevents+json")
    said = {name: document[name] for name in ("id", "type", "source", "subject", "sequence")}
    assert {name: record.headers[f"ce_{name}"] for name in said} == said


def as_the_sdk_reads_it(record: Read) -> BaseCloudEvent:
    headers: dict[str, bytes] = {name: value.encode() for name, value in record.headers.items()}
    message = KafkaMessage(headers, record.key.encode(), record.value.encode())
    return from_structured_event(message, JSONFormat())


@pytest.mark.parametrize("read", [with_kcat, with_console_consumer])
async def test_an_event_is_one_readable_document_with_its_key_and_headers(published: Kit, read: Any) -> None:
    (record,) = await read(published, "orders.events")
    assert_it_explains_itself(record, "order.placed.v1")
    assert "Åsa Öberg" in record.value
    assert "Hornsgatan 12" in record.value

    event = as_the_sdk_reads_it(record)
    assert (event.get_type(), event.get_subject(), event.get_source()) == ("order.placed.v1", str(ORDER), "/orders")
    assert event.get_extension("sequence").endswith(".000000000001")
    data = event.get_data()
    assert isinstance(data, dict)
    assert data["order"]["id"] == str(ORDER)


async def test_a_log_entry_is_one_too_and_tells_nothing_personal(published: Kit) -> None:
    (record,) = await with_kcat(published, "orders.log")
    assert_it_explains_itself(record, "order.noted.v1")
    assert as_the_sdk_reads_it(record).get_type() == "order.noted.v1"
    assert "Öberg" not in record.value

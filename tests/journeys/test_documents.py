"""A document is asked for, by HTTP or by topic, printed once, and opened by whoever has a token or a link."""

import asyncio
import signal
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import asyncpg
import httpx2
import pytest

from deploy.local.ports import HOST
from shared.contracts.message import new_id
from shared.contracts.order import OrderSnapshot
from shared.contracts.order_commands import PrintDocument
from shared.runtime.tokens import make_token
from tests.builders import an_order, stamped
from tests.journeys.test_one_order_one_mail import send
from tests.plugins.system import System

pytestmark = pytest.mark.timeout(300)


async def ask(system: System, order: OrderSnapshot, **wanted: Any) -> None:
    async with system.http(**{"idempotency-key": new_id()}) as http:
        answer = await http.post(f"/v1/orders/{order.id}/documents", json=wanted)
    assert answer.status_code == 202, answer.text


@pytest.fixture
async def archive(running_system: System) -> AsyncIterator[httpx2.AsyncClient]:
    """A client of documents with a token of the shop."""
    connection = await asyncpg.connect(running_system.databases["documents"])
    try:
        token = await make_token(connection, "nordic-tea", "test", ("documents:read",))
    finally:
        await connection.close()
    url, headers = f"http://{HOST}:{running_system.ports['documents']}", {"authorization": f"Bearer {token}"}
    async with httpx2.AsyncClient(base_url=url, headers=headers, timeout=30) as http:
        yield http


@pytest.mark.requirement("R067", "R070", "R071", "R106")
async def test_each_document_is_printed_in_each_language_and_fetched_with_a_token(
    running_system: System, archive: httpx2.AsyncClient
) -> None:
    system, order = running_system, an_order(id=uuid4(), language="fi")
    await system.place(order)
    wanted = [(kind, tongue) for kind in ("order-print", "delivery-note", "pick-list") for tongue in ("sv", "fi", "en")]
    await asyncio.gather(*(ask(system, order, document=kind, language=tongue) for kind, tongue in wanted))
    entries = await system.noted(order, "document.printed.v1", count=len(wanted))
    assert {(entry["data"]["document"], entry["data"]["language"]) for entry in entries} == set(wanted)
    for entry in entries:
        answer = await archive.get(f"/v1/documents/{entry['data']['document_id']}")
        assert answer.content.startswith(b"%PDF-")
        assert (len(answer.content), answer.headers["content-type"]) == (
            entry["data"]["file"]["size"],
            "application/pdf",
        )
    assert len({entry["data"]["file"]["sha256"] for entry in entries}) == len(wanted)


async def test_a_document_asked_for_on_the_topic_is_printed_in_the_orders_language_and_opened_by_a_link(
    running_system: System, archive: httpx2.AsyncClient
) -> None:
    system, order = running_system, an_order(id=uuid4(), language="fi")
    await system.place(order)
    command = stamped(PrintDocument(order_id=order.id, document="pick-list"))
    await send(system, command, command)
    (entry,) = await system.noted(order, "document.printed.v1")
    assert entry["data"]["language"] == "fi"
    link = (await archive.post(f"/v1/documents/{entry['data']['document_id']}/link", json={})).json()
    async with httpx2.AsyncClient(base_url=str(archive.base_url)) as stranger:
        assert (await stranger.get(link["url"])).content.startswith(b"%PDF-")
        assert (await stranger.get(link["url"].partition("?")[0])).status_code == 401


async def test_documents_dies_while_it_prints_and_each_document_is_told_once(own_system: System) -> None:
    system, orders = own_system, [an_order(id=uuid4()) for _ in range(8)]
    await system.start("documents")
    await system.told("documents")
    await asyncio.gather(*(system.place(order) for order in orders))
    await asyncio.gather(*(ask(system, order, document="delivery-note") for order in orders))
    await system.processes["documents"].stop(signal.SIGKILL)
    await system.start("documents")
    for order in orders:
        assert len(await system.noted(order, "document.printed.v1")) == 1

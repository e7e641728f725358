"""Drills: a database comes back from a copy while the rest of the system has gone on, and nobody is told lies."""

import asyncio
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg
import httpx2
import pytest

from deploy.local import postgres
from deploy.local.ports import HOST, take_port
from deploy.local.processes import Process, until_it_answers
from shared.contracts.message import new_id
from shared.contracts.order import OrderSnapshot
from shared.contracts.order_events import OrderPlaced
from shared.messaging.database import transaction
from shared.messaging.incarnations import present_life, recognise
from shared.messaging.outbox import Outbox
from shared.messaging.wakeup import Bell
from shared.runtime.database import CANNOT_CONNECT, Pool, close_pool, open_pool
from shared.runtime.migrations import migrate
from tests.builders import a_customer, an_order, to_place
from tests.journeys.test_one_order_one_mail import send
from tests.plugins.kit import FOLDERS
from tests.plugins.operator import ops
from tests.plugins.restores import base_backup, copy_of, follow, recover, set_back, taken_up
from tests.plugins.system import System
from tests.plugins.waiting import eventually

pytestmark = pytest.mark.timeout(180)


PATIENCE = 60.0
"""Seconds, on a machine that does much else."""


def an_order_of_somebody() -> OrderSnapshot:
    return an_order(customer=a_customer(email=f"{uuid4().hex}@kund.example"))


async def confirm(system: System, order: OrderSnapshot, status: int = 202) -> None:
    async with system.http(**{"idempotency-key": new_id()}) as http:
        answer = await http.post(f"/v1/orders/{order.id}/confirmation", json={})
        assert answer.status_code == status, answer.text


async def noted(system: System, order: OrderSnapshot, kind: str, count: int = 1) -> list[dict[str, Any]]:
    return await system.noted(order, kind, count, within=PATIENCE)


async def place(system: System, *orders: OrderSnapshot) -> list[int]:
    answers = [await system.place(order) for order in orders]
    return [answer.json()["number"] for answer in answers]


async def mails(system: System, order: OrderSnapshot) -> int:
    return len(await system.mailbox.messages(to=order.customer.email))


async def mailed(system: System, order: OrderSnapshot, count: int) -> None:
    await eventually(lambda: _has(system, order, count), timeout=PATIENCE, waiting_for=f"{count} mails of {order.id}")


async def _has(system: System, order: OrderSnapshot, count: int) -> bool:
    return await mails(system, order) == count


async def not_ready(system: System, name: str) -> str:
    """What the relay of a process says while it is not ready."""
    async with httpx2.AsyncClient() as http:
        try:
            answer = await http.get(f"http://{HOST}:{system.ports[name]}/readyz")
        except httpx2.TransportError:
            return ""
    said = str(answer.json()["checks"].get("relay", ""))
    return said if "ops restored" in said else ""


async def ready(system: System, process: Process) -> None:
    await until_it_answers(process, f"http://{HOST}:{system.ports[process.name]}/readyz", PATIENCE)


async def quarantined(url: str) -> list[Any]:
    connection = await asyncpg.connect(url)
    try:
        return list(await connection.fetch("select topic, reason from quarantine"))
    finally:
        await connection.close()


async def live_on_and_come_back(
    system: System, postgres_url: str, kept: OrderSnapshot, lost: OrderSnapshot, by_topic: OrderSnapshot
) -> int:
    """Orders is copied, goes on, and is set back to the copy; returns the number that the lost order had."""
    url = system.databases["orders"]
    await place(system, kept)
    await noted(system, kept, "message.sent.v1")
    await system.processes["orders"].stop()
    copy = await copy_of(postgres_url, url)
    await system.start("orders")
    (number,) = await place(system, lost)
    await send(system, to_place(by_topic))
    await confirm(system, kept)
    await noted(system, lost, "message.sent.v1")
    await noted(system, kept, "message.sent.v1", 2)
    await noted(system, by_topic, "message.sent.v1")
    await system.processes["orders"].stop()
    await set_back(postgres_url, url, copy)
    return number


async def test_orders_is_set_back_under_a_live_log(own_system: System, postgres_url: str) -> None:
    """Orders are lost that the log knows; what is said from then on is taken in by everybody."""
    system, kept, lost, by_topic, new = own_system, *(an_order_of_somebody() for _ in range(4))
    was_given = await live_on_and_come_back(system, postgres_url, kept, lost, by_topic)
    process = system.launch("orders")
    assert "the database was set back" in await eventually(lambda: not_ready(system, "orders"), timeout=PATIENCE)
    await confirm(system, kept, status=503)

    where = ("-d", f"orders={system.databases['orders']}")
    assert (await ops("restored", "--yes", *where)).code == 0
    await ready(system, process)
    assert was_given not in await place(system, new)
    await confirm(system, kept)
    await mailed(system, kept, 3)
    await mailed(system, new, 1)
    await mailed(system, by_topic, 2)  # its command was on the topic still, so it was placed again

    back = await noted(system, lost, "order.noted.v1")
    assert [entry["from_before_restore"] for entry in back] == [True]
    assert len(await noted(system, lost, "message.sent.v1")) == await mails(system, lost) == 1
    document = (await ops("orders", "lost", *where, "--json")).document
    assert [row["order_id"] for row in document] == [str(lost.id)]
    forks = await noted(system, kept, "stream.forked.v1", 2)
    assert {(fork["source"], fork["data"]["stream_topic"]) for fork in forks} == {
        ("/notifications", "orders.events"),
        ("/orders", "orders.log"),
    }
    assert await quarantined(system.databases["notifications"]) == []


async def test_notifications_is_set_back_and_no_mail_goes_out_twice(own_system: System, postgres_url: str) -> None:
    """Whether a mail of the lost time went out nobody can say, so a person is asked; what they say is done."""
    system, kept, sent, never_sent = own_system, *(an_order_of_somebody() for _ in range(3))
    url = system.databases["notifications"]
    await place(system, kept)
    await noted(system, kept, "message.sent.v1")
    await system.processes["notifications"].stop()
    copy = await copy_of(postgres_url, url)

    await system.start("notifications")
    await place(system, sent)
    await confirm(system, kept)
    await noted(system, sent, "message.sent.v1")
    await noted(system, kept, "message.sent.v1", 2)
    await system.processes["notifications"].stop()
    await place(system, never_sent)
    await set_back(postgres_url, url, copy)

    process = system.launch("notifications")
    await eventually(lambda: not_ready(system, "notifications"), timeout=PATIENCE)
    assert [await mails(system, order) for order in (kept, sent, never_sent)] == [2, 1, 0], "nobody works on it"
    answer = await ops("restored", "--yes", "-d", f"notifications={url}")
    assert answer.code == 0, answer.err
    await ready(system, process)
    for order in (kept, sent, never_sent):
        (unknown,) = await noted(system, order, "effect.unknown.v1")
        assert "older than the restore" in unknown["data"]["detail"]
    assert [await mails(system, order) for order in (kept, sent, never_sent)] == [2, 1, 0]

    key = unknown["data"]["key"]
    settled = await ops(
        "unknown",
        "settle",
        f"notifications/{key}",
        "--did-not-happen",
        "--reason",
        "the mail server's log has no such Message-ID",
        "--yes",
        "-d",
        f"notifications={url}",
    )
    assert settled.code == 0, settled.err + settled.out
    await noted(system, never_sent, "message.sent.v1")
    assert [await mails(system, order) for order in (kept, sent, never_sent)] == [2, 1, 1]


async def say(pool: Pool, order: OrderSnapshot) -> str:
    """Appends an event about the order as a service does; returns its number."""
    async with transaction(pool) as connection:
        said = [(to_place(order).meta, [OrderPlaced(order=order)])]
        event, _ = await Outbox("/orders", Bell()).append(connection, said)
    return str(event.meta.sequence)


@pytest.mark.parametrize("way", ["recovered", "promoted"])
async def test_a_server_taken_up_from_a_base_backup_begins_a_life_by_itself(tmp_path: Path, way: str) -> None:
    order, port = an_order(), take_port()
    first = await postgres.start(tmp_path / "first", port, tmp_path / "first.log")
    pool = await open_pool(first.url(), name="test", on_connect=recognise)
    try:
        async with pool.acquire() as connection:
            await migrate(connection, FOLDERS)
        await pool.expire_connections()
        before = await say(pool, order)
        copy = await base_backup(first, tmp_path / "copy")
        assert await say(pool, order) == before[:-1] + "2"
        await first.stop()
        (recover if way == "recovered" else follow)(copy)
        second = await taken_up(tmp_path / "copy", port, tmp_path / "second.log")
        try:
            if way == "promoted":
                await promoted(pool, second.url())
            after = await eventually(lambda: _said(pool, order), waiting_for="a primary")
            async with pool.acquire() as connection:
                life = await present_life(connection)
        finally:
            await second.stop()
    finally:
        await close_pool(pool)
        await asyncio.gather(first.stop(), *(postgres.forget(tmp_path / name) for name in ("first", "copy")))
    assert life is not None
    assert (life.previous, life.restored, life.kept) == (int(before[:10]), True, life.now)
    assert after == f"{life.incarnation}.000000000002"
    assert after > before


async def _said(pool: Pool, order: OrderSnapshot) -> str | None:
    """Nothing while the server is no primary yet."""
    try:
        return await say(pool, order)
    except CANNOT_CONNECT:
        return None


async def promoted(pool: Pool, url: str) -> None:
    """A standby serves nobody; made a primary, it is another than it followed."""
    with pytest.raises(CANNOT_CONNECT):
        await pool.fetchval("select 1")
    connection = await asyncpg.connect(url)
    try:
        assert await connection.fetchval("select pg_promote()")
    finally:
        await connection.close()

"""A personal identity number goes through real processes and is found nowhere: no database, no topic, no log."""

import json
from typing import Any

import asyncpg
import httpx2
import pytest

from deploy.local.ports import HOST
from shared.contracts.message import new_id, write_record
from shared.contracts.topics import ORDERS_COMMANDS, ORDERS_EVENTS, ORDERS_LOG
from shared.messaging.database import transaction
from shared.runtime.database import close_pool, open_pool
from shared.runtime.tokens import make_token
from tests.builders import an_order, to_place
from tests.plugins.kit import Kit
from tests.plugins.searched import tables_with
from tests.plugins.system import System
from tests.plugins.waiting import eventually

pytestmark = pytest.mark.timeout(300)

NUMBER, BY_TOPIC = "19850709-9805", "131052-308T"
WRITTEN = ("850709-", "8507099805", "131052-")
SCOPES = ("orders:read", "orders:write", "orders:reveal", "shop:audit")


async def owner_of(system: System) -> httpx2.AsyncClient:
    """A client that may do everything with numbers."""
    pool = await open_pool(system.databases["orders"], name="test", connections=1)
    async with transaction(pool) as connection:
        token = await make_token(connection, "nordic-tea", "test", SCOPES)
    await close_pool(pool)
    headers = {"authorization": f"Bearer {token}", "content-type": "application/json"}
    return httpx2.AsyncClient(base_url=f"http://{HOST}:{system.ports['orders']}", headers=headers, timeout=30)


def by_topic() -> tuple[str, bytes]:
    """An order's id, and the command that places it with a number."""
    command = to_place(an_order())
    record: dict[str, Any] = json.loads(write_record(command, command.meta))
    record["data"]["customer"]["henkilötunnus"] = BY_TOPIC
    return str(command.order_id), json.dumps(record).encode()


@pytest.mark.requirement("R011")
async def test_a_number_is_kept_and_shown_and_stands_nowhere(own_system: System) -> None:
    system, order = own_system, an_order()
    kit = Kit("", None, system.kafka, system.prefix)  # type: ignore[arg-type]
    body = to_place(order).model_dump(mode="json") | {"personal_identity_number": "850709-9805"}
    async with await owner_of(system) as http:
        headers = {"idempotency-key": new_id()}
        for _ in range(2):
            assert (await http.post("/v1/orders", content=json.dumps(body), headers=headers)).status_code == 201
        wrong = body | {"order_id": new_id(), "personal_identity_number": "850709-9806"}
        await http.post("/v1/orders", content=json.dumps(wrong), headers={"idempotency-key": new_id()})
        path = f"/v1/orders/{order.id}/personal-number"
        for number in ("131052-308T", "8507099805"):
            await http.put(path, json={"personal_identity_number": number})
        revealed = await http.post(f"{path}/reveal", json={"reason": "850709-9805 asks"})
        assert revealed.json() == {"personal_identity_number": NUMBER}
        assert (await http.get(f"/v1/orders/{order.id}")).json()["personal_identity_number"] == "850709-****"
        await http.get("/v1/orders", params={"q": "850709-9805"})
        await http.get("/v1/orders/850709-9805")
        process = f"/v1/orders/{order.id}/process"
        assert (await http.post(process, json={}, headers={"idempotency-key": new_id()})).status_code == 200
    await system.noted(order, "message.sent.v1")
    order_id, record = by_topic()
    await kit.publish(ORDERS_COMMANDS, (order_id.encode(), record))
    assert await reason_on_the_log(system, kit, order_id) == "personal-number-by-topic"
    for service in ("orders", "notifications"):
        assert await tables_with(system.databases[service], *WRITTEN) == set()
        assert await tables_with(system.databases[service], str(order.id)) != set()
    for topic in (ORDERS_EVENTS, ORDERS_LOG):
        records = b"".join(record.value for record in await kit.records(topic))
        assert str(order.id).encode() in records
        assert not [text for text in WRITTEN if text.encode() in records]
    for name in ("orders", "notifications"):
        assert not [text for text in WRITTEN if text in system.log(name).read_text()]


async def reason_on_the_log(system: System, kit: Kit, order_id: str) -> str:
    """Why the command about this order was refused, as orders.log has it."""
    connection = await asyncpg.connect(system.databases["orders"])

    async def published() -> bool:
        waiting = "select count(*) from outbox"
        there = "select count(*) from stream where subject = $1"
        return bool(await connection.fetchval(there, order_id)) and not await connection.fetchval(waiting)

    await eventually(published, waiting_for="the refusal to be on the topic")
    await connection.close()
    documents = [json.loads(record.value) for record in await kit.records(ORDERS_LOG)]
    (refusal,) = [each["data"] for each in documents if each["subject"] == order_id]
    return str(refusal["reason"])

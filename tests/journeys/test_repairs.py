"""An operator puts something right in a running system, and people see it on the order."""

from uuid import uuid4

import asyncpg
import httpx2
import pytest

from deploy.local.ports import HOST
from shared.contracts.message import new_id
from shared.runtime.tokens import make_token
from tests.builders import an_order
from tests.integration.test_kit_trouble import PARKED
from tests.plugins.operator import ops
from tests.plugins.system import System

UNKNOWN = """
insert into effect (key, "group", subject, shop, kind, state, attempts, token, started_at, deadline, position, result)
values ($1, 'notifications', $2, 'nordic-tea', 'mail', 'unknown', 1, gen_random_uuid(), now(), now(), 0,
  '{"detail": "the answer was lost"}')
"""


@pytest.mark.timeout(300)
@pytest.mark.requirement("R202", "R205")
async def test_what_an_operator_settles_is_seen_on_the_order(own_system: System) -> None:
    system, order = own_system, an_order(id=uuid4())
    assert (await system.place(order)).status_code == 201
    await system.noted(order, "message.sent.v1")
    where = [word for name in system.processes for word in ("-d", f"{name}={system.databases[name]}")]
    connection = await asyncpg.connect(system.databases["notifications"])
    await connection.execute(UNKNOWN, "mail:typed", str(order.id))
    await connection.execute(UNKNOWN, "mail:by-http", str(order.id))
    await connection.execute(PARKED, str(order.id))
    token = await make_token(connection, "*", "maria", ["operator"])
    await connection.close()

    status = await ops("status", *where)
    assert "→ ops unknown settle notifications/mail:typed --happened" in status.out
    typed = await ops(
        "unknown", "settle", "mail:typed", "--happened", "--reason", "in the log", "--actor", "eva", *where
    )
    assert typed.code == 0, typed.err
    released = await ops("parked", "release", f"notifications/orders.events:{order.id}", *where)
    assert released.code == 0, released.err

    headers = {"authorization": f"Bearer {token}", "idempotency-key": new_id()}
    address = f"http://{HOST}:{system.ports['notifications']}/v1/operators/unknown"
    async with httpx2.AsyncClient(headers=headers, timeout=30) as http:
        assert [each["id"] for each in (await http.get(address)).json()["items"]] == ["mail:by-http"]
        body = {"happened": False, "again": False, "reason": "the customer got none"}
        settled = await http.post(f"{address}/mail%3Aby-http/settle", json=body)
        assert settled.status_code == 200, settled.text
        shop_token = {"authorization": f"Bearer {system.token}"}
        assert (await http.get(address, headers=shop_token)).status_code == 401, "each service has its own tokens"

    entries = await system.noted(order, "effect.settled.v1", count=2)
    assert [(each["actor"].split("/")[0], each["data"]["happened"]) for each in entries] == [
        ("eva", True),
        ("token", False),
    ]

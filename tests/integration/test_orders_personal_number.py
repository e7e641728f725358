"""The customer's personal identity number: shown masked, seen whole by few and never unseen, and stored nowhere."""

import hashlib
import json
from dataclasses import replace
from typing import Any
from uuid import uuid4

import asyncpg
import httpx2
import pytest
from fastapi import FastAPI

from services.orders.handlers import commands
from services.orders.keyring import Keyring
from services.orders.personal_numbers import PersonalNumbers
from services.orders.repository import Orders
from shared.contracts.message import new_id, write_record
from shared.contracts.topics import ORDERS_COMMANDS
from shared.messaging.ingest_store import IngestStore
from shared.messaging.inside import InsideWorker
from shared.messaging.intake import Arrived
from shared.messaging.wakeup import Bell
from tests.builders import a_shop, an_order, to_place
from tests.plugins.kit import running
from tests.plugins.orders import KEYS, CallAs, Caller, OrdersAlone
from tests.plugins.searched import tables_with
from tests.plugins.waiting import eventually

NUMBER, OTHER, FINNISH = "19850709-9805", "19121212-1212", "131052-308T"
WRITTEN = ("850709-", "8507099805", "121212-1212", "121212+1212", "1212121212", "131052-")
"""What must be found nowhere."""
ALL = ("orders:read", "orders:write", "orders:reveal", "shop:write", "shop:audit")
OLDER = {"2026-05": "b2xkZXItbG9jYWwtc3RhY2stb25seS1uZXZlci11c2U="}
BYTES = """
insert into quarantine (topic, partition, "offset", value, headers, reason) values ('t', 0, 0, 'kept as bytes', '', '')
"""


def document(number: str | None = NUMBER, **changes: Any) -> dict[str, Any]:
    """An order as a shop front places it."""
    sent: dict[str, Any] = to_place(an_order()).model_dump(mode="json")
    return sent | ({} if number is None else {"personal_identity_number": number}) | changes


def problem(answer: httpx2.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["type"].removeprefix("/problems/")


@pytest.fixture
async def owner(call_as: CallAs) -> Caller:
    """Somebody who may do everything in the shop."""
    return await call_as("nordic-tea", *ALL)


async def put(caller: Caller, order_id: object, number: object) -> httpx2.Response:
    path, body = f"/v1/orders/{order_id}/personal-number", {"personal_identity_number": number}
    return await caller.client.put(path, json=body)


async def reveal(caller: Caller, order_id: object, reason: str = "The bank asks.") -> httpx2.Response:
    return await caller.client.post(f"/v1/orders/{order_id}/personal-number/reveal", json={"reason": reason})


async def shown(caller: Caller, order_id: object) -> str | None:
    number: str | None = (await caller.get(str(order_id))).json().get("personal_identity_number")
    return number


@pytest.mark.requirement("R011")
async def test_the_order_shows_the_date_of_its_customers_number_and_the_list_nothing(owner: Caller) -> None:
    sent, without = document(), document(None)
    answer = await owner.place(sent)
    await owner.place(without)
    assert answer.status_code == 201, answer.text
    assert "personal" not in answer.text
    assert await shown(owner, sent["order_id"]) == "850709-****"
    assert "personal_identity_number" not in (await owner.get(without["order_id"])).json()
    listed = await owner.client.get("/v1/orders")
    assert len(listed.json()["orders"]) == 2
    assert "personal" not in listed.text
    assert "850709" not in listed.text


async def test_a_number_is_set_replaced_and_forgotten(owner: Caller) -> None:
    sent = document(None)
    await owner.place(sent)
    order_id, before = sent["order_id"], (await owner.get(sent["order_id"])).headers["etag"]
    answer = await put(owner, order_id, "131052-308t")
    assert (answer.status_code, answer.json()) == (200, {"personal_identity_number": "131052-****"})
    await put(owner, order_id, "8507099805")
    assert await shown(owner, order_id) == "850709-****"
    assert (await reveal(owner, order_id)).json() == {"personal_identity_number": NUMBER}
    path = f"/v1/orders/{order_id}/personal-number"
    assert [(await owner.client.delete(path)).status_code for _ in range(2)] == [204, 204]
    assert await shown(owner, order_id) is None
    assert problem(await reveal(owner, order_id)) == (409, "no-personal-number")
    assert (await owner.get(order_id)).headers["etag"] == before


async def test_an_order_placed_before_keeps_its_number(owner: Caller) -> None:
    sent = document()
    await owner.place(sent)
    assert (await owner.place(sent | {"personal_identity_number": FINNISH})).status_code == 200
    assert await shown(owner, sent["order_id"]) == "850709-****"


@pytest.mark.parametrize("number", ["850709-9806", "131052-308U", "1", "x" * 31, "850709-9805\x00", 8507099805, ["x"]])
async def test_what_is_no_number_is_refused_and_not_repeated(owner: Caller, number: Any) -> None:
    sent = document(None)
    await owner.place(sent)
    for answer in (await owner.place(document(number)), await put(owner, sent["order_id"], number)):
        assert problem(answer) == (422, "invalid-request")
        (fault,) = answer.json()["errors"]
        assert fault["pointer"] == "#/personal_identity_number"
        assert str(number) not in answer.text.replace("#/personal_identity_number", "") or number == "1"
    assert await shown(owner, sent["order_id"]) is None


@pytest.mark.requirement("R083")
async def test_another_shops_numbers_are_not_there(owner: Caller, call_as: CallAs, orders_alone: OrdersAlone) -> None:
    await orders_alone.save(a_shop(shop="other-shop"))
    sent, other = document(), await call_as("other-shop", *ALL)
    await owner.place(sent)
    await reveal(owner, sent["order_id"])
    for order_id in (sent["order_id"], uuid4()):
        assert problem(await put(other, order_id, FINNISH)) == (404, "unknown-order")
        assert problem(await reveal(other, order_id)) == (404, "unknown-order")
        answer = await other.client.delete(f"/v1/orders/{order_id}/personal-number")
        assert problem(answer) == (404, "unknown-order")
    assert (await other.client.get("/v1/shop/reveals")).json() == {"reveals": [], "next": None}
    assert await shown(owner, sent["order_id"]) == "850709-****"


@pytest.mark.requirement("R011")
async def test_whoever_sees_a_number_is_written_down_with_their_reason(owner: Caller) -> None:
    sent = document()
    await owner.place(sent)
    answer = await reveal(owner, sent["order_id"], "Fakturan måste ha det.")
    assert (answer.json(), answer.headers["cache-control"]) == ({"personal_identity_number": NUMBER}, "no-store")
    await reveal(owner, sent["order_id"], "The customer is 8507099805, asa@example.org.")
    (second, first) = (await owner.client.get("/v1/shop/reveals")).json()["reveals"]
    assert (first["order_id"], first["reason"]) == (sent["order_id"], "Fakturan måste ha det.")
    assert first["actor"].startswith("token/")
    assert second["reason"] == "The customer is ***, a***@example.org."
    assert second["at"] > first["at"]


@pytest.mark.parametrize("body", [{}, {"reason": ""}, {"reason": "  "}, {"reason": "a\nb"}, {"reason": "x" * 201}])
async def test_without_a_reason_nobody_sees_a_number(owner: Caller, body: dict[str, Any]) -> None:
    sent = document()
    await owner.place(sent)
    answer = await owner.client.post(f"/v1/orders/{sent['order_id']}/personal-number/reveal", json=body)
    assert problem(answer) == (422, "invalid-request")
    assert (await owner.client.get("/v1/shop/reveals")).json()["reveals"] == []


async def test_who_has_seen_numbers_is_read_page_by_page(owner: Caller) -> None:
    sent = document()
    await owner.place(sent)
    for n in range(5):
        await reveal(owner, sent["order_id"], f"reason {n}")
    seen, before = [], None
    while True:
        wanted = {"limit": 2} | ({"before": before} if before else {})
        page = (await owner.client.get("/v1/shop/reveals", params=wanted)).json()
        seen += [each["reason"] for each in page["reveals"]]
        before = page["next"]
        if before is None:
            break
    assert seen == [f"reason {n}" for n in reversed(range(5))]


async def test_what_was_written_down_cannot_be_changed(owner: Caller, orders_alone: OrdersAlone) -> None:
    sent = document()
    await owner.place(sent)
    await reveal(owner, sent["order_id"])
    for statement in ("delete from reveal", "update reveal set reason = 'x'", "truncate reveal"):
        with pytest.raises(asyncpg.RestrictViolationError, match="never changed or removed"):
            await orders_alone.pool.execute(statement)
    assert await orders_alone.pool.fetchval("select count(*) from reveal") == 1


async def test_where_it_cannot_be_written_down_the_number_is_not_told(owner: Caller, orders_alone: OrdersAlone) -> None:
    sent = document()
    await owner.place(sent)
    await orders_alone.pool.execute("alter table reveal add constraint full_up check (reason = 'never')")
    answer = await reveal(owner, sent["order_id"])
    assert problem(answer) == (500, "unforeseen")


async def test_the_same_request_is_answered_again_and_another_number_is_another_request(
    owner: Caller, orders_alone: OrdersAlone
) -> None:
    sent = document()
    first = await owner.place(sent, key="one")
    assert (await owner.place(sent, key="one")).content == first.content
    for number in (OTHER, None):
        other = {name: value for name, value in sent.items() if name != "personal_identity_number"}
        other |= {} if number is None else {"personal_identity_number": number}
        assert problem(await owner.place(other, key="one")) == (422, "idempotency-key-reused")
    assert await shown(owner, sent["order_id"]) == "850709-****"
    assert await orders_alone.pool.fetchval("select count(*) from idempotency") == 1


async def test_a_repeated_request_is_known_after_the_keys_were_rotated(owner: Caller, orders_app: FastAPI) -> None:
    sent = document()
    first = await owner.place(sent, key="one")
    orders_app.state.personal_numbers = PersonalNumbers(Keyring({"2027-05": OLDER["2026-05"]} | KEYS))
    assert (await owner.place(sent, key="one")).content == first.content
    assert problem(await owner.place(sent | {"personal_identity_number": OTHER}, key="one")) == (
        422,
        "idempotency-key-reused",
    )


async def test_nobody_finds_a_number_by_hashing_requests(owner: Caller, orders_alone: OrdersAlone) -> None:
    sent = json.dumps(document()).encode()
    await owner.place(sent, key="one")
    kept = await orders_alone.pool.fetchval("select request_hash from idempotency")
    for head in (b"POST /v1/orders?\n", b""):
        assert kept != hashlib.sha256(head + sent).digest()


async def test_without_keys_numbers_are_refused_and_all_else_works(
    call_as: CallAs, orders_app: FastAPI, orders_alone: OrdersAlone
) -> None:
    owner, sent, without = await call_as("nordic-tea", *ALL), document(), document(None)
    await owner.place(sent)
    orders_app.state.personal_numbers = PersonalNumbers(None)
    assert problem(await owner.place(document())) == (422, "personal-numbers-not-kept")
    assert (await owner.place(without)).status_code == 201
    assert problem(await put(owner, without["order_id"], NUMBER)) == (422, "personal-numbers-not-kept")
    assert await shown(owner, sent["order_id"]) == "******-****"
    assert problem(await reveal(owner, sent["order_id"])) == (503, "sealing-key-missing")
    assert await orders_alone.pool.fetchval("select count(*) from reveal") == 0


async def test_what_is_sealed_for_one_order_opens_for_no_other(owner: Caller, orders_alone: OrdersAlone) -> None:
    one, other = document(), document(OTHER)
    for sent in (one, other):
        await owner.place(sent)
    await orders_alone.pool.execute("update personal_number set sealed = (select sealed from personal_number limit 1)")
    answers = [await reveal(owner, sent["order_id"]) for sent in (one, other)]
    assert sorted(answer.status_code for answer in answers) == [200, 503]
    numbers = [answer.json().get("personal_identity_number") for answer in answers]
    assert numbers in ([NUMBER, None], [None, OTHER])


def by_topic(offset: int, name: str, place: str = "data") -> Arrived:
    """A record of orders.commands that has a number under this name."""
    command = to_place(an_order())
    whole: dict[str, Any] = json.loads(write_record(command, command.meta))
    inside = whole
    for part in filter(None, place.split(".")):
        inside = inside[part]
    inside[name] = "850709-9805"
    return Arrived("orders.commands", 0, offset, str(command.order_id).encode(), json.dumps(whole).encode(), [])


@pytest.mark.requirement("R011")
async def test_a_command_on_the_topic_with_a_number_is_refused_and_the_number_kept_nowhere(
    orders_alone: OrdersAlone, orders_url: str
) -> None:
    store = IngestStore(orders_alone.pool, ORDERS_COMMANDS, [commands])
    names = ("personal_identity_number", "personnummer", "SSN", "henkilötunnus", "personalNumber")
    records = [by_topic(n, name, "data.customer" if n % 2 else "data") for n, name in enumerate(names)]
    records.append(by_topic(10, "ssn", ""))
    unknown, broken = by_topic(11, "hetu"), by_topic(12, "personnummer")
    records.append(replace(unknown, value=bytes(unknown.value or b"").replace(b".place.", b".praise.")))
    records.append(replace(broken, value=bytes(broken.value or b"")[:-1]))
    await store.take(records)
    assert await tables_with(orders_url, *WRITTEN) == set()
    assert await orders_alone.pool.fetchval("select count(*) from quarantine") == 1
    workspaces: dict[type, Any] = {Orders: orders_alone.orders}
    worker = InsideWorker(orders_alone.pool, orders_url, commands, orders_alone.outbox, Bell(), workspaces)
    async with running(worker):
        await eventually(lambda: rejected(orders_alone, len(names) + 2))
    reasons = await orders_alone.pool.fetch("select payload::jsonb->'data'->>'reason' as reason from outbox")
    assert {row["reason"] for row in reasons if row["reason"]} == {"personal-number-by-topic"}
    assert await orders_alone.pool.fetchval("select count(*) from orders") == 0
    assert await tables_with(orders_url, *WRITTEN) == set()


async def rejected(orders: OrdersAlone, count: int) -> bool:
    found = await orders.pool.fetchval("select count(*) from outbox where type = 'command.rejected.v1'")
    return bool(found == count)


@pytest.mark.requirement("R011")
async def test_after_all_calls_the_number_stands_nowhere_in_the_database(
    owner: Caller, orders_alone: OrdersAlone, orders_url: str
) -> None:
    sent = document("850709-9805")
    order_id = sent["order_id"]
    key = new_id()
    for _ in range(2):
        await owner.place(sent, key=key)
    await owner.place(sent | {"personal_identity_number": OTHER}, key=key)
    await owner.place(document("850709-9806"))
    await put(owner, order_id, "121212+1212")
    await put(owner, order_id, FINNISH)
    await reveal(owner, order_id, f"{FINNISH} 8507099805 198507099805")
    await owner.handle(order_id, "process")
    await owner.get(order_id)
    await orders_alone.pool.execute(BYTES)
    assert await tables_with(orders_url, *WRITTEN) == set()
    assert {"orders", "timeline", "reveal"} <= await tables_with(orders_url, order_id)
    assert await tables_with(orders_url, "as bytes") == {"quarantine"}
    await owner.client.delete(f"/v1/orders/{order_id}/personal-number")
    assert await orders_alone.pool.fetchval("select count(*) from personal_number") == 0

"""Webhooks are taken from whom they come, once, and whatever else is sent changes nothing."""

import json
from uuid import uuid4

import pytest
from structlog.testing import capture_logs

from services.integrations.known_there import KnownThere
from tests.plugins.integrations import SECRET, Door, told


async def known(door: Door) -> str:
    order_id = uuid4()
    await KnownThere(door.pool).remember("nordic-tea", "payment", "pay_1", order_id)
    return str(order_id)


async def test_what_a_provider_did_by_itself_goes_to_its_orders_lane_once(door: Door) -> None:
    order_id = await known(door)
    answers = [await door.tell(told()) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [204] * 3
    assert await door.inbox() == [f"payment.provider-said.v1 {order_id}"]
    await door.tell(told(), webhook_id="evt_2")
    assert len(await door.inbox()) == 2, "another webhook is another fact"


async def test_what_is_not_signed_with_the_connections_secret_is_refused(door: Door) -> None:
    await known(door)
    answer = await door.tell(told(), secret="whsec_b3RoZXI=")
    assert (answer.status_code, answer.json()["type"]) == (401, "/problems/not-genuine")
    changed = await door.tell(told(), **{"webhook-timestamp": "1"})
    assert changed.status_code == 401
    assert await door.inbox() == []


async def test_what_is_about_no_known_shipment_is_taken_and_forgotten(door: Door) -> None:
    data = {"shipment": "shp_1", "reference": "x", "event": {"code": "handed-over", "time": "2026-11-24T18:30:00Z"}}
    body = json.dumps({"id": "evt_1", "type": "shipment.tracked", "data": data}).encode()
    assert (await door.tell_of("shipping", body)).status_code == 204
    assert await door.inbox() == []


async def test_a_shipment_whose_booking_is_not_answered_yet_is_known_by_what_we_call_it(door: Door) -> None:
    order_id = uuid4()
    await KnownThere(door.pool).remember("nordic-tea", "shipping", "book-shipment:e1", order_id)
    data = {
        "shipment": "shp_1",
        "reference": "book-shipment:e1",
        "tracking_number": "SP1SE",
        "event": {"code": "handed-over", "time": "2026-11-24T18:30:00+00:00"},
    }
    body = json.dumps({"id": "evt_1", "type": "shipment.tracked", "data": data}).encode()
    assert (await door.tell_of("shipping", body)).status_code == 204
    assert await door.inbox() == [f"shipping.carrier-told.v1 {order_id}"]


@pytest.mark.requirement("R117")
async def test_what_did_not_happen_is_kept_and_changes_nothing(door: Door) -> None:
    await known(door)
    assert (await door.tell(told(status="failed", kind="refund"))).status_code == 204
    (said,) = await door.messages()
    assert (said["acts"], said["said"]["failed"], said["said"]["event"]) == (False, True, "refund.failed")


EFFECT = """
insert into effect (key, "group", subject, shop, kind, state, attempts, token, started_at, deadline, position)
values ('capture:e1', 'integrations.payment', $1, $2, 'capture', 'started', 1, gen_random_uuid(), now(), now(), 0)
"""


@pytest.mark.requirement("R117")
async def test_what_a_call_of_ours_did_settles_the_call_and_is_kept(door: Door) -> None:
    order_id = await known(door)
    await door.pool.execute(EFFECT, order_id, "nordic-tea")
    assert (await door.tell(told(key="capture:e1"))).status_code == 204
    assert await door.pool.fetchval("select state from effect") == "done"
    (said,) = await door.messages()
    assert (said["order_id"], said["acts"], said["said"]["message_id"]) == (order_id, False, "evt_1")


async def test_a_shops_provider_settles_no_call_of_another_shop(door: Door) -> None:
    await door.pool.execute(EFFECT, str(uuid4()), "other-shop")
    assert (await door.tell(told(key="capture:e1"))).status_code == 204
    assert await door.pool.fetchval("select state from effect") == "started"
    assert await door.inbox() == []


@pytest.mark.parametrize("changed", [{"amount": -1}, {"amount": "5"}, {"id": ""}, {"payment": "a b"}, {"currency": 5}])
async def test_what_makes_no_sense_is_refused_or_kept_without_it(door: Door, changed: dict[str, object]) -> None:
    document = json.loads(told())
    document["data"]["transaction"] |= changed
    document["data"]["payment"] = ["not", "an", "object"]
    answer = await door.tell(json.dumps(document).encode())
    assert answer.status_code == (204 if "currency" in changed else 422)
    assert await door.pool.fetchval("select count(*) from unmatched_payment") == ("currency" in changed)


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"data": {}}', b'{"data": {"transaction": null}}', b"\xff"])
async def test_what_is_signed_and_not_understood_is_refused_and_takes_no_place(door: Door, body: bytes) -> None:
    await known(door)
    answer = await door.tell(body)
    assert (answer.status_code, answer.json()["type"]) == (422, "/problems/not-understood")
    assert (await door.tell(told())).status_code == 204
    assert len(await door.inbox()) == 1, "its id was not used up"


@pytest.mark.parametrize("path", ["payment/no-such-shop", "shipping/no-such-shop", "erp/nordic-tea"])
async def test_a_connection_that_is_not_there_takes_no_webhooks(door: Door, path: str) -> None:
    answer = await door.client.post(f"/v1/webhooks/{path}", content=b"{}")
    assert (answer.status_code, answer.json()["type"]) == (404, "/problems/unknown-connection")


async def test_a_provider_that_nobody_here_speaks_with_is_unknown_and_logged_once(door: Door) -> None:
    await door.connect("nordic-tea", "payment", "http://127.0.0.1:1", "x", provider="later-pay", webhook_secret=SECRET)
    with capture_logs() as logged:
        answers = [await door.tell(told()) for _ in range(3)]
    assert [(answer.status_code, answer.json()["type"]) for answer in answers] == [
        (404, "/problems/unknown-connection")
    ] * 3
    assert [line["shop"] for line in logged if line["event"] == "webhooks of a provider without an adapter"] == [
        "nordic-tea"
    ]
    assert await door.pool.fetchval("select count(*) from webhook") == 0, "told again once it is known, it is taken"


async def test_secrets_are_kept_sealed_and_told_to_nobody(door: Door) -> None:
    row = await door.pool.fetchrow("select secret from connection")
    assert row is not None
    assert b"sk_sandbox_x" not in row["secret"]
    told_to_all = await door.pool.fetchval("select payload from outbox where topic = 'shops.facts' limit 1")
    assert json.loads(told_to_all)["data"]["payment"] == {"provider": "sandbox", "capture": "by-hand"}
    assert "sk_sandbox_x" not in told_to_all

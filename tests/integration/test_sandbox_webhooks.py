"""A webhook is signed over its raw bytes, and comes until it was taken: doubled, late and overtaken where asked."""

from typing import Any

import httpx2

from tests.plugins.sandboxes import Sandbox, WebhookReceiver


async def told_at(sandbox: Sandbox, receiver: WebhookReceiver, **wanted: Any) -> str:
    answer = await sandbox.http.put("/v1/webhook-endpoint", json={"url": receiver.url, **wanted})
    return str(answer.raise_for_status().json()["secret"])


async def change(sandbox: Sandbox, payment: str, what: str, key: str, amount: int | None = None) -> dict[str, Any]:
    body = None if amount is None else {"amount": amount}
    url, headers = f"/v1/payments/{payment}/{what}", {"Idempotency-Key": key}
    return dict((await sandbox.http.post(url, json=body, headers=headers)).raise_for_status().json())


async def authorised(sandbox: Sandbox, reference: str = "Åsas order", **wanted: Any) -> str:
    body = {"amount": 1000, "currency": "SEK", "reference": reference, **wanted}
    return str((await sandbox.http.post("/v1/payments", json=body)).raise_for_status().json()["id"])


async def test_everything_that_was_done_is_told_with_the_whole_transaction(
    payment_sandbox: Sandbox, webhook_receiver: WebhookReceiver
) -> None:
    secret = await told_at(payment_sandbox, webhook_receiver)
    payment = await authorised(payment_sandbox, outcome="refund_failed")
    capture = await change(payment_sandbox, payment, "captures", "c1", 500)
    refund = await change(payment_sandbox, payment, "refunds", "r1", 200)
    await payment_sandbox.advance(refund["id"])
    await change(payment_sandbox, await authorised(payment_sandbox), "void", "v1")
    refunded = await authorised(payment_sandbox)
    await change(payment_sandbox, refunded, "captures", "c2", 500)
    await change(payment_sandbox, refunded, "refunds", "r2", 200)
    heard = await webhook_receiver.until_heard(8)
    assert sorted(webhook_receiver.types()) == sorted(
        ["payment.authorized"] * 3 + ["capture.succeeded"] * 2 + ["refund.failed", "refund.succeeded", "payment.voided"]
    )
    assert all(one.is_signed_with(secret) for one in heard)
    (told,) = [one.event["data"] for one in heard if one.event["data"]["transaction"]["id"] == capture["id"]]
    assert told["transaction"] == capture
    assert (told["payment"]["id"], told["payment"]["captured"]) == (payment, 500)
    await payment_sandbox.until_all_is_told()


async def test_a_signature_is_of_these_bytes_and_this_secret_alone(
    payment_sandbox: Sandbox, webhook_receiver: WebhookReceiver
) -> None:
    secret = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3"
    assert await told_at(payment_sandbox, webhook_receiver, secret=secret) == secret
    await authorised(payment_sandbox)
    (heard,) = await webhook_receiver.until_heard(1)
    assert heard.is_signed_with(secret)
    assert not heard.is_signed_with("whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY4")
    heard.headers["webhook-id"] = "evt_another"
    assert not heard.is_signed_with(secret)


async def test_a_webhook_comes_again_until_it_was_taken_and_is_untold_until_then(
    payment_sandbox: Sandbox, webhook_receiver: WebhookReceiver
) -> None:
    await told_at(payment_sandbox, webhook_receiver)
    webhook_receiver.answers = [500, 404, 302]
    await authorised(payment_sandbox)
    await webhook_receiver.until_heard(2)
    (untold,) = await payment_sandbox.untold()
    assert (untold["type"], untold["tries"] >= 1) == ("payment.authorized", True)
    heard = await webhook_receiver.until_heard(4)
    assert len({one.headers["webhook-id"] for one in heard}) == 1
    await payment_sandbox.until_all_is_told()
    assert len(webhook_receiver.heard) == 4


async def test_a_doubled_webhook_has_one_id(payment_sandbox: Sandbox, webhook_receiver: WebhookReceiver) -> None:
    await told_at(payment_sandbox, webhook_receiver)
    await payment_sandbox.misbehave(webhook_doubled=1.0)
    await authorised(payment_sandbox)
    first, second = await webhook_receiver.until_heard(2)
    assert first.headers["webhook-id"] == second.headers["webhook-id"] == first.event["id"]
    assert first.body == second.body


async def test_later_webhooks_overtake_earlier_ones(
    payment_sandbox: Sandbox, webhook_receiver: WebhookReceiver
) -> None:
    await told_at(payment_sandbox, webhook_receiver)
    await payment_sandbox.misbehave(webhook_seconds=1.0)
    for n in range(12):
        await authorised(payment_sandbox, f"o{n}")
    heard = await webhook_receiver.until_heard(12)
    references = [one.event["data"]["payment"]["reference"] for one in heard]
    assert references != sorted(references, key=lambda reference: int(reference[1:]))


async def test_webhooks_that_are_held_are_told_when_they_are_let_go(
    payment_sandbox: Sandbox, webhook_receiver: WebhookReceiver
) -> None:
    await told_at(payment_sandbox, webhook_receiver)
    await payment_sandbox.misbehave(webhooks_held=True)
    payment = await authorised(payment_sandbox)
    await change(payment_sandbox, payment, "captures", "c1", 500)
    assert [one["tries"] for one in await payment_sandbox.untold()] == [0, 0]
    assert webhook_receiver.heard == []
    await payment_sandbox.misbehave()
    await webhook_receiver.until_heard(2)
    assert sorted(webhook_receiver.types()) == ["capture.succeeded", "payment.authorized"]


async def test_a_killed_one_tells_what_it_had_not_told_and_nothing_else(
    payment_sandbox: Sandbox, webhook_receiver: WebhookReceiver
) -> None:
    await authorised(payment_sandbox, "before anybody asked to be told")
    secret = await told_at(payment_sandbox, webhook_receiver)
    await authorised(payment_sandbox, "told")
    await webhook_receiver.until_heard(1)
    await payment_sandbox.until_all_is_told()
    await payment_sandbox.misbehave(webhook_seconds=100_000.0)
    await authorised(payment_sandbox, "untold")
    await payment_sandbox.killed_and_started()
    _, second = await webhook_receiver.until_heard(2)
    assert second.event["data"]["payment"]["reference"] == "untold"
    assert second.is_signed_with(secret)
    await payment_sandbox.until_all_is_told()
    assert len(webhook_receiver.heard) == 2


async def test_an_endpoint_that_cannot_be_told_anything_is_refused(payment_sandbox: Sandbox) -> None:
    for wrong in ({"url": "ftp://x"}, {"url": "http://x", "secret": "whsec_!"}, {"url": "http://x", "secret": "YWJj"}):
        answer: httpx2.Response = await payment_sandbox.http.put("/v1/webhook-endpoint", json=wrong)
        assert answer.status_code == 422

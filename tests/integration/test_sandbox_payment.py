"""Sandbox Pay moves no more money than was authorised, once for each key that it remembers, and forgets nothing."""

import asyncio
from typing import Any

import httpx2
import pytest

from tests.plugins.sandboxes import Sandbox
from tests.plugins.waiting import eventually


async def authorised(sandbox: Sandbox, amount: int = 1000, **wanted: Any) -> str:
    body = {"amount": amount, "currency": "SEK", "reference": "o1", **wanted}
    answer = await sandbox.http.post("/v1/payments", json=body)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


async def change(sandbox: Sandbox, payment: str, what: str, key: str, amount: int | None = None) -> httpx2.Response:
    body = None if amount is None else {"amount": amount}
    return await sandbox.http.post(f"/v1/payments/{payment}/{what}", json=body, headers={"Idempotency-Key": key})


async def payment_of(sandbox: Sandbox, payment: str) -> dict[str, Any]:
    return dict((await sandbox.http.get(f"/v1/payments/{payment}")).raise_for_status().json())


def refusal(answer: httpx2.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["code"]


async def test_a_payment_is_captured_and_refunded_in_parts(payment_sandbox: Sandbox) -> None:
    payment = await authorised(payment_sandbox)
    first = await change(payment_sandbox, payment, "captures", "c1", 600)
    assert first.status_code == 201
    assert {name: first.json()[name] for name in ("kind", "status", "amount", "idempotency_key")} == {
        "kind": "capture",
        "status": "succeeded",
        "amount": 600,
        "idempotency_key": "c1",
    }
    assert (await payment_of(payment_sandbox, payment))["status"] == "partially_captured"
    await change(payment_sandbox, payment, "captures", "c2", 400)
    assert (await change(payment_sandbox, payment, "refunds", "r1", 250)).json()["kind"] == "refund"
    shown = await payment_of(payment_sandbox, payment)
    assert (shown["authorized"], shown["captured"], shown["refunded"]) == (1000, 1000, 250)
    assert shown["status"] == "partially_refunded"
    assert [one["kind"] for one in shown["transactions"]] == ["authorization", "capture", "capture", "refund"]
    assert [entry["did"] for entry in await payment_sandbox.ledger()] == [
        "authorized",
        "captured",
        "captured",
        "refunded",
    ]


async def test_no_more_is_captured_than_authorised_and_no_more_refunded_than_captured(payment_sandbox: Sandbox) -> None:
    payment = await authorised(payment_sandbox)
    assert refusal(await change(payment_sandbox, payment, "refunds", "r0", 1)) == (409, "nothing_to_refund")
    await change(payment_sandbox, payment, "captures", "c1", 600)
    over = await change(payment_sandbox, payment, "captures", "c2", 401)
    assert refusal(over) == (409, "capture_exceeds_authorized")
    assert over.json()["error"]["capturable"] == 400
    assert refusal(await change(payment_sandbox, payment, "refunds", "r1", 601)) == (409, "refund_exceeds_captured")


async def test_sums_hold_however_many_come_at_once(payment_sandbox: Sandbox) -> None:
    payment = await authorised(payment_sandbox)
    await payment_sandbox.connected(20)
    captures = await asyncio.gather(*(change(payment_sandbox, payment, "captures", f"c{n}", 300) for n in range(20)))
    assert sorted(answer.status_code for answer in captures) == [201] * 3 + [409] * 17
    await payment_sandbox.connected(20)
    refunds = await asyncio.gather(*(change(payment_sandbox, payment, "refunds", f"r{n}", 400) for n in range(20)))
    assert sorted(answer.status_code for answer in refunds) == [201] * 2 + [409] * 18
    shown = await payment_of(payment_sandbox, payment)
    assert (shown["captured"], shown["refunded"]) == (900, 800)


async def test_a_void_ends_a_payment_without_captures_alone(payment_sandbox: Sandbox) -> None:
    payment = await authorised(payment_sandbox)
    assert (await change(payment_sandbox, payment, "void", "v1")).json()["kind"] == "void"
    assert (await payment_of(payment_sandbox, payment))["status"] == "voided"
    assert refusal(await change(payment_sandbox, payment, "void", "v2")) == (409, "already_voided")
    assert refusal(await change(payment_sandbox, payment, "captures", "c1", 1)) == (409, "payment_voided")
    captured = await authorised(payment_sandbox)
    await change(payment_sandbox, captured, "captures", "c2", 1)
    assert refusal(await change(payment_sandbox, captured, "void", "v3")) == (409, "already_captured")


@pytest.mark.parametrize(
    ("wanted", "code"),
    [
        ({"outcome": "declined"}, "card_declined"),
        ({"outcome": "expired"}, "authorization_expired"),
        ({"outcome": "capture_declined"}, "insufficient_funds"),
        ({"capture_limit": 499}, "capture_limit_exceeded"),
    ],
)
async def test_an_issuer_says_no_as_the_payment_was_asked_to(
    payment_sandbox: Sandbox, wanted: dict[str, Any], code: str
) -> None:
    payment = await authorised(payment_sandbox, **wanted)
    assert refusal(await change(payment_sandbox, payment, "captures", "c1", 500)) == (402, code)
    assert [entry["did"] for entry in await payment_sandbox.ledger()] == ["authorized"]


async def test_a_pending_refund_settles_when_told_and_may_fail(payment_sandbox: Sandbox) -> None:
    for outcome, refunded in (("refund_pending", 400), ("refund_failed", 0)):
        payment = await authorised(payment_sandbox, outcome=outcome)
        await change(payment_sandbox, payment, "captures", f"c {outcome}", 500)
        refund = (await change(payment_sandbox, payment, "refunds", f"r {outcome}", 400)).json()
        assert refund["status"] == "pending"
        refused = await change(payment_sandbox, payment, "refunds", f"r2 {outcome}", 101)
        assert refusal(refused) == (409, "refund_exceeds_captured")
        assert (await payment_sandbox.advance(refund["id"])).is_success
        assert (await payment_sandbox.advance(refund["id"])).status_code == 409
        assert (await payment_of(payment_sandbox, payment))["refunded"] == refunded


async def test_a_pending_capture_settles_by_itself_after_a_while_also_after_a_crash(payment_sandbox: Sandbox) -> None:
    payment = await authorised(payment_sandbox, outcome="capture_pending")
    assert (await change(payment_sandbox, payment, "captures", "c1", 700)).json()["status"] == "pending"
    await payment_sandbox.killed_and_started()
    assert (await payment_of(payment_sandbox, payment))["captured"] == 0
    await payment_sandbox.misbehave(by_itself=0.0)

    async def captured() -> bool:
        return int((await payment_of(payment_sandbox, payment))["captured"]) == 700

    await eventually(captured)


async def test_a_key_gets_its_first_answer_again_and_no_other_request(payment_sandbox: Sandbox) -> None:
    payment = await authorised(payment_sandbox)
    first, again = [await change(payment_sandbox, payment, "captures", "c1", 300) for _ in range(2)]
    assert (again.status_code, again.json()) == (201, first.json())
    other = await change(payment_sandbox, payment, "captures", "c1", 301)
    assert refusal(other) == (422, "idempotency_key_reused")
    assert refusal(await change(payment_sandbox, payment, "refunds", "c1", 300)) == (422, "idempotency_key_reused")
    assert [call["did"] for call in await payment_sandbox.calls(key="c1")] == [
        "executed",
        "repeated",
        "refused",
        "refused",
    ]
    assert len(await payment_sandbox.ledger(did="captured")) == 1


async def test_a_checkout_may_use_a_key_too(payment_sandbox: Sandbox) -> None:
    body = {"amount": 1, "currency": "EUR", "reference": "o1"}
    ids = [
        (await payment_sandbox.http.post("/v1/payments", json=body, headers={"Idempotency-Key": "p1"})).json()["id"]
        for _ in range(2)
    ]
    assert ids[0] == ids[1]
    assert await authorised(payment_sandbox) != await authorised(payment_sandbox)


async def test_twenty_at_once_with_one_key_are_one_capture(payment_sandbox: Sandbox) -> None:
    payment = await authorised(payment_sandbox)
    await payment_sandbox.connected(20)
    answers = await asyncio.gather(*(change(payment_sandbox, payment, "captures", "c1", 100) for _ in range(20)))
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.text for answer in answers}) == 1
    assert len(await payment_sandbox.ledger(did="captured")) == 1
    assert (await payment_of(payment_sandbox, payment))["captured"] == 100


async def test_a_key_beyond_its_memory_is_executed_twice_and_the_look_up_tells_of_both(
    payment_sandbox: Sandbox,
) -> None:
    payment = await authorised(payment_sandbox)
    await payment_sandbox.misbehave(memory=0)
    ids = [(await change(payment_sandbox, payment, "captures", "c1", 100)).json()["id"] for _ in range(2)]
    assert ids[0] != ids[1]
    found = await payment_sandbox.http.get("/v1/transactions", params={"idempotency_key": "c1"})
    assert [one["id"] for one in found.json()["data"]] == ids
    assert (await payment_of(payment_sandbox, payment))["captured"] == 200


async def test_a_killed_one_remembers_payments_and_keys(payment_sandbox: Sandbox) -> None:
    payment = await authorised(payment_sandbox)
    first = await change(payment_sandbox, payment, "captures", "c1", 300)
    await payment_sandbox.killed_and_started()
    assert (await change(payment_sandbox, payment, "captures", "c1", 300)).json() == first.json()
    assert (await payment_of(payment_sandbox, payment))["captured"] == 300
    assert [call["nth"] for call in await payment_sandbox.calls(key="c1")] == [1, 2]


async def test_a_look_up_finds_nothing_for_a_key_that_was_not_executed(payment_sandbox: Sandbox) -> None:
    found = await payment_sandbox.http.get("/v1/transactions", params={"idempotency_key": "c1"})
    assert (found.status_code, found.json()) == (200, {"data": []})


async def test_what_is_not_well_formed_is_refused_with_the_field(payment_sandbox: Sandbox) -> None:
    payment = await authorised(payment_sandbox)
    for amount in (0, -1, 1.5, "100", None):
        headers = {"Idempotency-Key": "c1"}
        url = f"/v1/payments/{payment}/captures"
        answer = await payment_sandbox.http.post(url, json={"amount": amount}, headers=headers)
        assert refusal(answer) == (422, "invalid_request")
        assert answer.json()["error"]["param"] == "amount"
    without = await payment_sandbox.http.post(f"/v1/payments/{payment}/captures", json={"amount": 1})
    assert refusal(without) == (400, "idempotency_key_missing")


async def test_a_merchant_sees_no_payment_of_another(payment_sandbox: Sandbox) -> None:
    payment = await authorised(payment_sandbox)
    url = f"/v1/payments/{payment}"
    other = await payment_sandbox.http.get(url, headers={"Authorization": "Bearer sk_sandbox_other"})
    assert refusal(other) == (404, "payment_not_found")
    assert refusal(await change(payment_sandbox, "pay_none", "captures", "c1", 1)) == (404, "payment_not_found")
    for wrong in ("", "Bearer sk_live_1", "Basic YTpi"):
        nobody = await payment_sandbox.http.get(url, headers={"Authorization": wrong})
        assert refusal(nobody) == (401, "invalid_api_key")

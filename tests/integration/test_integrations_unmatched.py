"""A payment that its provider tells of before its order is here is kept, and its order's once, whoever is first."""

import asyncio
import json
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from services.integrations.payment.port import Told
from services.integrations.payment.unmatched import FORGET, MOST, Sums, order_came, sums_of
from services.integrations.payment.watch import Watch, waiting
from services.integrations.payment.words import entry_of, said_of
from services.integrations.webhooks import take
from shared.contracts.message import new_id
from shared.contracts.order import OrderSnapshot, Payment
from shared.runtime.database import transaction
from tests.builders import an_order
from tests.plugins.integrations import Door, told
from tests.plugins.waiting import eventually

WAITING = "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'"
STATE = "select state, order_id, settled_by from unmatched_payment where reference = 'pay_1'"


def paid_order(reference: str = "pay_1", **changes: Any) -> OrderSnapshot:
    return an_order(payment=Payment(method="card", name="Kort", reference=reference), **changes)


async def opened(door: Door, **wanted: Any) -> list[dict[str, Any]]:
    async with await door.caller() as caller:
        answer = await caller.get("/v1/payments/unmatched", params=wanted)
    assert answer.status_code == 200, answer.text
    return list(answer.json()["payments"])


async def ask(door: Door, case: str, what: str, shop: str = "nordic-tea", key: str = "", **body: Any) -> Any:
    async with await door.caller(shop) as caller:
        path = f"/v1/payments/unmatched/{case}/{what}"
        answer = await caller.post(path, json=body, headers={"idempotency-key": key or new_id()})
    document = answer.json()
    return document if answer.is_success else (answer.status_code, document["type"].removeprefix("/problems/"))


@pytest.mark.requirement("R133")
async def test_a_payment_without_an_order_is_seen_and_everything_is_its_orders_when_that_comes(door: Door) -> None:
    await door.tell(told(kind="authorization", transaction_id="auth_1"), "evt_1")
    await door.tell(told(transaction_id="cap_1"), "evt_2")
    await door.tell(told(transaction_id="cap_1"), "evt_3")
    (case,) = await opened(door)
    shown = {name: case[name] for name in ("state", "reference", "merchant_reference", "authorized", "captured")}
    assert shown == {
        "state": "open",
        "reference": "pay_1",
        "merchant_reference": "cart-7",
        "authorized": 1000,
        "captured": 1000,
    }
    order = paid_order()
    await door.order_comes(order)
    await door.order_comes(order)
    messages = await door.messages()
    assert [message["type"] for message in messages] == ["payment.found.v1"] + ["payment.provider-said.v1"] * 3
    assert {message["order_id"] for message in messages} == {str(order.id)}
    assert [message["acts"] for message in messages[1:]] == [False, True, True], "how it stands is looked up"
    assert messages[1]["said"]["said_at"] == "2026-11-24T18:30:00Z", "the time of then"
    assert await opened(door) == []
    (matched,) = await opened(door, state="matched")
    assert (matched["order_id"], matched["settled_by"]) == (str(order.id), "integrations")
    await door.tell(told(transaction_id="cap_2"), "evt_4")
    assert len(await door.messages()) == 5, "what comes later goes to the order's lane at once"


async def test_a_payment_that_comes_with_its_order_is_not_worth_a_word_but_what_was_said_is_kept(door: Door) -> None:
    await door.tell(told(kind="authorization", transaction_id="auth_1"))
    await door.order_comes(paid_order(), late_after=60)
    assert [message["type"] for message in await door.messages()] == ["payment.provider-said.v1"]


@pytest.mark.requirement("R133")
async def test_an_order_that_comes_while_a_webhook_is_taken_waits_and_finds_it(door: Door) -> None:
    order, listener = paid_order(), door.listeners["payment"]
    account = await listener.accounts.of("nordic-tea")
    assert account is not None
    connection, adapter = account
    news = listener.read(adapter, told())
    assert news is not None
    async with transaction(door.pool) as database:
        await take(database, connection, listener, "evt_1", news)
        coming = asyncio.create_task(door.order_comes(order))
        await eventually(lambda: is_waiting(door), waiting_for="the order to wait for the webhook")
        assert not coming.done()
    await coming
    assert [message["type"] for message in await door.messages()] == ["payment.found.v1", "payment.provider-said.v1"]
    (found,) = await door.pool.fetch(STATE)
    assert tuple(found) == ("matched", order.id, "integrations")


@pytest.mark.requirement("R133")
async def test_a_webhook_that_comes_while_its_order_does_waits_and_goes_to_the_lane(door: Door) -> None:
    order = paid_order()
    async with transaction(door.pool) as database:
        await order_came(database, order, late_after=0)
        telling = asyncio.create_task(door.tell(told()))
        await eventually(lambda: is_waiting(door), waiting_for="the webhook to wait for the order")
        assert not telling.done()
    assert (await telling).status_code == 204
    assert await door.inbox() == [f"payment.provider-said.v1 {order.id}"]
    assert await door.pool.fetchval("select count(*) from unmatched_payment") == 0


async def is_waiting(door: Door) -> bool:
    return bool(await door.pool.fetchval(WAITING))


@pytest.mark.requirement("R133")
async def test_however_orders_and_webhooks_race_each_is_told_once(door: Door) -> None:
    orders = [paid_order(f"pay_{n}") for n in range(40)]
    work = []
    for n, order in enumerate(orders):
        webhooks = [
            door.tell(told(transaction_id=f"cap_{n}_{each}", reference=f"pay_{n}"), f"evt_{n}_{each}")
            for each in range(2)
        ]
        work += [webhooks[0], door.order_comes(order), webhooks[1]] if n % 2 else [door.order_comes(order), *webhooks]
    await asyncio.gather(*work)
    said = [message for message in await door.messages() if message["type"] == "payment.provider-said.v1"]
    heard = sorted((message["order_id"], message["said"]["transaction_id"]) for message in said)
    assert heard == sorted((str(order.id), f"cap_{n}_{each}") for n, order in enumerate(orders) for each in range(2))
    assert await door.pool.fetchval("select count(*) from unmatched_payment where state <> 'matched'") == 0


@pytest.mark.requirement("R133")
async def test_a_person_attaches_a_payment_to_an_order_that_named_none(door: Door) -> None:
    order = paid_order("")
    await door.order_comes(order)
    await door.tell(told())
    (case,) = await opened(door)
    key = new_id()
    attached = await ask(door, case["id"], "attach", key=key, order_id=str(order.id))
    assert (attached["state"], attached["order_id"]) == ("matched", str(order.id))
    assert await ask(door, case["id"], "attach", key=key, order_id=str(order.id)) == attached
    again = await ask(door, case["id"], "attach", order_id=str(order.id))
    assert again["settled_by"] == attached["settled_by"], "said twice, it is said once"
    found, said = await door.messages()
    assert (found["by_hand"], found["reference"], said["acts"]) == (True, "pay_1", True)
    actor = await door.pool.fetchval("select convert_from(record, 'utf8')::json->>'actor' from message limit 1")
    assert actor == attached["settled_by"], "the log says who"
    await door.tell(told(transaction_id="cap_2"), "evt_2")
    assert len(await door.inbox()) == 3


@pytest.mark.requirement("R133")
async def test_a_payment_is_attached_to_no_order_that_cannot_have_it(door: Door) -> None:
    mine, foreign = paid_order("pay_2"), paid_order("", shop="other-shop")
    euros = paid_order("", currency="EUR")
    for order in (mine, foreign, euros):
        await door.order_comes(order)
    await door.tell(told())
    (case,) = await opened(door)
    assert await ask(door, case["id"], "attach", order_id=str(uuid4())) == (422, "unknown-order")
    assert await ask(door, case["id"], "attach", order_id=str(foreign.id)) == (422, "unknown-order")
    assert await ask(door, case["id"], "attach", order_id=str(mine.id)) == (409, "other-payment")
    assert await ask(door, case["id"], "attach", order_id=str(euros.id)) == (409, "other-currency")
    assert await door.inbox() == []
    assert [each["id"] for each in await opened(door)] == [case["id"]]
    order = paid_order()
    await door.order_comes(order)
    assert await ask(door, case["id"], "attach", order_id=str(mine.id)) == (409, "already-matched")
    assert await ask(door, case["id"], "close", reason="No.") == (409, "already-matched")


@pytest.mark.requirement("R133")
async def test_a_closed_one_says_why_and_is_its_orders_all_the_same_should_that_come(door: Door) -> None:
    await door.tell(told())
    (case,) = await opened(door)
    assert await ask(door, case["id"], "close", reason=" ") == (422, "invalid-request")
    closed = await ask(door, case["id"], "close", reason="Refunded by telephone.")
    assert (closed["state"], closed["reason"]) == ("closed", "Refunded by telephone.")
    await door.tell(told(transaction_id="cap_2"), "evt_2")
    (still,) = await opened(door, state="closed")
    assert still["messages"] == 2
    await door.order_comes(paid_order())
    assert len(await door.inbox()) == 3


@pytest.mark.requirement("R083")
async def test_another_shops_payment_is_not_there(door: Door) -> None:
    await door.tell(told())
    (case,) = await opened(door)
    async with await door.caller("other-shop") as caller:
        assert (await caller.get("/v1/payments/unmatched")).json() == {"payments": [], "next": None}
        answer = await caller.get(f"/v1/payments/unmatched/{case['id']}")
        assert (answer.status_code, answer.json()["type"]) == (404, "/problems/unknown-payment")
    for what, body in (("attach", {"order_id": str(uuid4())}), ("close", {"reason": "Mine."})):
        assert await ask(door, case["id"], what, "other-shop", **body) == (404, "unknown-payment")
    await door.order_comes(paid_order(shop="other-shop"))
    assert await door.inbox() == [], "an order of another shop has another payment, whatever it is called"
    assert len(await opened(door)) == 1


async def test_pages_go_on_where_the_last_one_ended(door: Door) -> None:
    for n in range(5):
        await door.tell(told(transaction_id=f"cap_{n}", reference=f"pay_{n}"), f"evt_{n}")
    seen: list[str] = []
    after: dict[str, str] = {}
    async with await door.caller() as caller:
        while True:
            page = (await caller.get("/v1/payments/unmatched", params={"limit": 2, **after})).json()
            seen += [each["reference"] for each in page["payments"]]
            if page["next"] is None:
                break
            after = {"after": page["next"]}
        full = (await caller.get(f"/v1/payments/unmatched/{page['payments'][0]['id']}")).json()
    assert seen == [f"pay_{n}" for n in range(5)], "the oldest first"
    assert [each["event"] for each in full["said"]] == ["capture.succeeded"]


async def test_where_nothing_was_paid_nobody_has_to_look(door: Door) -> None:
    await door.tell(told(status="failed", kind="authorization", transaction_id="auth_1"))
    assert await opened(door) == []
    assert [each["reference"] for each in await opened(door, state="heard")] == ["pay_1"]
    await door.tell(told(), "evt_2")
    assert [each["messages"] for each in await opened(door)] == [2]
    await door.tell(told(kind="refund", transaction_id="ref_1"), "evt_3")
    assert await opened(door) == [], "it went back"


async def test_what_is_kept_of_one_payment_has_an_end(door: Door) -> None:
    await door.tell(told(transaction_id="cap_1"))
    said = json.loads(await door.pool.fetchval("select said from unmatched_payment"))
    await door.pool.execute("update unmatched_payment set said = $1", json.dumps(said * MOST))
    await door.tell(told(transaction_id="cap_2"), "evt_2")
    assert await door.pool.fetchval("select jsonb_array_length(said) from unmatched_payment") == MOST
    assert (await opened(door))[0]["messages"] == 2


async def test_the_gauge_tells_those_that_wait_too_long_from_those_on_their_way(door: Door) -> None:
    for n in range(3):
        await door.tell(told(transaction_id=f"cap_{n}", reference=f"pay_{n}"), f"evt_{n}")
    late = "update unmatched_payment set first_heard_at = now() - interval '5 minutes' where reference = 'pay_0'"
    await door.pool.execute(late)
    await Watch(door.pool, late_after=60).turn()
    assert [waiting.labels(word)._value.get() for word in ("late", "new")] == [1, 2]  # noqa: SLF001


async def test_what_is_settled_is_forgotten_after_a_month_and_what_is_open_is_not(door: Door) -> None:
    for n in range(2):
        await door.tell(told(transaction_id=f"cap_{n}", reference=f"pay_{n}"), f"evt_{n}")
    await door.order_comes(paid_order("pay_0"))
    older = "update unmatched_payment set settled_at = now() - $1::interval, last_heard_at = now() - $1::interval"
    await door.pool.execute(older, timedelta(days=40))
    await door.pool.execute(FORGET)
    assert [each["reference"] for each in await opened(door)] == ["pay_1"]


def test_one_transaction_counts_once_and_what_failed_not_at_all() -> None:
    def said(what: Any, transaction: str, amount: int, *, failed: bool = False) -> Any:
        return said_of(Told(what, "pay_1", what, amount, "SEK", transaction, failed=failed))

    twice = [said("authorized", "a", 500), said("capture", "c", 300), said("capture", "c", 300)]
    assert sums_of([*twice, said("refund", "r", 100, failed=True)]) == Sums(500, 300, 0, voided=False)


@pytest.mark.requirement("R117")
def test_a_providers_words_are_cut_cleaned_and_without_what_tells_of_its_customer() -> None:
    long = Told(
        "payment.\u2028disputed " + "x" * 400,
        "pay_1",
        currency="XXX1",
        at="yesterday",
        detail="card 4111 1111 1111 1111 of asa.oberg@example.org, 4000-0000-0000-0002\n" + "4242424242424242 " * 90,
    )
    entry = entry_of(uuid4(), said_of(long, provider="sandbox", message_id="evt\x00 1"))
    assert entry.event.startswith("payment. disputed xxx")
    assert entry.detail.startswith("card ***1111 of a***@example.org, ***0002 ***4242 ")
    assert "42424" not in entry.detail, "nor a part of one, where it was cut"
    assert (len(entry.event) <= 200, len(entry.detail) <= 500) == (True, True)
    assert (entry.currency, entry.amount, entry.message_id) == (None, None, "evt 1")
    assert entry.said_at == entry.heard_at, "where it does not say when"
    assert type(entry).model_validate_json(entry.model_dump_json()) == entry, "readers accept it"


@pytest.mark.parametrize("query", [{"state": "lost"}, {"limit": 0}, {"limit": 201}, {"after": "x"}, {"after": "\x00"}])
async def test_a_list_that_makes_no_sense_is_refused(door: Door, query: dict[str, Any]) -> None:
    async with await door.caller() as caller:
        answer = await caller.get("/v1/payments/unmatched", params=query)
    assert (answer.status_code, answer.json()["type"]) == (422, "/problems/invalid-request")


@pytest.mark.parametrize(
    ("what", "body"),
    [
        ("attach", {}),
        ("attach", {"order_id": "x"}),
        ("attach", {"order_id": None}),
        ("close", {"reason": ""}),
        ("close", {"reason": "a\x00b"}),
        ("close", {"reason": "x" * 201}),
    ],
)
async def test_a_wish_that_makes_no_sense_is_refused_and_changes_nothing(
    door: Door, what: str, body: dict[str, Any]
) -> None:
    await door.tell(told())
    (case,) = await opened(door)
    assert await ask(door, case["id"], what, **body) == (422, "invalid-request")
    assert await ask(door, "not-an-id", what, **body) == (422, "invalid-request")
    assert [each["state"] for each in await opened(door)] == ["open"]

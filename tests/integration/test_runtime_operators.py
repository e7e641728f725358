"""By HTTP operators see and do what the command line lets them: with their scope only, once, and told on the log."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import pytest
from fastapi import FastAPI

from shared.messaging.repair_desk import RepairDesk
from shared.messaging.repairs import Repairs
from tests.builders import an_order
from tests.integration.test_kit_ingest import an_entry, inbox, log
from tests.integration.test_kit_repairs_of_records import mend, quarantine, take
from tests.integration.test_kit_trouble import PARKED, UNKNOWN
from tests.plugins.broken import a_dead_message, a_group, dead, row, story
from tests.plugins.kit import Kit, running
from tests.plugins.lanes import lane, said
from tests.plugins.operators_http import Caller, app_on, calling, one
from tests.plugins.waiting import eventually

KINDS = ("dead", "unknown", "quarantined", "held", "parked", "repairs")


@pytest.fixture
async def service(kit: Kit) -> AsyncIterator[tuple[FastAPI, Repairs]]:
    """The HTTP face of a service, and what it repairs with."""
    async with app_on(kit, [a_group(), log]) as made:
        yield made


@pytest.fixture
async def operator(kit: Kit, service: tuple[FastAPI, Repairs]) -> AsyncIterator[Caller]:
    """Somebody with the scope."""
    async with calling(service[0], kit, "operator") as caller:
        yield caller


@pytest.mark.parametrize("kind", KINDS)
async def test_without_the_scope_nobody_sees_or_does_anything(
    kit: Kit, service: tuple[FastAPI, Repairs], kind: str
) -> None:
    async with calling(service[0], kit) as nobody, calling(service[0], kit, "orders:write", shop="nordic-tea") as shop:
        assert (await nobody.get(kind)).status_code == 401
        assert (await shop.get(kind)).status_code == 403
        refused = await shop.post("dead/notifications:1/retry")
        assert (refused.status_code, refused.json()["type"]) == (403, "/problems/missing-scope")
        assert (await nobody.post("dead/retry", filter={})).status_code == 401
    assert await kit.count("repair") == 0


async def test_dead_messages_are_listed_by_page_and_filter_and_shown_without_personal_data(
    kit: Kit, operator: Caller
) -> None:
    order, position = await a_dead_message(kit)
    _, later = await a_dead_message(kit)
    first = (await operator.get("dead", limit=1)).json()
    second = (await operator.get("dead", limit=1, after=first["following"])).json()
    assert [page["items"][0]["position"] for page in (first, second)] == [position, later]
    assert second["following"] is None
    assert (await operator.get("dead", shop="another")).json()["items"] == []
    full = await operator.get(one("dead", f"notifications:{position}"))
    assert full.json()["message"]["data"]["order"]["customer"]["email"] == "***"
    assert full.json()["order"] == str(order.id)
    for answer in (await operator.get("dead"), full):
        assert "asa" not in answer.text
        assert "a***@example.org" in answer.text


async def test_a_dead_message_is_retried_at_once_and_the_log_says_by_whom(kit: Kit, operator: Caller) -> None:
    order, position = await a_dead_message(kit)
    done = await operator.post(one("dead", f"notifications:{position}", "retry"), reason="mended")
    assert done.status_code == 200
    assert done.json() == {
        "id": f"notifications:{position}",
        "action": "retry",
        "answer": "it is tried again in its place, and what waits behind it follows in order",
    }
    assert (await lane(kit, str(order.id)))["state"] == "ready"
    (entry,) = await said(kit, "repair.made.v1")
    assert entry["actor"].startswith("token/")
    assert entry["data"]["reason"] == "mended"
    kept = (await operator.get("repairs")).json()["items"]
    assert [(each["action"], each["state"], each["actor"]) for each in kept] == [("retry", "done", entry["actor"])]


async def test_the_same_request_again_gets_the_same_answer_and_is_done_once(kit: Kit, operator: Caller) -> None:
    _, position = await a_dead_message(kit)
    path = one("dead", f"notifications:{position}", "retry")
    answers = await asyncio.gather(*(operator.post(path, key="k") for _ in range(4)))
    assert {(answer.status_code, answer.text) for answer in answers} == {(200, answers[0].text)}
    assert await kit.count("repair") == 1
    other = await operator.post(one("dead", f"notifications:{position}", "skip"), key="k", reason="x")
    assert (other.status_code, other.json()["type"]) == (422, "/problems/idempotency-key-reused")


async def test_of_two_operators_at_once_one_does_it_and_the_other_is_told(kit: Kit, operator: Caller) -> None:
    _, position = await a_dead_message(kit)
    item = f"notifications:{position}"
    answers = await asyncio.gather(
        operator.post(one("dead", item, "retry")), operator.post(one("dead", item, "skip"), reason="x")
    )
    done, refused = sorted(answer.status_code for answer in answers)
    assert (done, refused in {404, 409}) == (200, True)
    assert await kit.count("repair") == 1


async def test_skipping_settling_and_giving_up_need_a_reason(kit: Kit, operator: Caller) -> None:
    _, position = await a_dead_message(kit)
    await kit.pool.execute(UNKNOWN, str(uuid4()))
    for path, body in (
        (one("dead", f"notifications:{position}", "skip"), {}),
        (one("dead", f"notifications:{position}", "skip"), {"reason": " "}),
        ("dead/skip", {"filter": {}}),
        (one("unknown", "mail:1", "settle"), {"happened": True}),
        ("unknown/settle", {"filter": {}, "happened": True}),
        ("held/accept-gap", {"filter": {}}),
    ):
        answer = await operator.post(path, **body)
        assert answer.status_code == 422, path
        assert "reason" in answer.text
    assert await kit.count("repair") == 0


async def test_what_is_not_there_is_a_404_and_what_cannot_be_done_a_409(kit: Kit, operator: Caller) -> None:
    for path in (one("dead", "notifications:99"), one("held", "x/y"), one("unknown", "a b"), one("parked", "\x00")):
        assert (await operator.get(path)).json()["type"] == "/problems/unknown-item"
    order = str(uuid4())
    await take(kit, *(an_entry(order, n) for n in (1, 4)))
    gap: dict[str, Any] = {"incarnation": 1_700_000_000, "first": 2, "last": 2, "reason": "x"}
    refused = await operator.post(one("held", f"orders.log:/notifications:{order}", "accept-gap"), **gap)
    assert (refused.status_code, refused.json()["type"]) == (409, "/problems/not-a-gap")
    assert "what is missing now is" in refused.json()["detail"]
    done = await operator.post(one("held", f"orders.log:/notifications:{order}", "accept-gap"), **gap | {"last": 3})
    assert done.status_code == 200
    assert await inbox(kit, order) == ["01", "04"]


async def test_an_unknown_effect_is_settled(kit: Kit, operator: Caller) -> None:
    order = str(uuid4())
    await kit.pool.execute(UNKNOWN, order)
    full = await operator.get(one("unknown", "mail:1"))
    assert (full.json()["order"], full.json()["cause"], full.json()["looks"]) == (order, None, 0)
    done = await operator.post(one("unknown", "mail:1", "settle"), happened=False, again=False, reason="never came")
    assert "it is given up" in done.json()["answer"]
    (entry,) = await said(kit, "effect.settled.v1")
    assert (entry["data"]["happened"], entry["data"]["reason"]) == (False, "never came")


async def test_a_parked_key_is_shown_and_released(kit: Kit, operator: Caller) -> None:
    order = an_order(id=uuid4())
    await kit.pool.execute(PARKED, str(order.id))
    await kit.say((event := story(order, "p")[0]).meta, [event])
    full = await operator.get(one("parked", f"orders.events:{order.id}"))
    assert (full.json()["waiting"], full.json()["type"]) == (1, "order.placed.v1")
    assert "Öberg" not in full.text
    done = await operator.post(one("parked", f"orders.events:{order.id}", "release"))
    assert done.json()["answer"] == "it is sent again: 1 in order"


async def test_a_quarantined_record_is_shown_and_read_again(kit: Kit, operator: Caller) -> None:
    order = str(uuid4())
    position, other = await quarantine(kit, b'{"email": "asa@example.org", "odd": "\\ud800", "n": NaN}', b"\xff\xfe")
    full = (await operator.get(one("quarantined", str(position)))).json()
    assert full["value"] == {"email": "***", "odd": "\\ud800", "n": "nan"}
    assert (await operator.get(one("quarantined", str(other)))).json()["value"] == "2 bytes that are not JSON"
    still = await operator.post(one("quarantined", str(other), "re-ingest"), key="k")
    assert (still.status_code, still.json()["type"]) == (409, "/problems/not-done")
    assert "it stays" in still.json()["detail"]
    assert (await operator.post(one("quarantined", str(other), "re-ingest"), key="k")).text == still.text
    await mend(kit, position, an_entry(order, 1))
    assert (await operator.post(one("quarantined", str(position), "re-ingest"))).json()["answer"] == "it is taken in"
    assert await inbox(kit, order) == ["01"]


async def test_many_are_counted_in_a_dry_run_and_done_by_the_desk(
    kit: Kit, operator: Caller, service: tuple[FastAPI, Repairs]
) -> None:
    await dead(kit, a_group(), story(an_order(id=uuid4()), "c" * 12), given_up=list(range(12)))
    wanted: dict[str, Any] = {"filter": {"group": "notifications", "error": "template"}, "reason": "mended"}
    dry = await operator.post("dead/retry", **wanted, dry_run=True)
    assert (dry.status_code, dry.json()["fits"], dry.json()["asked"]) == (200, 12, 0)
    assert len(dry.json()["first"]) == 10
    assert "asa" not in dry.text
    assert await kit.count("repair") == 0

    asked = await operator.post("dead/retry", key="k", **wanted)
    assert (asked.status_code, asked.json()["fits"], asked.json()["asked"]) == (202, 12, 12)
    assert (await operator.post("dead/retry", key="k", **wanted)).text == asked.text
    assert len((await operator.get("repairs", state="asked")).json()["items"]) == 12
    async with running(RepairDesk(service[1], every=0.05)):
        await eventually(lambda: all_done(kit, 12))
    page = (await operator.get("repairs", limit=5)).json()
    assert [each["state"] for each in page["items"]] == ["done"] * 5
    assert len((await operator.get("repairs", before=page["before"])).json()["items"]) == 7
    assert await kit.count("inbox", "state = 'ready'") == 12


async def all_done(kit: Kit, count: int) -> bool:
    return await kit.count("repair", "state = 'done'") == count


@pytest.mark.parametrize(
    "parameters", [{"after": "x"}, {"limit": 0}, {"since": "soon"}, {"since": "0001-01-01T00:00:00+14:00"}, {"odd": 1}]
)
async def test_a_list_that_is_asked_wrongly_is_a_422(operator: Caller, parameters: dict[str, str]) -> None:
    answer = await operator.get("dead", **parameters)
    assert answer.status_code == 422
    assert next(iter(parameters)) in answer.text


async def test_what_is_done_is_kept_with_its_reason_masked(kit: Kit, operator: Caller) -> None:
    _, position = await a_dead_message(kit)
    await operator.post(one("dead", f"notifications:{position}", "skip"), reason="asked by asa@example.org")
    assert (await row(kit, "select reason from repair"))["reason"] == "asked by a***@example.org"

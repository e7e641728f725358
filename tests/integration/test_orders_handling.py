"""Handling an order by HTTP: each command changes it, is told once on its log, and meets the version that was seen."""

from datetime import UTC, datetime
from typing import Any

import httpx2
import pytest

from shared.contracts.message import new_id
from shared.contracts.order import CheckoutStep, OrderSnapshot
from shared.contracts.order_commands import AddComment, DeleteComment
from shared.contracts.refusal import Refused
from shared.contracts.shop_facts import Folder
from tests.builders import a_line, a_shop, an_order, stamped, to_place
from tests.plugins.orders import CallAs, Caller, OrdersAlone

FOLDERS = [Folder(id="to-pack", name="Att packa")]


@pytest.fixture
async def order(orders_alone: OrdersAlone, tea: Caller) -> OrderSnapshot:
    """An order of two lines that was placed in a shop with a folder."""
    await orders_alone.save(a_shop(folders=FOLDERS))
    placed = an_order(lines=[a_line(line_id="1", quantity=2), a_line(line_id="2", quantity=1)])
    assert (await tea.place(to_place(placed))).status_code == 201
    return placed


async def log_of(tea: Caller, order: OrderSnapshot) -> list[dict[str, Any]]:
    entries: list[dict[str, Any]] = (await tea.get(f"{order.id}/log")).json()["entries"]
    return entries


def problem(answer: httpx2.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["type"].removeprefix("/problems/")


ONE = {"units": [{"line_id": "1", "units": 1}]}
STEPS: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("status", {"status": "in-progress"}, {"status": "in-progress"}),
    ("internal-status", {"status": "to-pick"}, {"internal_status": "to-pick"}),
    ("folder", {"folder": "to-pack"}, {"folder": "to-pack"}),
    ("back-order", ONE, {"processing": "partly", "goods": "open"}),
    ("process", {}, {"goods": "partly-shipped", "processing": "processed"}),
    ("ship", {}, {"goods": "shipped"}),
    ("deliver", {}, {"goods": "delivered"}),
    ("return", ONE, {"goods": "delivered"}),
    ("claim", ONE, {"goods": "delivered"}),
    ("credit", {}, {"goods": "delivered"}),
    ("line-status", {"status": "returned", "line_ids": ["2"]}, {"goods": "returned"}),
]


@pytest.mark.requirement("R033", "R034", "R035", "R036", "R040", "R107", "R109", "R110", "R131", "R203")
async def test_an_order_is_handled_step_by_step_and_each_step_is_on_its_log(tea: Caller, order: OrderSnapshot) -> None:
    for count, (what, body, expected) in enumerate(STEPS, start=2):
        answer = await tea.handle(order.id, what, **body)
        assert answer.status_code == 200, (what, answer.text)
        now = answer.json()
        assert (now["version"], {name: now[name] for name in expected}) == (count, expected), what
        assert answer.headers["etag"] == f'"{count}"'
    types = [entry["data"]["event_type"] for entry in await log_of(tea, order)]
    moved = "order.units-moved.v1"
    assert types == [
        "order.placed.v1",
        "order.status-changed.v1",
        "order.internal-status-changed.v1",
        "order.moved-to-folder.v1",
        moved,
        "order.processed.v1",
        *[moved] * 6,
        "order.line-status-changed.v1",
    ]
    now = (await tea.get(str(order.id))).json()
    assert [each["number"] for each in now["returns"]] == [f"{now['number']}-1", f"{now['number']}-2"]


@pytest.mark.requirement("R131")
async def test_an_order_is_cancelled_once(tea: Caller, order: OrderSnapshot) -> None:
    answer = await tea.handle(order.id, "cancel", reason="Changed her mind.")
    assert (answer.status_code, answer.json()["cancelled"], answer.json()["status"]) == (200, True, "cancelled")
    assert problem(await tea.handle(order.id, "cancel")) == (409, "nothing-to-cancel")


@pytest.mark.requirement("R208")
async def test_the_second_of_two_people_is_told_who_was_first_and_when(tea: Caller, order: OrderSnapshot) -> None:
    seen = (await tea.get(str(order.id))).headers["etag"]
    path, key = f"/v1/orders/{order.id}/status", {"idempotency-key": new_id()}
    first = await tea.client.post(path, json={"status": "in-progress"}, headers=key | {"if-match": seen})
    assert first.status_code == 200
    again = await tea.client.post(path, json={"status": "in-progress"}, headers=key | {"if-match": seen})
    assert again.content == first.content, "the same request has its first answer"
    other = {"idempotency-key": new_id(), "if-match": seen}
    second = await tea.client.post(path, json={"status": "shipped"}, headers=other)
    assert problem(second) == (412, "version-conflict")
    changed = (await tea.get(str(order.id))).json()
    assert second.json()["detail"].startswith(f"the order is at version 2, changed by {changed['changed_by']} at 20")
    assert (await tea.get(str(order.id))).json()["status"] == "in-progress"
    wild = await tea.client.post(
        path, json={"status": "shipped"}, headers={"idempotency-key": new_id(), "if-match": "3"}
    )
    assert wild.status_code == 422


@pytest.mark.requirement("R208")
async def test_a_command_by_topic_names_the_version_that_it_means(
    orders_alone: OrdersAlone, order: OrderSnapshot
) -> None:
    comment = AddComment(order_id=order.id, text="Hej", if_version=7)
    with pytest.raises(Refused) as refused:
        await orders_alone.handle(stamped(comment))
    assert refused.value.reason == "version-conflict"


@pytest.mark.requirement("R065", "R066", "R080")
async def test_a_comment_is_seen_in_its_order_alone_and_stays_when_it_is_deleted(
    orders_alone: OrdersAlone, tea: Caller, order: OrderSnapshot
) -> None:
    text = "Slå in som present, åäö."
    assert (await tea.handle(order.id, "comments", text=text)).status_code == 200
    (entry,) = [e for e in await log_of(tea, order) if e["data"].get("event_type") == "order.comment-added.v1"]
    (comment,) = (await tea.get(f"{order.id}/comments")).json()["comments"]
    assert (comment["text"], comment["id"], comment["deleted_at"]) == (text, entry["parameters"]["comment"], None)
    told = await orders_alone.pool.fetch("select payload from outbox where payload like '%present%'")
    assert told == [], "what a comment says leaves the service nowhere"
    for _ in range(2):
        answer = await tea.handle(order.id, "comments/delete", comment_id=comment["id"])
        assert answer.status_code == 200
    (comment,) = (await tea.get(f"{order.id}/comments")).json()["comments"]
    assert (comment["text"], comment["deleted_by"]) == (text, comment["actor"])
    deleted = [e for e in await log_of(tea, order) if e["data"].get("event_type") == "order.comment-deleted.v1"]
    assert len(deleted) == 1, "deleted once, told once"
    assert problem(await tea.handle(order.id, "comments/delete", comment_id="none")) == (422, "unknown-comment")
    assert problem(await tea.handle(order.id, "comments", text="")) == (422, "invalid-request")


async def test_a_comment_can_be_deleted_in_the_batch_that_wrote_it(
    orders_alone: OrdersAlone, tea: Caller, order: OrderSnapshot
) -> None:
    add = stamped(AddComment(order_id=order.id, text="Oj"))
    await orders_alone.handle(add, stamped(DeleteComment(order_id=order.id, comment_id=add.meta.id)))
    (comment,) = (await tea.get(f"{order.id}/comments")).json()["comments"]
    assert comment["deleted_by"] == "shop-front"


async def test_another_shops_comments_are_nobodys(call_as: CallAs, tea: Caller, order: OrderSnapshot) -> None:
    await tea.handle(order.id, "comments", text="Hej")
    stranger = await call_as("other-shop")
    assert problem(await stranger.get(f"{order.id}/comments")) == (404, "unknown-order")


@pytest.mark.requirement("R124")
async def test_a_corrected_contact_is_on_the_order_and_what_was_there_is_hidden_on_the_log(
    tea: Caller, order: OrderSnapshot
) -> None:
    await tea.handle(order.id, "contact", email="ny@example.org")
    assert (await tea.get(str(order.id))).json()["customer"]["email"] == "ny@example.org"
    corrected = (await log_of(tea, order))[-1]
    assert corrected["parameters"] == {"email": "a***@example.org"}


@pytest.mark.requirement("R114")
async def test_an_order_is_attached_to_an_account(tea: Caller, order: OrderSnapshot) -> None:
    for customer_id in ("C-7", None):
        assert (await tea.handle(order.id, "customer", customer_id=customer_id)).status_code == 200
        assert (await tea.get(str(order.id))).json()["customer"]["customer_id"] == customer_id


@pytest.mark.requirement("R125")
async def test_the_way_to_the_order_comes_with_it_and_later_steps_follow(tea: Caller) -> None:
    cart = CheckoutStep(at=datetime(2026, 11, 24, 18, 21, 40, tzinfo=UTC), step="added-to-cart", detail="TEA-100")
    order = an_order()
    command = stamped(to_place(order).model_copy(update={"checkout": [cart]}))
    assert (await tea.place(command)).status_code == 201
    later = {"at": "2026-11-24T18:31:00Z", "step": "came-back-from-payment"}
    assert (await tea.handle(order.id, "checkout-steps", steps=[later])).status_code == 200
    steps = [entry for entry in await log_of(tea, order) if entry["type"] == "checkout.step.v1"]
    assert [(step["data"]["step"], step["data"]["taken_at"], step["parameters"]) for step in steps] == [
        ("added-to-cart", "2026-11-24T18:21:40Z", {"detail": "TEA-100"}),
        ("came-back-from-payment", "2026-11-24T18:31:00Z", {"detail": ""}),
    ]


@pytest.mark.requirement("R118", "R132")
async def test_a_person_says_that_the_money_is_there(tea: Caller, order: OrderSnapshot) -> None:
    answer = await tea.handle(order.id, "confirm-payment", reason="On the statement.")
    assert (answer.json()["payment_status"], answer.json()["paid"]["captured"]) == (
        "captured",
        order.totals.to_pay.amount,
    )
    confirmed = [e for e in await log_of(tea, order) if e["type"] == "payment.confirmed.v1"]
    assert [e["data"]["reason"] for e in confirmed] == ["On the statement."]


@pytest.mark.parametrize(
    ("what", "body", "expected"),
    [
        ("status", {"status": "no-such"}, (422, "unknown-status")),
        ("internal-status", {"status": "received"}, (422, "unknown-status")),
        ("line-status", {"status": "shipped", "line_ids": ["9"]}, (422, "unknown-line")),
        ("line-status", {"status": "shipped", "line_ids": []}, (422, "invalid-request")),
        ("folder", {"folder": "attic"}, (422, "unknown-folder")),
        ("deliver", {}, (409, "nothing-to-move")),
        ("credit", {"return_number": "7-1"}, (422, "unknown-return")),
        ("return", {"units": [{"line_id": "1", "units": 1}]}, (409, "not-so-many-units")),
    ],
)
async def test_what_cannot_be_done_changes_nothing_and_says_why(
    tea: Caller, order: OrderSnapshot, what: str, body: dict[str, Any], expected: tuple[int, str]
) -> None:
    assert problem(await tea.handle(order.id, what, **body)) == expected
    assert (await tea.get(str(order.id))).json()["version"] == 1

"""What stands open on an order's log is offered its ways out there, each is taken once, and the list knows (R205)."""

import asyncio
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest

from services.orders.flags import Flags
from services.orders.timeline import Timeline
from shared.contracts.message import Message, new_id
from shared.contracts.order_commands import AddComment, RetryEntry, SkipEntry
from shared.contracts.order_events import ConfirmationRequested, ContactCorrected, RepairRequested
from shared.contracts.order_log import (
    DocumentFailed,
    EffectSettled,
    EffectUnknown,
    LogEntry,
    MessageFailed,
    MessageSent,
    OrderNoted,
    ReactionDead,
    ReactionWaiting,
    RepairMade,
    RepairRefused,
    ShipmentFailed,
)
from shared.contracts.refusal import Refused
from shared.runtime.database import transaction
from tests.builders import an_order, stamped, to_place, what_is_sent
from tests.integration.test_orders_handling import problem
from tests.integration.test_orders_promises import MAIL, hear, said, states
from tests.plugins.orders import CallAs, Caller, OrdersAlone

pytestmark = pytest.mark.requirement("R205")
REACTION: dict[str, Any] = {"group": "notifications", "message_type": "order.placed.v1"}


class Scene:
    """A placed order, of which services tell."""

    def __init__(self, alone: OrdersAlone, tea: Caller) -> None:
        self.alone, self.tea = alone, tea
        self.order = an_order()
        self.cause = ""

    @property
    def id(self) -> UUID:
        return self.order.id

    async def place(self) -> None:
        await self.alone.know(what_is_sent())
        event, *_ = await self.alone.handle(to_place(self.order))
        self.cause = event.meta.id

    async def heard(self, contract: type[LogEntry], outcome: str = "failed", **fields: Any) -> LogEntry:
        entry = said(contract, self.id, fields.pop("cause", self.cause), outcome, **fields)
        await hear(self.alone, entry)
        return entry

    async def dead(self) -> LogEntry:
        return await self.heard(ReactionDead, **REACTION, message_id=self.cause, message_source="/orders", blocks=True)

    async def refused_mail(self) -> LogEntry:
        return await self.heard(MessageFailed, **MAIL, reason="address-refused")

    async def unknown_mail(self) -> LogEntry:
        about = {"parameters": {"template": "order-received"}, "effect": "mail", "key": f"mail:{self.cause}"}
        return await self.heard(EffectUnknown, "unknown", **about)

    async def offered(self, entry: LogEntry, **parameters: Any) -> list[str]:
        page = (await self.tea.get(f"{self.id}/log", **parameters)).json()
        (shown,) = [each for each in page["entries"] if each["id"] == entry.meta.id]
        return [way["action"] for way in shown["repairs"]]

    async def needs_a_person(self) -> list[str]:
        """Why, as the order, the list, its filter and its counts all say a moment later."""
        assert not await Flags(self.alone.pool).turn()
        shown = (await self.tea.get(str(self.id))).json()["attention"]
        orders = await self.listed(attention=True)
        assert [each["attention"] for each in orders] == ([shown] if shown else [])
        assert len(await self.listed(attention=False)) == (0 if shown else 1)
        counts = (await self.tea.client.get("/v1/orders/to-do")).json()
        assert counts["attention"]["count"] == len(orders)
        return list(shown)

    async def listed(self, **filters: Any) -> list[dict[str, Any]]:
        return list((await self.tea.client.get("/v1/orders", params=filters)).json()["orders"])

    async def events(self, contract: type[Message]) -> list[str]:
        """The ids of the events of this type that orders has announced."""
        rows = await self.alone.pool.fetch("select id::text from outbox where type = $1", contract.type)
        return [row["id"] for row in rows]


@pytest.fixture
async def scene(orders_alone: OrdersAlone, tea: Caller) -> Scene:
    made = Scene(orders_alone, tea)
    await made.place()
    return made


async def test_a_reaction_that_was_given_up_is_tried_again_or_let_be_by_its_service(scene: Scene) -> None:
    dead = await scene.dead()
    assert (await scene.needs_a_person(), await scene.offered(dead)) == (["given-up"], ["retry", "skip"])
    answer = await scene.tea.handle(scene.id, "retry", entry_id=dead.meta.id)
    assert (answer.status_code, answer.headers["location"]) == (202, f"/v1/orders/{scene.id}/log")
    assert await scene.offered(dead) == [], "it was asked for"
    assert await scene.needs_a_person() == ["given-up"], "and is not done yet"
    refused = await scene.tea.handle(scene.id, "skip", entry_id=dead.meta.id, reason="a test")
    assert problem(refused) == (409, "already-repaired")
    made = {"action": "retry", "about": "x", "entry_id": dead.meta.id}
    await scene.heard(RepairMade, "done", **made)
    assert (await scene.needs_a_person(), await scene.offered(dead)) == ([], [])


async def test_the_service_is_told_what_it_has_to_find_it_by(scene: Scene) -> None:
    dead = await scene.dead()
    command = stamped(SkipEntry(order_id=scene.id, entry_id=dead.meta.id, reason="sent by hand"), actor="maria")
    event, noted = await scene.alone.handle(command)
    assert isinstance(event, RepairRequested)
    assert (event.service, event.action, event.group, event.reason) == (
        "notifications", "skip", "notifications", "sent by hand",
    )  # fmt: skip
    assert (event.message_id, event.message_source, event.meta.actor) == (scene.cause, "/orders", "maria")
    assert isinstance(noted, OrderNoted)
    assert noted.parameters == {"action": "skip", "entry": dead.meta.id}


async def test_what_could_not_be_put_right_is_offered_again_unless_nothing_is_left(scene: Scene) -> None:
    dead = await scene.dead()
    for gone in (False, True):
        assert (await scene.tea.handle(scene.id, "retry", entry_id=dead.meta.id)).status_code == 202
        told = {"entry_id": dead.meta.id, "action": "retry", "reason": "not-there" if gone else "lane-blocked"}
        await scene.heard(RepairRefused, **told, gone=gone)
        assert await scene.offered(dead) == ([] if gone else ["retry", "skip"])
    assert await scene.needs_a_person() == []


async def test_what_waits_needs_nobody_and_can_be_hurried(scene: Scene) -> None:
    told = {"message_id": scene.cause, "attempts": 3, "next_try": datetime(2026, 11, 24, 19, tzinfo=UTC)}
    waiting = await scene.heard(ReactionWaiting, "waiting", **REACTION, **told)
    assert (await scene.needs_a_person(), await scene.offered(waiting)) == ([], ["retry"])
    skip = await scene.tea.handle(scene.id, "skip", entry_id=waiting.meta.id, reason="a test")
    assert problem(skip) == (409, "repair-does-not-fit")
    await scene.heard(MessageSent, "done", **MAIL, message_id="<1@example.org>")
    assert await scene.offered(waiting) == []


async def test_an_unknown_is_settled_and_it_has_to_be_said_whether_it_is_done_again(scene: Scene) -> None:
    unknown = await scene.unknown_mail()
    assert (await scene.needs_a_person(), await scene.offered(unknown)) == (["unknown"], ["settle"])
    half = await scene.tea.handle(scene.id, "settle", entry_id=unknown.meta.id, happened=False)
    assert problem(half) == (422, "say-whether-again")
    said_so = await scene.tea.handle(scene.id, "settle", entry_id=unknown.meta.id, happened=False, again=True)
    assert said_so.status_code == 202
    (event,) = await scene.events(RepairRequested)
    payload = await scene.alone.pool.fetchval("select payload::jsonb->'data'->>'key' from outbox where id = $1", event)
    assert payload == f"mail:{scene.cause}"
    settled = {"effect": "mail", "key": f"mail:{scene.cause}", "happened": False, "settled_by": "person"}
    await scene.heard(EffectSettled, "done", **settled, cause=event)
    assert (await scene.needs_a_person(), await scene.offered(unknown)) == ([], [])


async def test_the_address_is_fixed_and_the_mail_asked_for_in_one_transaction(scene: Scene) -> None:
    refused = await scene.refused_mail()
    assert await scene.needs_a_person() == ["failed"]
    assert await scene.offered(refused) == ["fix-address-and-send", "retry", "skip"]
    answer = await scene.tea.handle(
        scene.id, "fix-address-and-send", entry_id=refused.meta.id, email="right@example.org"
    )
    assert (answer.status_code, answer.json()["version"]) == (202, 2)
    assert len(await scene.events(ContactCorrected)) == 1
    (again,) = await scene.events(ConfirmationRequested)
    body = "select payload::jsonb#>>'{data,order,customer,email}' from outbox where id = $1"
    assert await scene.alone.pool.fetchval(body, again) == "right@example.org"
    assert await scene.needs_a_person() == [], "what is promised anew is looked after as such"
    reasons = [(state, reason) for _, state, reason in await states(scene.alone, scene.id)]
    assert reasons == [("failed", "asked-again"), ("expected", "")]
    await scene.heard(MessageSent, "done", **MAIL, message_id="<1@example.org>", cause=again)
    assert [state for _, state, _ in await states(scene.alone, scene.id)] == ["failed", "done"]


async def test_what_was_refused_is_asked_for_again_with_what_it_was(scene: Scene) -> None:
    failed = await scene.heard(DocumentFailed, document="pick-list", language="fi", reason="not-made")
    answer = await scene.tea.handle(scene.id, "retry", entry_id=failed.meta.id)
    assert answer.status_code == 202
    asked = await scene.alone.pool.fetchval(
        "select payload::jsonb->'data' from outbox where type = 'order.document-requested.v1'"
    )
    assert '"document": "pick-list", "language": "fi"' in asked
    assert await scene.needs_a_person() == []
    again = await scene.tea.handle(scene.id, "retry", entry_id=failed.meta.id)
    assert problem(again) == (409, "already-repaired")


async def test_what_a_person_lets_be_needs_nobody_and_the_log_says_why(scene: Scene) -> None:
    refused = await scene.refused_mail()
    assert problem(await scene.tea.handle(scene.id, "skip", entry_id=refused.meta.id, reason=" ")) == (
        422,
        "invalid-request",
    )
    answer = await scene.tea.handle(scene.id, "skip", entry_id=refused.meta.id, reason="He was called.")
    assert answer.status_code == 202
    assert await scene.needs_a_person() == []
    entries = (await scene.tea.get(f"{scene.id}/log", language="en")).json()["entries"]
    assert entries[-1]["text"] == "Let be: order confirmation. He was called."
    assert [reason for *_, reason in await states(scene.alone, scene.id)] == ["let-be"]


async def test_the_page_offers_in_words_and_only_what_is_possible_now(scene: Scene) -> None:
    told: dict[str, Any] = {"action": "book", "reason": "address-not-served", "units": [{"line_id": "1", "units": 1}]}
    failed = await scene.heard(ShipmentFailed, **told)
    assert await scene.offered(failed) == ["skip"], "the shop has no carrier any more"
    page = (await scene.tea.get(f"{scene.id}/log", language="sv")).json()
    (way,) = page["entries"][-1]["repairs"]
    assert way == {"action": "skip", "label": "låt vara", "needs": ["reason"]}


async def test_refusals_have_stable_reasons(scene: Scene) -> None:
    (noted, *_) = (await scene.tea.get(f"{scene.id}/log")).json()["entries"]
    refused = await scene.refused_mail()
    for entry_id, reason in ((new_id(), (422, "unknown-entry")), (noted["id"], (409, "nothing-to-repair"))):
        assert problem(await scene.tea.handle(scene.id, "retry", entry_id=entry_id)) == reason
    wrong = await scene.tea.handle(scene.id, "settle", entry_id=refused.meta.id, happened=True)
    assert problem(wrong) == (409, "repair-does-not-fit")
    headers = {"idempotency-key": new_id(), "if-match": '"7"'}
    path = f"/v1/orders/{scene.id}/retry"
    stale = await scene.tea.client.post(path, json={"entry_id": refused.meta.id}, headers=headers)
    assert problem(stale) == (412, "version-conflict")


async def test_another_shops_order_and_its_entries_are_unknown(scene: Scene, call_as: CallAs) -> None:
    refused = await scene.refused_mail()
    coffee = await call_as("nordic-coffee")
    assert problem(await coffee.handle(scene.id, "retry", entry_id=refused.meta.id))[1] in {
        "unknown-order",
        "unknown-shop",
    }
    own = an_order()
    await scene.alone.handle(to_place(own))
    assert problem(await scene.tea.handle(own.id, "retry", entry_id=refused.meta.id)) == (422, "unknown-entry")


async def test_what_the_order_itself_needs_a_person_for_stays_and_nobody_has_changed_it(scene: Scene) -> None:
    odd = an_order(total=1)
    event, *_ = await scene.alone.handle(to_place(odd))
    scene.order, scene.cause = odd, event.meta.id
    refused = await scene.refused_mail()
    await Flags(scene.alone.pool).turn()
    shown = (await scene.tea.get(str(odd.id))).json()
    assert (shown["attention"], shown["version"], shown["changed_by"]) == (["total-differs", "failed"], 1, None)
    placed = await scene.alone.pool.fetchval("select placed->>'attention' from orders where id = $1", odd.id)
    assert placed == '["total-differs"]'
    assert (await scene.tea.handle(odd.id, "skip", entry_id=refused.meta.id, reason="a test")).status_code == 202
    await Flags(scene.alone.pool).turn()
    assert (await scene.tea.get(str(odd.id))).json()["attention"] == ["total-differs"]
    assert not await scene.alone.pool.fetchval("select count(*) from trouble")


async def test_what_is_wrong_with_a_lost_order_is_shown_once_it_is_there_again(scene: Scene) -> None:
    lost = an_order()
    await hear(scene.alone, said(MessageFailed, lost.id, "c", "failed", **MAIL, reason="address-refused"))
    assert not await Flags(scene.alone.pool).turn()
    await scene.alone.handle(to_place(lost))
    await Flags(scene.alone.pool).turn()
    assert (await scene.tea.get(str(lost.id))).json()["attention"] == ["failed"]


async def test_flags_and_commands_of_the_same_orders_never_deadlock(scene: Scene) -> None:
    orders = [an_order() for _ in range(20)]
    for order in orders:
        await scene.alone.handle(to_place(order))
    flags = Flags(scene.alone.pool, at_once=5)

    async def trouble() -> None:
        for order in orders:
            await hear(scene.alone, said(MessageFailed, order.id, "c", "failed", **MAIL, reason="address-refused"))

    async def change() -> None:
        for comment in range(3):
            wishes = [stamped(AddComment(order_id=order.id, text=str(comment))) for order in reversed(orders)]
            await scene.alone.handle(*wishes)

    async def show() -> None:
        for _ in range(30):
            await flags.turn()

    await asyncio.gather(trouble(), change(), show(), show())
    while await flags.turn():
        pass
    assert len(await scene.listed(attention=True)) == 20


async def test_of_two_people_at_once_one_puts_it_right(scene: Scene) -> None:
    refused = await scene.refused_mail()
    answers = await asyncio.gather(*(scene.tea.handle(scene.id, "retry", entry_id=refused.meta.id) for _ in range(4)))
    assert sorted(answer.status_code for answer in answers) == [202, 409, 409, 409]
    assert len(await scene.events(ConfirmationRequested)) == 1


async def test_two_wishes_in_one_transaction_are_one_repair(scene: Scene) -> None:
    refused = await scene.refused_mail()
    wishes = [stamped(RetryEntry(order_id=scene.id, entry_id=refused.meta.id)) for _ in range(2)]
    with pytest.raises(Refused, match="already"):
        await scene.alone.handle(*wishes)


async def test_what_orders_itself_has_to_do_is_left_at_its_own_desk(scene: Scene) -> None:
    fields: dict[str, Any] = {
        "group": "orders.reports",
        "message_type": "payment.captured.v1",
        "message_id": "m1",
        "blocks": True,
    }
    entry = ReactionDead(order_id=scene.id, outcome="failed", summary="reaction.dead", **fields)
    async with transaction(scene.alone.pool) as connection:
        cause = stamped(entry).meta
        (dead,) = await scene.alone.outbox.append(connection, [(cause, [entry])])
    assert await scene.needs_a_person() == ["given-up"], "its own entries count at once"
    assert (await scene.tea.handle(scene.id, "retry", entry_id=dead.meta.id)).status_code == 202
    (row,) = await scene.alone.pool.fetch("select action, state, arguments->>'group' from repair")
    assert tuple(row) == ("asked-on-order", "asked", "orders.reports")


async def test_an_order_is_flagged_whoever_is_first_of_two_at_once(scene: Scene) -> None:
    """One adds trouble, the other adds its end: each sees what the other wrote, because the log's head is locked."""
    for _ in range(5):
        refused = said(MessageFailed, scene.id, scene.cause, "failed", **MAIL, reason="address-refused")
        sent = said(MessageSent, scene.id, scene.cause, **MAIL, message_id="<1@example.org>")
        await asyncio.gather(hear(scene.alone, refused), hear(scene.alone, sent))
        async with transaction(scene.alone.pool) as connection:
            timeline = Timeline(connection)
            await timeline.open([])
            last = await connection.fetchval("select type from timeline order by n desc limit 1")
        assert await scene.needs_a_person() == (["failed"] if last == "message.failed.v1" else [])

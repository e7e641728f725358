"""What is asked for on an order reaches the service that can do it, and touches nothing but that order."""

from typing import Any
from uuid import uuid4

import asyncpg
import pytest

from shared.contracts.message import Sequence as Number
from shared.contracts.order import OrderSnapshot
from shared.contracts.order_events import OrderEvent, RepairRequested
from shared.messaging.groups import Group
from shared.messaging.inside import InsideWorker
from shared.messaging.repair_desk import RepairDesk
from shared.messaging.repairs_asked import Asked, group_of
from tests.builders import an_order, stamped
from tests.plugins.broken import Clerk, a_group, a_worker, dead, repairs_of, story
from tests.plugins.kit import Kit, running
from tests.plugins.lanes import arrive, said
from tests.plugins.waiting import eventually

pytestmark = pytest.mark.requirement("R205")
EFFECT = """
insert into effect (key, "group", subject, shop, kind, state, attempts, token, started_at, deadline, position, result)
values ($1, 'notifications', $2, $3, 'mail', 'unknown', 1, gen_random_uuid(), now(), now(), 0, '{"detail": "x"}')
"""


class Scene:
    """Notifications with an order, one of whose messages was given up, and the group that takes in repairs."""

    def __init__(self, kit: Kit) -> None:
        self.kit = kit
        self.group, self.asked = a_group(), group_of("notifications")
        self.order = an_order(id=uuid4())
        self.events: list[OrderEvent] = story(self.order, "ppp")
        self.n = 0
        """The last number of the order's stream that came."""

    def wish(self, order: OrderSnapshot | None = None, **fields: Any) -> RepairRequested:
        """Somebody asks for the first message to be tried again, where nothing else is said."""
        about = order or self.order
        first = {"group": "notifications", "message_id": self.events[0].meta.id, "message_source": "/orders"}
        said_so = {"service": "notifications", "entry_id": "the-entry", "action": "retry"} | first | fields
        wish = RepairRequested(order=about, **said_so)
        self.n = self.n + 1 if about.id == self.order.id else 1
        return stamped(wish, actor="maria", shop=about.shop, sequence=Number(1_790_000_000, self.n))

    async def give_up(self) -> None:
        await dead(self.kit, self.group, self.events, given_up=[0])
        self.n = len(self.events)
        assert (await self.lane())["state"] == "blocked"

    async def take_in(self, *wishes: RepairRequested) -> None:
        """As a process with all roles does: the lane that stands is not in the way."""
        groups: list[Group] = [self.group, self.asked]
        await arrive(self.kit, self.asked, wishes)
        worker = InsideWorker(
            self.kit.pool, self.kit.dsn, self.asked, self.kit.outbox, self.kit.bell, {Asked: Asked}, poll=0.05
        )
        async with running(worker, RepairDesk(repairs_of(self.kit, *groups), every=0.05)):
            await eventually(self.nothing_is_left)

    async def lane(self) -> asyncpg.Record:
        """The lane of the order in the group that has something to put right."""
        rows = await self.kit.pool.fetch(
            """select *, due - clock_timestamp() as wait from lane where "group" = 'notifications' and subject = $1""",
            str(self.order.id),
        )
        return rows[0]

    async def is_idle(self) -> bool:
        return bool((await self.lane())["state"] == "idle")

    async def nothing_is_left(self) -> bool:
        if await self.kit.count("inbox", "\"group\" = 'notifications.repairs'"):
            return False
        return not await self.kit.count("repair", "state = 'asked'")  # it is there before it has left the inbox

    async def works(self) -> list[str]:
        clerk = Clerk()
        async with running(a_worker(self.kit, self.group, clerk)):
            await eventually(self.is_idle)
        return clerk.handled

    async def refusals(self) -> list[tuple[str, str, bool]]:
        entries = await said(self.kit, "repair.refused.v1")
        return [(each["subject"], each["data"]["reason"], each["data"]["gone"]) for each in entries]


@pytest.fixture
def scene(kit: Kit) -> Scene:
    return Scene(kit)


async def test_a_lane_that_stands_does_not_hold_up_its_own_repair(scene: Scene) -> None:
    await scene.give_up()
    wish = scene.wish()
    await scene.take_in(wish)
    (entry,) = await said(scene.kit, "repair.made.v1")
    assert (entry["actor"], entry["causationid"], entry["shop"]) == ("maria", wish.meta.id, "nordic-tea")
    data = {name: entry["data"][name] for name in ("action", "entry_id", "group", "message_id")}
    assert data == {
        "action": "retry",
        "entry_id": "the-entry",
        "group": "notifications",
        "message_id": scene.events[0].meta.id,
    }
    assert await scene.works() == [event.meta.id for event in scene.events], "in order"


async def test_what_is_skipped_lets_the_lane_go_on(scene: Scene) -> None:
    await scene.give_up()
    await scene.take_in(scene.wish(action="skip", reason="a test order"))
    (entry,) = await said(scene.kit, "repair.made.v1")
    assert (entry["data"]["action"], entry["data"]["reason"]) == ("skip", "a test order")
    assert await scene.works() == [event.meta.id for event in scene.events[1:]]


async def test_a_wish_that_comes_twice_is_done_once(scene: Scene) -> None:
    await scene.give_up()
    wish = scene.wish()
    await scene.take_in(wish, wish)
    assert await scene.kit.count("repair") == 1


async def test_a_second_wish_is_told_that_nothing_is_left(scene: Scene) -> None:
    await scene.give_up()
    skip = scene.wish(action="skip", reason="a test")
    await scene.take_in(skip)
    await scene.take_in(scene.wish())
    assert await scene.refusals() == [(str(scene.order.id), "not-there", True)]


async def test_what_is_asked_of_another_service_is_left_to_it(scene: Scene) -> None:
    await scene.give_up()
    await scene.take_in(scene.wish(service="documents"))
    assert await scene.kit.count("repair") == 0
    assert (await scene.lane())["state"] == "blocked"


@pytest.mark.parametrize("other", [{"id": uuid4()}, {"shop": "another"}])
async def test_a_message_of_another_order_or_shop_is_not_touched(scene: Scene, other: dict[str, Any]) -> None:
    await scene.give_up()
    stranger = an_order(**{"id": scene.order.id} | other)
    await scene.take_in(scene.wish(stranger))
    assert await scene.refusals() == [(str(stranger.id), "not-there", True)]
    assert await scene.kit.count("inbox", "state = 'dead'") == 1


@pytest.mark.parametrize("other", [{"id": uuid4()}, {"shop": "another"}])
async def test_a_call_about_another_order_or_shop_is_not_settled(scene: Scene, other: dict[str, Any]) -> None:
    await scene.kit.pool.execute(EFFECT, "mail:1", str(scene.order.id), "nordic-tea")
    stranger = an_order(**{"id": scene.order.id} | other)
    none = {"group": None, "message_id": None, "message_source": None}
    await scene.take_in(scene.wish(stranger, action="settle", key="mail:1", happened=True, **none))
    assert await scene.refusals() == [(str(stranger.id), "unknown-effect", True)]
    assert await scene.kit.count("effect", "state = 'unknown'") == 1


async def test_a_call_is_settled_as_it_was_said(scene: Scene) -> None:
    await scene.kit.pool.execute(EFFECT, "mail:1", str(scene.order.id), "nordic-tea")
    none = {"group": None, "message_id": None, "message_source": None}
    wish = scene.wish(action="settle", key="mail:1", happened=False, again=True, reason="he got none", **none)
    await scene.take_in(wish)
    (entry,) = await said(scene.kit, "effect.settled.v1")
    assert (entry["causationid"], entry["data"]["happened"], entry["data"]["reason"]) == (
        wish.meta.id, False, "he got none",
    )  # fmt: skip
    assert await scene.kit.count("effect", "state = 'planned'") == 1


async def test_what_waits_for_its_next_try_is_due_now(scene: Scene) -> None:
    await arrive(scene.kit, scene.group, scene.events)
    scene.n = len(scene.events)
    await scene.kit.pool.execute("update lane set due = now() + interval '10 min', attempts = 5, failing_since = now()")
    await scene.take_in(scene.wish())
    (entry,) = await said(scene.kit, "repair.made.v1")
    assert entry["data"]["action"] == "retry"
    row = await scene.lane()
    assert (row["attempts"], row["wait"].total_seconds() <= 0) == (5, True), "and its day is not begun anew"


async def test_what_waits_behind_another_dead_message_is_not_hurried_and_can_be_asked_for_again(scene: Scene) -> None:
    await scene.give_up()
    await scene.take_in(scene.wish(message_id=scene.events[1].meta.id))
    assert await scene.refusals() == [(str(scene.order.id), "lane-blocked", False)]


async def test_what_was_asked_before_a_restore_is_told_and_can_be_asked_for_again(scene: Scene) -> None:
    await scene.give_up()
    await scene.kit.pool.execute(
        "update relay set restored = true, incarnation = extract(epoch from now())::bigint + 60"
    )
    await scene.take_in(scene.wish())
    assert await scene.refusals() == [(str(scene.order.id), "before-restore", False)]


async def test_a_failure_that_nobody_foresaw_is_told_on_the_order(scene: Scene) -> None:
    await scene.give_up()
    rule = "alter table lane add constraint stands check (\"group\" <> 'notifications' or state = 'blocked') not valid"
    await scene.kit.pool.execute(rule)
    await scene.take_in(scene.wish())
    assert await scene.refusals() == [(str(scene.order.id), "cannot-be-done", False)]

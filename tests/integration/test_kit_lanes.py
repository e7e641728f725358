"""Lanes: one order's messages in order, whoever crashes, retries, or arrives in between."""

import asyncio
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

import pytest

from shared.contracts.message import Message
from shared.contracts.message import Sequence as Number
from shared.contracts.order import OrderSnapshot
from shared.contracts.order_commands import PlaceOrder, ResendConfirmation
from shared.contracts.order_events import OrderPlaced
from shared.contracts.refusal import Refused
from shared.contracts.topics import ORDERS_COMMANDS, ORDERS_EVENTS
from shared.messaging import lanes
from shared.messaging.commits import GroupCommit
from shared.messaging.database import transaction
from shared.messaging.failures import STEPS, Reject, Retry, delay
from shared.messaging.finish import Ending, ended, settle
from shared.messaging.groups import Group
from shared.messaging.inside import InsideWorker
from shared.messaging.outside import OutsideWorker
from shared.messaging.sweeper import Sweeper
from tests.builders import an_order, confirmation_requested, placed, stamped, to_place
from tests.plugins.kit import Kit, running
from tests.plugins.lanes import arrive, is_idle, lane, said
from tests.plugins.waiting import eventually


class Desk:
    """What the handlers of these tests work on: it remembers whom it saw, and fails when it is told to."""

    def __init__(self) -> None:
        self.seen: list[str] = []
        self.fail: Callable[[Message], Exception | None] = lambda _: None
        self.gate = asyncio.Event()
        self.gate.set()

    async def see(self, message: Message) -> None:
        error = self.fail(message)
        if error is not None:
            raise error
        await self.gate.wait()
        self.seen.append(message.meta.id)


def events_group(*, blocks: bool = True) -> Group:
    group = Group("notifications", reads=ORDERS_EVENTS)

    @group.on(OrderPlaced, blocks=blocks)
    async def see_it(event: OrderPlaced, desk: Desk) -> list[Message]:
        await desk.see(event)
        return []

    return group


def commands_group() -> Group:
    group = Group("orders.commands", reads=ORDERS_COMMANDS, inside=True, answers=True)

    @group.on(PlaceOrder)
    async def accept(command: PlaceOrder, desk: Desk) -> list[OrderPlaced]:
        await desk.see(command)
        return [OrderPlaced(order=an_order(id=command.order_id))]

    return group


def outside(kit: Kit, group: Group, desk: Desk, **options: Any) -> OutsideWorker:
    return OutsideWorker(kit.pool, kit.dsn, [group], kit.outbox, kit.bell, {Desk: desk}, poll=0.05, **options)


def inside(kit: Kit, group: Group, desk: Desk) -> InsideWorker:
    return InsideWorker(kit.pool, kit.dsn, group, kit.outbox, kit.bell, {Desk: lambda _: desk}, poll=0.05)


def events_about(order: OrderSnapshot, count: int) -> list[OrderPlaced]:
    events = [placed(order) for _ in range(count)]
    return [event.stamped(event.meta.numbered(Number(1, n))) for n, event in enumerate(events, start=1)]


async def test_the_messages_of_an_order_are_handled_in_order_and_its_lane_goes_idle(kit: Kit) -> None:
    group, desk, order = events_group(), Desk(), an_order()
    events = events_about(order, 120)
    await arrive(kit, group, events)
    async with running(outside(kit, group, desk)):
        await eventually(lambda: is_idle(kit, str(order.id)))
    assert desk.seen == [event.meta.id for event in events]
    assert await kit.count("inbox") == 0


async def test_a_message_that_arrives_while_the_lane_is_worked_is_not_slept_over(kit: Kit) -> None:
    group, desk, order = events_group(), Desk(), an_order()
    first, second = events_about(order, 2)
    desk.gate.clear()
    await arrive(kit, group, [first])
    async with running(outside(kit, group, desk)):
        await eventually(lambda: lane_state(kit, order, "leased"))
        await arrive(kit, group, [second])
        desk.gate.set()
        await eventually(lambda: is_idle(kit, str(order.id)))
    assert desk.seen == [first.meta.id, second.meta.id]


async def lane_state(kit: Kit, order: OrderSnapshot, state: str) -> bool:
    return bool((await lane(kit, str(order.id)))["state"] == state)


CLAIM_AND_READ = """
with slowly as materialized (select pg_sleep(1.5)),
claimed as (update lane set state = 'leased' from slowly where subject = $1 returning "group", subject, wake)
select c.wake, i.position from claimed c join inbox i on i."group" = c."group" and i.subject = c.subject
"""


async def somebody_sleeps(kit: Kit) -> bool:
    asleep = "select count(*) from pg_stat_activity where datname = current_database() and wait_event = 'PgSleep'"
    return bool(await kit.pool.fetchval(asleep))


async def test_claiming_and_reading_in_one_statement_would_sleep_over_a_message(kit: Kit) -> None:
    """The forced interleaving behind L2: between the statement's snapshot and its lock a message arrives."""
    group, order = events_group(), an_order()
    first, second = events_about(order, 2)
    await arrive(kit, group, [first])
    joined = asyncio.create_task(kit.pool.fetch(CLAIM_AND_READ, str(order.id)))
    await eventually(lambda: somebody_sleeps(kit))
    await arrive(kit, group, [second])
    in_one = await joined
    assert [row["wake"] for row in in_one] == [1], "it knows of the second wake"
    assert len(in_one) == 1, "and did not read what it was for"

    await kit.pool.execute("update lane set state = 'ready', due = clock_timestamp()")
    (claimed,) = await lanes.claim(kit.pool, group.name, 10)
    await lanes.read(kit.pool, [claimed])
    assert claimed.wake == 1
    assert len(claimed.waiting) == 2


async def test_a_lane_that_was_woken_after_the_read_is_ready_again_when_it_ends(kit: Kit) -> None:
    group, order = events_group(), an_order()
    first, second = events_about(order, 2)
    await arrive(kit, group, [first])
    (claimed,) = await lanes.claim(kit.pool, group.name, 10)
    await lanes.read(kit.pool, [claimed])
    await arrive(kit, group, [second])
    async with transaction(kit.pool) as connection:
        await lanes.lock(connection, [claimed])
        await settle(connection, [ended(claimed)])
    row = await lane(kit, str(order.id))
    assert row["state"] == "ready"
    assert row["due"] is not None
    assert await kit.count("inbox") == 1


async def test_a_retry_keeps_the_order_and_holds_up_nobody_else(kit: Kit) -> None:
    group, desk, order, other = events_group(), Desk(), an_order(), an_order()
    events = events_about(order, 2)
    desk.fail = lambda message: Retry("not now") if message.subject == str(order.id) else None
    await arrive(kit, group, [*events, *events_about(other, 1)])
    async with running(outside(kit, group, desk)):
        await eventually(lambda: lane_has_failed(kit, order))
        await eventually(lambda: is_idle(kit, str(other.id)))
        row = await lane(kit, str(order.id))
        assert row["error"] == "Retry: not now"
        assert row["failing_since"] is not None
        assert timedelta(0) < row["wait"] < timedelta(seconds=1.3)
        desk.fail = lambda _: None
        await eventually(lambda: is_idle(kit, str(order.id)))
    assert desk.seen[1:] == [event.meta.id for event in events]


async def lane_has_failed(kit: Kit, order: OrderSnapshot) -> bool:
    row = await lane(kit, str(order.id))
    return row["state"] == "ready" and row["attempts"] == 1 and row["error"] is not None


async def test_what_was_not_tried_waits_as_long_as_it_says_and_counts_no_attempt(kit: Kit) -> None:
    group, desk, order = events_group(), Desk(), an_order()
    desk.fail = lambda _: Retry("somebody else is at it", after=66.0)
    await arrive(kit, group, events_about(order, 1))
    async with running(outside(kit, group, desk)):
        await eventually(lambda: lane_waits(kit, order))
    row = await lane(kit, str(order.id))
    assert (row["attempts"], row["failing_since"]) == (0, None)
    assert timedelta(seconds=60) < row["wait"] < timedelta(seconds=66)


async def lane_waits(kit: Kit, order: OrderSnapshot) -> bool:
    return (await lane(kit, str(order.id)))["error"] is not None


def test_the_steps_between_tries_rise_to_a_quarter_of_an_hour() -> None:
    for attempts, step in enumerate([*STEPS, STEPS[-1]], start=1):
        assert step * 0.8 <= delay(attempts) <= step * 1.2


async def test_after_a_day_of_failing_a_message_is_dead_in_its_place_and_blocks_its_lane(kit: Kit) -> None:
    group, desk, order = events_group(), Desk(), an_order()
    desk.fail = lambda _: Retry("still not")
    await arrive(kit, group, events_about(order, 2))
    await kit.pool.execute("update lane set failing_since = now() - interval '25 hours'")
    async with running(outside(kit, group, desk)):
        await eventually(lambda: lane_state(kit, order, "blocked"))
    rows = await kit.pool.fetch("select state, error from inbox order by position")
    assert [row["state"] for row in rows] == ["dead", "ready"]
    assert rows[0]["error"] == "Retry: still not"
    assert (await lane(kit, str(order.id)))["due"] is None


async def test_a_rejected_message_is_dead_at_once_and_skipped_where_the_handler_says_so(kit: Kit) -> None:
    group, desk, order = events_group(blocks=False), Desk(), an_order()
    first, second = events_about(order, 2)
    desk.fail = lambda message: Reject("never") if message.meta.id == first.meta.id else None
    await arrive(kit, group, [first, second])
    async with running(outside(kit, group, desk)):
        await eventually(lambda: is_idle(kit, str(order.id)))
    assert desk.seen == [second.meta.id]
    assert await kit.count("inbox", "state = 'dead'") == 1


async def test_a_worker_that_lost_its_lane_writes_nothing(kit: Kit) -> None:
    group, order = events_group(), an_order()
    await arrive(kit, group, events_about(order, 1))
    (zombie,) = await lanes.claim(kit.pool, group.name, 10, 0.0)
    await lanes.read(kit.pool, [zombie])
    (living,) = await lanes.claim(kit.pool, group.name, 10)
    await lanes.read(kit.pool, [living])
    assert living.attempts == 2
    async with transaction(kit.pool) as connection:
        assert await lanes.lock(connection, [zombie]) == []
    assert zombie.lost
    await lanes.renew(kit.pool, [living])
    assert not living.lost


async def test_of_two_claims_of_one_lane_in_one_commit_only_the_living_one_is_ours(kit: Kit) -> None:
    """A worker claims again, under a new token, what it lost itself: both attempts may end at the same moment."""
    group, order = events_group(), an_order()
    await arrive(kit, group, events_about(order, 1))
    (zombie,) = await lanes.claim(kit.pool, group.name, 10, 0.0)
    (living,) = await lanes.claim(kit.pool, group.name, 10)
    await lanes.renew(kit.pool, [zombie, living])
    assert (zombie.lost, living.lost) == (True, False)
    zombie.lost = False
    async with transaction(kit.pool) as connection:
        assert await lanes.lock(connection, [zombie, living]) == [living]
    assert zombie.lost


async def test_what_the_living_and_the_lost_attempt_of_a_lane_say_is_said_once(kit: Kit) -> None:
    group, order = events_group(), an_order()
    (event,) = events_about(order, 1)
    await arrive(kit, group, [event])
    (zombie,) = await lanes.claim(kit.pool, group.name, 10, 0.0)
    (living,) = await lanes.claim(kit.pool, group.name, 10)
    await lanes.read(kit.pool, [zombie, living])
    endings = [
        Ending(lane, "finished", done=[lane.waiting[0].position], said=[(event.meta, [OrderPlaced(order=order)])])
        for lane in (zombie, living)
    ]
    written = await outside(kit, group, Desk())._write_endings(endings)  # noqa: SLF001 - as one group commit
    assert written == [False, True]
    assert len(await said(kit, "order.placed.v1")) == 1


async def test_after_a_lost_connection_leases_are_renewed_at_once(kit: Kit) -> None:
    group, desk, order, stopping = events_group(), Desk(), an_order(), asyncio.Event()
    desk.gate.clear()
    await arrive(kit, group, events_about(order, 1))
    worker = outside(kit, group, desk, lease_seconds=60.0)
    (claimed,) = await lanes.claim(kit.pool, group.name, 1, 5.0)
    await lanes.read(kit.pool, [claimed])
    worker._begin(claimed)  # noqa: SLF001 - it is at work on this lane when its connection is lost
    began = (await lane(kit, str(order.id)))["due"]
    working = asyncio.create_task(worker._work(kit.pool, stopping))  # noqa: SLF001 - and begins again
    await eventually(lambda: leased_until(kit, order, began + timedelta(seconds=30)))
    assert (await lane(kit, str(order.id)))["token"] == claimed.token
    stopping.set()
    desk.gate.set()
    await working
    await eventually(lambda: is_idle(kit, str(order.id)))


async def test_a_connection_that_breaks_under_a_claim_ends_no_worker(kit: Kit) -> None:
    group, desk, order = events_group(), Desk(), an_order()
    waiting = "wait_event_type = 'Lock' and application_name = 'lanes' and datname = current_database()"

    async def broken() -> bool:
        ended = f"select pg_terminate_backend(pid) from pg_stat_activity where {waiting}"
        return bool(await kit.pool.fetchval(ended))

    async with running(outside(kit, group, desk)):
        async with transaction(kit.pool) as other:
            await other.execute("lock table lane")
            await eventually(broken)
        await arrive(kit, group, events_about(order, 1))
        await eventually(lambda: is_idle(kit, str(order.id)))


async def test_a_message_whose_outcome_cannot_be_written_has_failed(kit: Kit) -> None:
    group, order, name = Group("notifications", reads=ORDERS_EVENTS), an_order(), "x" * 2_000_000

    @group.on(OrderPlaced)
    async def say_too_much(event: OrderPlaced) -> list[Message]:
        line = event.order.lines[0].model_copy(update={"name": name})
        return [OrderPlaced(order=event.order.model_copy(update={"lines": [line]}))]

    await arrive(kit, group, events_about(order, 1))
    async with running(outside(kit, group, Desk())):
        await eventually(lambda: lane_has_failed(kit, order))
    row = await lane(kit, str(order.id))
    assert row["error"].startswith("RecordTooLarge")
    assert row["failing_since"] is not None


async def test_a_record_that_this_version_can_no_longer_read_is_dead_at_once(kit: Kit) -> None:
    group, order = commands_group(), an_order()
    await arrive(kit, group, [to_place(order)])
    await kit.pool.execute("update message set record = 'no envelope'")
    async with running(inside(kit, group, Desk())):
        await eventually(lambda: lane_state(kit, order, "blocked"))
    assert await kit.count("inbox", "state = 'dead'") == 1


async def test_a_lease_is_renewed_while_the_handler_runs(kit: Kit) -> None:
    group, desk, order = events_group(), Desk(), an_order()
    (event,) = events_about(order, 1)
    desk.gate.clear()
    await arrive(kit, group, [event])
    async with running(outside(kit, group, desk, lease_seconds=1.0), outside(kit, group, desk, lease_seconds=1.0)):
        await eventually(lambda: lane_state(kit, order, "leased"))
        began = (await lane(kit, str(order.id)))["due"]
        await eventually(lambda: leased_until(kit, order, began + timedelta(seconds=2)), timeout=10)
        desk.gate.set()
        await eventually(lambda: is_idle(kit, str(order.id)))
    assert desk.seen == [event.meta.id]


async def leased_until(kit: Kit, order: OrderSnapshot, moment: Any) -> bool:
    row = await lane(kit, str(order.id))
    return bool(row["state"] == "leased" and row["due"] > moment)


async def test_stopping_finishes_the_message_in_hand_and_gives_the_rest_back(kit: Kit) -> None:
    group, desk, order = events_group(), Desk(), an_order()
    events = events_about(order, 3)
    desk.gate.clear()
    await arrive(kit, group, events)
    worker, stopping = outside(kit, group, desk), asyncio.Event()
    task = asyncio.create_task(worker.run(stopping))
    await eventually(lambda: lane_state(kit, order, "leased"))
    stopping.set()
    desk.gate.set()
    await task
    row = await lane(kit, str(order.id))
    assert desk.seen == [events[0].meta.id]
    assert (row["state"], row["token"]) == ("ready", None)
    assert await kit.count("inbox") == 2


async def test_commands_of_many_orders_are_accepted_and_announced_together(kit: Kit) -> None:
    group, desk = commands_group(), Desk()
    await arrive(kit, group, [to_place(an_order()) for _ in range(80)])
    async with running(inside(kit, group, desk)):
        await eventually(lambda: nothing_waits(kit))
    assert len(await said(kit, "order.placed.v1")) == 80
    assert len(await said(kit, "order.noted.v1")) == 80


async def nothing_waits(kit: Kit) -> bool:
    return await kit.count("inbox") == 0 and await kit.count("lane", "state <> 'idle'") == 0


async def test_one_failing_command_spoils_none_of_its_batch(kit: Kit) -> None:
    group, desk, bad = commands_group(), Desk(), an_order()
    desk.fail = lambda message: RuntimeError("boom") if message.subject == str(bad.id) else None
    await arrive(kit, group, [to_place(order) for order in [*(an_order() for _ in range(10)), bad]])
    async with running(inside(kit, group, desk)):
        await eventually(lambda: lane_has_failed(kit, bad))
        await eventually(lambda: has_said(kit, 10))
    assert (await lane(kit, str(bad.id)))["error"] == "RuntimeError: boom"


async def has_said(kit: Kit, count: int) -> bool:
    return len(await said(kit, "order.placed.v1")) == count


async def test_a_refused_command_is_answered_on_the_log(kit: Kit) -> None:
    group, desk, order = commands_group(), Desk(), an_order()
    desk.fail = lambda _: Refused("unknown-shop", "there is no such shop")
    command = to_place(order)
    await arrive(kit, group, [command])
    async with running(inside(kit, group, desk)):
        await eventually(lambda: nothing_waits(kit))
    (answer,) = await said(kit, "command.rejected.v1")
    assert answer["causationid"] == command.meta.id
    assert answer["subject"] == str(order.id)
    assert answer["data"]["reason"] == "unknown-shop"
    assert answer["data"]["command_type"] == "order.place.v1"


async def test_a_command_that_nobody_accepts_is_answered_too(kit: Kit) -> None:
    group, order = commands_group(), an_order()
    again = stamped(ResendConfirmation(order_id=order.id), shop=order.shop)
    event = stamped(confirmation_requested(order), shop=order.shop)
    await arrive(kit, group, [again, event])
    async with running(inside(kit, group, Desk())):
        await eventually(lambda: nothing_waits(kit))
    assert [answer["data"]["reason"] for answer in await said(kit, "command.rejected.v1")] == ["unknown-command"] * 2


async def test_a_command_whose_data_does_not_fit_is_answered_field_by_field(kit: Kit) -> None:
    group, order = commands_group(), an_order()
    command = to_place(order)
    broken = command.model_copy(update={"lines": [command.lines[0].model_copy(update={"quantity": -1})]})
    await arrive(kit, group, [broken])
    async with running(inside(kit, group, Desk())):
        await eventually(lambda: nothing_waits(kit))
    (answer,) = await said(kit, "command.rejected.v1")
    assert answer["data"]["reason"] == "invalid-command"
    assert answer["data"]["errors"][0].startswith("lines.0.quantity: ")


async def test_the_sweeper_wakes_only_what_a_correct_kit_would_not_leave_asleep(kit: Kit) -> None:
    group, order = events_group(), an_order()
    await arrive(kit, group, events_about(order, 1))
    sweeper = Sweeper(kit.pool, kit.bell)
    await kit.pool.execute("update lane set state = 'idle', due = null")
    await sweeper.sweep()
    assert (await lane(kit, str(order.id)))["state"] == "idle"
    await kit.pool.execute("update message set at = at - interval '5 s'")
    await sweeper.sweep()
    assert (await lane(kit, str(order.id)))["state"] == "ready"


async def test_the_sweeper_forgets_messages_that_every_group_has_handled(kit: Kit) -> None:
    group, order = events_group(), an_order()
    await arrive(kit, group, events_about(order, 3))
    await kit.pool.execute("delete from inbox where position in (select min(position) from inbox)")
    await Sweeper(kit.pool, kit.bell).sweep()
    assert await kit.count("message") == 2


async def test_in_a_group_commit_one_bad_item_fails_alone() -> None:
    batches: list[Sequence[int]] = []

    async def write(items: Sequence[int]) -> list[int]:
        batches.append(items)
        await asyncio.sleep(0)
        if 3 in items:
            raise ValueError("three")
        return [item * 10 for item in items]

    commits = GroupCommit(write)
    results = await asyncio.gather(*(commits.submit(n) for n in range(6)), return_exceptions=True)
    assert [str(result) for result in results] == ["0", "10", "20", "three", "40", "50"]
    assert max(map(len, batches)) > 1


async def test_lanes_finished_from_both_ends_at_once_do_not_deadlock(kit: Kit) -> None:
    group = events_group()
    orders = [an_order() for _ in range(40)]
    await arrive(kit, group, [event for order in orders for event in events_about(order, 1)])
    claimed = await lanes.claim(kit.pool, group.name, 40)

    async def finish(order_of_lanes: Sequence[lanes.Lane]) -> None:
        async with transaction(kit.pool) as connection:
            await lanes.lock(connection, order_of_lanes)
            await settle(connection, [Ending(lane, "leased") for lane in order_of_lanes])

    await asyncio.gather(*(finish(claimed if n % 2 else claimed[::-1]) for n in range(20)))
    assert await kit.count("lane", "state = 'leased'") == 40
    assert not [lane for lane in claimed if lane.lost]


def test_a_type_has_at_most_one_handler_in_a_group() -> None:
    group = events_group()
    with pytest.raises(TypeError, match="two handlers"):

        @group.on(OrderPlaced)
        async def again(event: OrderPlaced) -> list[Message]:
            return [event]


def test_a_worker_says_at_once_what_nobody_provides(kit: Kit) -> None:
    with pytest.raises(TypeError, match="Desk"):
        OutsideWorker(kit.pool, kit.dsn, [events_group()], kit.outbox, kit.bell, {})


async def test_what_has_had_its_time_goes_however_much_it_is(kit: Kit) -> None:
    await kit.pool.execute("""
        insert into seen (topic, source, id, at)
        select 'orders.commands', '/x', n::text, now() - interval '60 days' from generate_series(1, 12000) n
    """)
    await Sweeper(kit.pool, kit.bell).sweep()
    assert await kit.count("seen") == 0

"""Dead messages are tried again in their place or skipped, whatever became of their lanes meanwhile."""

import asyncio
from uuid import uuid4

import pytest

from shared.contracts.order import OrderSnapshot
from shared.contracts.refusal import Refused
from shared.messaging.repairs import Operator
from shared.messaging.wanted import RetryDead, SkipDead
from tests.builders import an_order
from tests.plugins.broken import MARIA, Clerk, a_dead_message, a_group, a_worker, dead, repair, repairs_of, row, story
from tests.plugins.kit import Kit, running
from tests.plugins.lanes import arrive, is_idle, lane, said
from tests.plugins.waiting import eventually


async def works(kit: Kit, order: OrderSnapshot) -> list[str]:
    """Everything that is ready is handled; the ids in the order in which that happened."""
    clerk = Clerk()
    async with running(a_worker(kit, a_group(), clerk)):
        await eventually(lambda: is_idle(kit, str(order.id)))
    return clerk.handled


async def test_a_retried_message_is_handled_in_its_place_and_what_waited_behind_it_follows(kit: Kit) -> None:
    order, group = an_order(id=uuid4()), a_group()
    events = story(order, "ppp")
    positions = await dead(kit, group, events, given_up=[0])
    assert (await lane(kit, str(order.id)))["state"] == "blocked"

    done = await repair(
        repairs_of(kit, group), RetryDead(group="notifications", position=positions[events[0].meta.id]), MARIA
    )

    assert "in order" in done.answer
    assert await works(kit, order) == [event.meta.id for event in events]
    assert await kit.count("inbox") == 0


async def test_a_retry_begins_anew_with_its_counters(kit: Kit) -> None:
    order, position = await a_dead_message(kit)
    await kit.pool.execute("update lane set attempts = 9, crashes = 3, failing_since = now() - interval '1 day'")
    before = await lane(kit, str(order.id))
    await repair(repairs_of(kit, a_group()), RetryDead(group="notifications", position=position))
    after = await lane(kit, str(order.id))
    assert (after["state"], after["attempts"], after["crashes"], after["failing_since"]) == ("ready", 0, 0, None)
    assert (after["wake"], after["error"]) == (before["wake"] + 1, None)
    assert after["wait"].total_seconds() <= 0
    message = await row(kit, "select state, attempts, error, died_at from inbox")
    assert tuple(message) == ("ready", 0, None, None)


async def test_the_order_log_and_the_records_say_who_did_it_and_why(kit: Kit) -> None:
    order, position = await a_dead_message(kit)
    operator = Operator(actor="maria", reason="asked by asa@example.org")
    await repair(repairs_of(kit, a_group()), RetryDead(group="notifications", position=position), operator)
    (entry,) = await said(kit, "repair.made.v1")
    assert (entry["subject"], entry["shop"], entry["actor"]) == (str(order.id), order.shop, "maria")
    assert entry["data"]["action"] == "retry"
    assert entry["data"]["about"].startswith("notifications order.placed.v1 ")
    assert entry["data"]["reason"] == "asked by a***@example.org"
    record = await row(kit, "select actor, action, arguments, reason, state, answered_at is null as open from repair")
    assert record["arguments"] == f'{{"group": "notifications", "position": {position}}}'
    assert tuple(record)[0:2] + tuple(record)[3:] == ("maria", "retry", "asked by a***@example.org", "done", False)


async def test_a_skipped_message_goes_and_what_waited_behind_it_follows(kit: Kit) -> None:
    order, group = an_order(id=uuid4()), a_group()
    events = story(order, "ppp")
    positions = await dead(kit, group, events, given_up=[0])
    await repair(repairs_of(kit, group), SkipDead(group="notifications", position=positions[events[0].meta.id]))
    assert await works(kit, order) == [event.meta.id for event in events[1:]]
    assert await kit.count("inbox") == 0
    (entry,) = await said(kit, "repair.made.v1")
    assert entry["data"]["action"] == "skip"


async def test_of_a_message_that_blocked_nothing_the_order_cannot_be_kept_and_the_answer_says_so(kit: Kit) -> None:
    order, group = an_order(id=uuid4()), a_group()
    events = story(order, "cpp")
    positions = await dead(kit, group, events, given_up=[0])
    done = await repair(
        repairs_of(kit, group), RetryDead(group="notifications", position=positions[events[0].meta.id]), MARIA
    )
    assert "the order is not kept" in done.answer
    assert await works(kit, order) == [events[0].meta.id]


async def test_what_blocked_nothing_does_not_open_a_lane_that_another_message_blocks(kit: Kit) -> None:
    order, group = an_order(id=uuid4()), a_group()
    events = story(order, "cpp")
    positions = await dead(kit, group, events, given_up=[0, 1])
    skipped, blocking = (positions[event.meta.id] for event in events[:2])
    repairs = repairs_of(kit, group)

    done = await repair(repairs, RetryDead(group="notifications", position=skipped))
    assert "another dead message" in done.answer
    assert (await lane(kit, str(order.id)))["state"] == "blocked"

    await repair(repairs, RetryDead(group="notifications", position=blocking))
    assert await works(kit, order) == [event.meta.id for event in events]


async def test_a_blocked_lane_stays_so_when_a_message_that_did_not_block_it_is_skipped(kit: Kit) -> None:
    order, group = an_order(id=uuid4()), a_group()
    events = story(order, "cpp")
    positions = await dead(kit, group, events, given_up=[0, 1])
    await repair(repairs_of(kit, group), SkipDead(group="notifications", position=positions[events[0].meta.id]))
    assert (await lane(kit, str(order.id)))["state"] == "blocked"


async def test_a_lane_that_is_gone_is_made_again(kit: Kit) -> None:
    order, group = an_order(id=uuid4()), a_group()
    (event,) = story(order, "c")
    positions = await dead(kit, group, [event], given_up=[0])
    await kit.pool.execute("delete from lane")
    await repair(repairs_of(kit, group), RetryDead(group="notifications", position=positions[event.meta.id]))
    assert (await lane(kit, str(order.id)))["shop"] == order.shop
    assert await works(kit, order) == [event.meta.id]


async def test_a_message_is_skipped_also_where_its_lane_is_gone(kit: Kit) -> None:
    _, position = await a_dead_message(kit)
    await kit.pool.execute("delete from lane")
    await repair(repairs_of(kit, a_group()), SkipDead(group="notifications", position=position))
    assert await kit.count("inbox") == 0
    assert [entry["shop"] for entry in await said(kit, "repair.made.v1")] == ["nordic-tea"]


async def test_a_lane_that_is_being_worked_keeps_its_lease_and_takes_the_message_up_afterwards(kit: Kit) -> None:
    order, group = an_order(id=uuid4()), a_group()
    (event, *_) = story(order, "c")
    positions = await dead(kit, group, [event], given_up=[0])
    await kit.pool.execute(
        "update lane set state = 'leased', token = gen_random_uuid(), due = now() + interval '9 s', attempts = 4"
    )
    before = await lane(kit, str(order.id))
    await repair(repairs_of(kit, group), RetryDead(group="notifications", position=positions[event.meta.id]))
    after = await lane(kit, str(order.id))
    assert [after[name] for name in ("state", "token", "due", "attempts")] == [
        before[name] for name in ("state", "token", "due", "attempts")
    ]
    assert after["wake"] == before["wake"] + 1


async def test_what_is_retried_while_its_lane_is_worked_is_not_slept_over(kit: Kit) -> None:
    order, group, clerk = an_order(id=uuid4()), a_group(), Clerk()
    first, second = story(order, "cp")
    positions = await dead(kit, group, [first], given_up=[0])
    clerk.gate.clear()
    await arrive(kit, group, [second])
    async with running(a_worker(kit, group, clerk)):
        await eventually(lambda: state_is(kit, order, "leased"))
        await repair(repairs_of(kit, group), RetryDead(group="notifications", position=positions[first.meta.id]))
        clerk.gate.set()
        await eventually(lambda: is_idle(kit, str(order.id)))
    assert clerk.handled == [second.meta.id, first.meta.id]
    assert await kit.count("inbox") == 0


async def test_of_two_operators_at_once_one_does_it_and_the_other_is_told(kit: Kit) -> None:
    _, position = await a_dead_message(kit)
    repairs, wanted = repairs_of(kit, a_group()), RetryDead(group="notifications", position=position)
    outcomes = await asyncio.gather(*(repair(repairs, wanted) for _ in range(5)), return_exceptions=True)
    refused = [outcome for outcome in outcomes if isinstance(outcome, Refused)]
    assert len(refused) == 4
    assert {refusal.reason for refusal in refused} == {"not-dead"}
    assert len(await said(kit, "repair.made.v1")) == 1
    assert await kit.count("repair") == 1


async def test_one_who_skips_and_one_who_retries_at_once_do_not_both_succeed(kit: Kit) -> None:
    _, position = await a_dead_message(kit)
    repairs = repairs_of(kit, a_group())
    outcomes = await asyncio.gather(
        repair(repairs, RetryDead(group="notifications", position=position)),
        repair(repairs, SkipDead(group="notifications", position=position)),
        return_exceptions=True,
    )
    assert sum(isinstance(outcome, Refused) for outcome in outcomes) == 1


@pytest.mark.parametrize("wanted", [RetryDead(group="notifications", position=1), SkipDead(group="x", position=1)])
async def test_what_is_not_dead_cannot_be_repaired(kit: Kit, wanted: RetryDead | SkipDead) -> None:
    await arrive(kit, a_group(), story(an_order(id=uuid4()), "p"))
    with pytest.raises(Refused, match="no dead message"):
        await repair(repairs_of(kit, a_group()), wanted)
    assert (await kit.count("repair"), await kit.count("inbox", "state = 'ready'")) == (0, 1)


async def test_a_message_of_a_group_that_nobody_works_here_is_not_made_ready(kit: Kit) -> None:
    _, position = await a_dead_message(kit)
    with pytest.raises(Refused, match="no group notifications"):
        await repair(repairs_of(kit), RetryDead(group="notifications", position=position))


async def test_a_message_that_is_given_up_again_blocks_again_and_is_the_one_that_opens_the_lane(kit: Kit) -> None:
    order, group = an_order(id=uuid4()), a_group()
    events = story(order, "pcp")
    positions = await dead(kit, group, events, given_up=[0])
    repairs, (first, second, _) = repairs_of(kit, group), events
    for expected in ("ready", "blocked", "ready"):
        clerk = Clerk()
        if expected == "blocked":
            clerk.rejects = {first.meta.id}
            async with running(a_worker(kit, group, clerk)):
                await eventually(lambda: state_is(kit, order, "blocked"))
        else:
            await repair(repairs, RetryDead(group="notifications", position=positions[first.meta.id]))
        assert await state_is(kit, order, expected)
    assert await works(kit, order) == [event.meta.id for event in events]
    assert second.meta.id not in positions


async def state_is(kit: Kit, order: OrderSnapshot, state: str) -> bool:
    return bool((await lane(kit, str(order.id)))["state"] == state)

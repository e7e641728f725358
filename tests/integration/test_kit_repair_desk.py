"""What operators leave at the desk is done once, each with its answer, whoever is away or fails meanwhile."""

import asyncio
from uuid import uuid4

import asyncpg

from shared.messaging.repair_desk import Answered, RepairDesk, answers, ask
from shared.messaging.repairs import Operator
from shared.messaging.wanted import ReleaseKey, RetryDead, SkipDead
from tests.plugins.broken import MARIA, a_dead_message, a_group, repairs_of, row
from tests.plugins.kit import Kit, running
from tests.plugins.lanes import said
from tests.plugins.waiting import eventually


def a_desk(kit: Kit) -> RepairDesk:
    return RepairDesk(repairs_of(kit, a_group()), every=0.05)


async def answered(kit: Kit, positions: list[int]) -> list[Answered]:
    """The answers, once all are there."""
    found = await answers(kit.pool, positions)
    assert len(found) == len(positions)
    return sorted(found, key=lambda each: each.position)


async def leave(kit: Kit, *wanted: RetryDead | SkipDead | ReleaseKey, operator: Operator = MARIA) -> list[int]:
    async with kit.pool.acquire() as connection:
        return await ask(connection, wanted, operator)


async def test_what_was_asked_while_nobody_was_there_is_done_when_somebody_comes(kit: Kit) -> None:
    order, position = await a_dead_message(kit)
    asked = await leave(kit, RetryDead(group="notifications", position=position))
    assert await answers(kit.pool, asked) == []
    async with running(a_desk(kit)):
        (answer,) = await eventually(lambda: answered(kit, asked))
    assert (answer.done, "in order" in answer.answer) == (True, True)
    (entry,) = await said(kit, "repair.made.v1")
    assert (entry["subject"], entry["actor"], entry["data"]["reason"]) == (str(order.id), "maria", MARIA.reason)
    kept = await row(kit, "select actor, reason, state, answered_at is null as open from repair")
    assert tuple(kept) == ("maria", MARIA.reason, "done", False)


async def test_what_cannot_be_done_is_answered_with_the_reason_and_stops_nobody(kit: Kit) -> None:
    _, position = await a_dead_message(kit)
    wanted = RetryDead(group="notifications", position=position)
    asked = await leave(kit, ReleaseKey(topic="orders.events", key="x"), wanted, wanted)
    async with running(a_desk(kit)):
        found = await eventually(lambda: answered(kit, asked))
    assert [answer.done for answer in found] == [False, True, False]
    assert "nothing of x is parked" in found[0].answer
    assert "no dead message" in found[2].answer


async def test_what_nobody_here_understands_is_refused(kit: Kit) -> None:
    insert = "insert into repair (actor, action, arguments, reason) values ($1, $2, $3::jsonb, '') returning position"
    asked = [
        await kit.pool.fetchval(insert, *values)
        for values in (
            ("maria", "fly", "{}"),
            ("maria", "retry", '{"group": "notifications"}'),
            ("two words", "release", '{"topic": "t", "key": "k"}'),
        )
    ]
    async with running(a_desk(kit)):
        found = await eventually(lambda: answered(kit, asked))
    assert [answer.done for answer in found] == [False] * 3
    assert found[0].answer == "fly is not known here"
    assert found[1].answer == "position: Field required"


async def test_a_failure_that_nobody_foresaw_is_an_answer_and_changes_nothing(kit: Kit) -> None:
    _, position = await a_dead_message(kit)
    await kit.pool.execute("alter table stream add constraint nobody_writes check (last < 0) not valid")
    asked = await leave(kit, RetryDead(group="notifications", position=position))
    async with running(a_desk(kit)):
        (answer,) = await eventually(lambda: answered(kit, asked))
    assert (answer.done, answer.answer.startswith("it cannot be done: CheckViolationError")) == (False, True)
    assert await kit.count("inbox", "state = 'dead'") == 1


async def test_what_was_asked_before_a_restore_may_have_been_done_since_and_is_refused(kit: Kit) -> None:
    """Settled once more as not happened, an effect that happened in the lost time would happen again."""
    _, position = await a_dead_message(kit)
    asked = await leave(kit, SkipDead(group="notifications", position=position))
    await kit.pool.execute("update repair set asked_at = asked_at - interval '1 hour'")
    await kit.pool.execute("update relay set restored = true, incarnation = extract(epoch from now())::bigint - 60")
    asked += await leave(kit, SkipDead(group="notifications", position=position))
    async with running(a_desk(kit)):
        before, after = await eventually(lambda: answered(kit, asked))
    assert (before.done, after.done) == (False, True)
    assert "ask again" in before.answer


async def test_several_desks_do_each_thing_once(kit: Kit) -> None:
    keys = [str(uuid4()) for _ in range(30)]
    await kit.pool.executemany(
        "insert into parked (topic, aggregateid, error) values ('t', $1, '')", [(k,) for k in keys]
    )
    asked = await leave(kit, *(ReleaseKey(topic="t", key=key) for key in keys))
    async with running(a_desk(kit), a_desk(kit), a_desk(kit)):
        found = await eventually(lambda: answered(kit, asked))
    assert all(answer.done for answer in found)
    assert await kit.count("parked") == 0


async def test_a_connection_that_is_lost_in_the_middle_leaves_it_asked_and_it_is_done_afterwards(kit: Kit) -> None:
    _, position = await a_dead_message(kit)
    async with asyncpg.create_pool(kit.dsn, min_size=0, max_size=2) as others:
        async with others.acquire() as holding, holding.transaction():
            await holding.execute("select from lane for update")
            asked = await leave(kit, RetryDead(group="notifications", position=position))
            desk = a_desk(kit)
            stopping = asyncio.Event()
            task = asyncio.create_task(desk.run(stopping))
            pid = await eventually(lambda: who_waits(kit))
            await kit.pool.fetchval("select pg_terminate_backend($1)", pid)
            await eventually(lambda: another_waits(kit, pid))
            assert await answers(kit.pool, asked) == []
        (answer,) = await eventually(lambda: answered(kit, asked))
        assert answer.done
        stopping.set()
        await task


async def another_waits(kit: Kit, pid: int) -> bool:
    return await who_waits(kit) not in {None, pid}


async def who_waits(kit: Kit) -> int | None:
    pid: int | None = await kit.pool.fetchval("select pid from pg_locks where not granted limit 1")
    return pid

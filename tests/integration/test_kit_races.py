"""Races of microseconds: each interleaving is forced, loses something in the simpler form, and nothing in ours."""

import asyncio
from uuid import uuid4

import pytest

from shared.contracts.message import Message
from shared.contracts.order_events import OrderPlaced
from shared.contracts.topics import ORDERS_EVENTS, ORDERS_LOG
from shared.messaging import ingest_sql as sql
from shared.messaging import lanes
from shared.messaging.database import Connection, transaction
from shared.messaging.effects import Done, Effects, Failed, LookUp, Unknown, WhenUnknown, current_lane
from shared.messaging.failures import Retry
from shared.messaging.finish import Ending, ended, settle
from shared.messaging.groups import Group
from shared.messaging.ingest_store import IngestStore
from shared.messaging.intake import Arrived
from shared.messaging.settling import settle as settle_effect
from shared.messaging.sweeper import Sweeper
from tests.builders import an_order
from tests.integration.test_kit_effects import DONE, LOST, World
from tests.integration.test_kit_ingest import a_record, an_entry
from tests.integration.test_kit_lanes import events_about, events_group
from tests.plugins.interleavings import taken_in, wait_for_locks
from tests.plugins.kit import Kit
from tests.plugins.lanes import arrive, lane
from tests.plugins.waiting import eventually

LOCK_AND_READ = """
select h.n from cursor c left join held h using (source, subject, topic) where c.subject = $1 for update of c
"""
HOLD_BACK = """
insert into held (source, subject, topic, incarnation, n, id, type, shop, record, partition, "offset", headers)
select source, subject, topic, 1, 3, 'x', 'message.sent.v1', 'nordic-tea', '', 0, 3, '' from cursor where subject = $1
"""


async def test_held_records_read_in_the_locking_statement_would_be_missed(kit: Kit) -> None:
    """I3: between the statement's snapshot and its lock, another transaction holds a record back."""
    order = str(uuid4())
    first = Arrived(ORDERS_LOG.name, 0, 0, *a_record(an_entry(order, 1)), [])
    await IngestStore(kit.pool, ORDERS_LOG, []).take([first])

    async def one_after_the_other() -> list[int]:
        async with transaction(kit.pool) as connection:
            names = (ORDERS_LOG.name, ["/notifications"], [order])
            assert await connection.fetch(sql.LOCK_CURSORS, *names)
            return [row["offset"] for row in await connection.fetch(sql.READ_HELD, *names)]

    async with transaction(kit.pool) as other:
        await other.execute("select from cursor where subject = $1 for update", order)
        in_one = asyncio.create_task(kit.pool.fetch(LOCK_AND_READ, order))
        in_two = asyncio.create_task(one_after_the_other())
        await eventually(lambda: wait_for_locks(kit, 2))
        await other.execute(HOLD_BACK, order)
    assert [row["n"] for row in await in_one] == [None], "the record is held, and nobody will look again"
    assert await in_two == [3]


IDLE_BY_LOOKING = """
update lane l set token = null, due = null, state = case when exists (
    select from inbox i where i."group" = l."group" and i.subject = l.subject and i.position <> all($2::bigint[]))
  then 'ready' else 'idle' end
where l.subject = $1 and l.token = $3
"""


async def test_a_lane_set_idle_because_nothing_is_seen_in_its_inbox_would_sleep_over_a_message(kit: Kit) -> None:
    """L5: while the finishing statement waits for the lane, ingest commits a message that it cannot see any more."""
    group, simple, ours = events_group(), an_order(), an_order()
    events = {order.id: events_about(order, 2) for order in (simple, ours)}
    await arrive(kit, group, [events[simple.id][0], events[ours.id][0]])
    claimed = {each.subject: each for each in await lanes.claim(kit.pool, group.name, 2)}
    await lanes.read(kit.pool, list(claimed.values()))

    async def by_wake(worked: lanes.Lane) -> None:
        async with transaction(kit.pool) as connection:
            await settle(connection, [ended(worked)])  # even without the lock, which only keeps the order of locks

    looking, waking = claimed[str(simple.id)], claimed[str(ours.id)]
    async with transaction(kit.pool) as ingest:
        await taken_in(ingest, kit, [group], [events[simple.id][1], events[ours.id][1]])
        done = [waiting.position for waiting in looking.waiting]
        finishing = [
            asyncio.create_task(kit.pool.execute(IDLE_BY_LOOKING, looking.subject, done, looking.token)),
            asyncio.create_task(by_wake(waking)),
        ]
        await eventually(lambda: wait_for_locks(kit, 2))
    await asyncio.gather(*finishing)
    assert (await lane(kit, looking.subject))["state"] == "idle", "with a message in its inbox"
    assert (await lane(kit, waking.subject))["state"] == "ready"


def two_groups() -> list[Group]:
    groups = [Group(name, reads=ORDERS_EVENTS) for name in ("notifications", "payment")]
    for group in groups:

        @group.on(OrderPlaced)
        async def see(event: OrderPlaced) -> list[Message]:
            raise NotImplementedError(event)

    return groups


FINISH_AND_FORGET = """
with gone as (delete from inbox where "group" = $1 returning position)
delete from message m using gone g where m.position = g.position
  and not exists (select from inbox i where i.position = m.position and i."group" <> $1)
"""


async def test_of_two_groups_that_finish_a_message_at_once_none_would_forget_it(kit: Kit) -> None:
    """L7: each still sees the other's row, and nobody comes back to the message; so it is the sweeper that forgets."""
    groups = two_groups()
    await arrive(kit, groups[0], events_about(an_order(), 1))
    await kit.pool.execute("insert into inbox select 'payment', subject, position from inbox")
    async with transaction(kit.pool) as one, transaction(kit.pool) as other:
        await one.execute(FINISH_AND_FORGET, "notifications")
        await other.execute(FINISH_AND_FORGET, "payment")
    assert (await kit.count("inbox"), await kit.count("message")) == (0, 1)
    await Sweeper(kit.pool, kit.bell).sweep()
    assert await kit.count("message") == 0


async def test_two_groups_that_finish_a_message_at_once_leave_nothing_behind(kit: Kit) -> None:
    groups = two_groups()
    async with transaction(kit.pool) as ingest:
        await taken_in(ingest, kit, groups, events_about(an_order(), 1))
    claimed = [each for group in groups for each in await lanes.claim(kit.pool, group.name, 1)]
    await lanes.read(kit.pool, claimed)

    async def finish(connection: Connection, worked: lanes.Lane) -> None:
        await lanes.lock(connection, [worked])
        await settle(connection, [Ending(worked, "finished", done=[each.position for each in worked.waiting])])

    async with transaction(kit.pool) as one, transaction(kit.pool) as other:
        await finish(one, claimed[0])
        await finish(other, claimed[1])
    await Sweeper(kit.pool, kit.bell).sweep()
    assert [await kit.count(table) for table in ("inbox", "message")] == [0, 0]
    assert await kit.count("lane", "state = 'idle'") == 2


CALL_AGAIN_BY_STATE = "update effect set state = 'started', token = $2 where key = $1 and state = 'unknown'"


class LookedUp:
    """A look-up that has not heard of the call, or says what came of it, when the test lets it."""

    def __init__(self, answer: Done | None = None) -> None:
        self.asked, self.answers = asyncio.Event(), asyncio.Event()
        self._answer = answer

    async def __call__(self) -> Done | Failed | None:
        self.asked.set()
        await self.answers.wait()
        return self._answer


async def unknown_of(kit: Kit, world: World) -> lanes.Lane:
    """The lane of a message whose call nobody knows the outcome of."""
    await arrive(kit, events_group(), events_about(an_order(), 1))
    worked = await claimed_anew(kit)
    with pytest.raises(Retry, match="looked into"):
        await called(kit, world, worked, LookedUp())
    return worked


async def claimed_anew(kit: Kit) -> lanes.Lane:
    """The lane, claimed by a worker whose lease the one before has not noticed to have lost."""
    await kit.pool.execute("update lane set state = 'ready', due = clock_timestamp()")
    (worked,) = await lanes.claim(kit.pool, "notifications", 1)
    return worked


async def called(kit: Kit, world: World, worked: lanes.Lane, look_up: LookUp) -> Done | Failed | Unknown:
    """The handler of this lane makes the call, as a task does."""
    current_lane.set(worked)
    return await Effects(kit.pool).once(
        key="charge:1",
        kind="charge",
        call=world.call,
        timeout=60,
        when_unknown=WhenUnknown(look_up=look_up, remembers=3600),
    )


async def test_of_two_who_look_an_unknown_up_at_once_the_later_would_call_again(kit: Kit) -> None:
    """E4: the state alone is the same again when the other has called and nobody knows again; its token is not."""
    world, slow, quick = World(LOST), LookedUp(), LookedUp()
    quick.answers.set()
    await unknown_of(kit, world)
    zombie = await claimed_anew(kit)
    late = asyncio.create_task(called(kit, world, zombie, slow))
    await slow.asked.wait()
    owner = await claimed_anew(kit)
    with pytest.raises(Retry, match="looked into"):
        await asyncio.create_task(called(kit, world, owner, quick))
    assert world.calls == 2
    slow.answers.set()
    with pytest.raises(Retry, match="was faster"):
        await late
    assert world.calls == 2
    assert await kit.pool.execute(CALL_AGAIN_BY_STATE, "charge:1", zombie.token) == "UPDATE 1", "a third call"


async def test_what_a_person_gives_up_while_it_is_looked_up_is_not_called_again(kit: Kit) -> None:
    world, slow = World(LOST), LookedUp()
    await unknown_of(kit, world)
    late = asyncio.create_task(called(kit, world, await claimed_anew(kit), slow))
    await slow.asked.wait()
    await give_up(kit)
    slow.answers.set()
    with pytest.raises(Retry, match="a person, was faster"):
        await late
    assert world.calls == 1
    given_up = await asyncio.create_task(called(kit, world, await claimed_anew(kit), slow))
    assert given_up == Failed("settled-by-person", "")


async def test_what_a_look_up_finds_after_a_person_has_given_it_up_is_not_said_beside_it(kit: Kit) -> None:
    """The order log and the table would say different things of one call."""
    world, slow = World(LOST), LookedUp(DONE)
    await unknown_of(kit, world)
    late = asyncio.create_task(called(kit, world, await claimed_anew(kit), slow))
    await slow.asked.wait()
    await give_up(kit)
    slow.answers.set()
    assert await late == Failed("settled-by-person", "")
    assert await kit.count("effect", "state = 'failed'") == 1


async def give_up(kit: Kit) -> None:
    async with transaction(kit.pool) as connection:
        assert await settle_effect(connection, "charge:1", happened=False, by="person", again=False)

"""Effects: the world is called once per key, and what nobody can know is said, never guessed."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import date
from decimal import Decimal

import pytest

from shared.contracts.topics import ORDERS_EVENTS
from shared.messaging import lanes
from shared.messaging.effects import Done, Effects, Failed, NotSent, Permit, Unknown, current_lane
from shared.messaging.failures import LaneLost, Retry
from shared.messaging.groups import Group
from tests.builders import an_order
from tests.integration.test_kit_lanes import events_about, events_group
from tests.plugins.kit import Kit
from tests.plugins.lanes import arrive
from tests.plugins.waiting import eventually


class World:
    """Somebody outside, who remembers being called."""

    def __init__(self, answer: Done | Failed | Exception) -> None:
        self.calls = 0
        self.answer = answer

    async def call(self, permit: Permit) -> Done | Failed:
        permit.check()
        self.calls += 1
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


@asynccontextmanager
async def a_lane(kit: Kit, lease_seconds: float = 15.0) -> AsyncIterator[lanes.Lane]:
    """A claimed lane, as a handler has it around it."""
    group: Group = events_group()
    await arrive(kit, group, events_about(an_order(), 1))
    (claimed,) = await lanes.claim(kit.pool, group.name, 1, lease_seconds)
    token = current_lane.set(claimed)
    yield claimed
    current_lane.reset(token)


async def state(kit: Kit, key: str = "mail:1") -> str:
    return str(await kit.pool.fetchval("select state from effect where key = $1", key))


DONE = Done({"id": "abc"})


async def once(kit: Kit, world: World, effects: Effects | None = None) -> Done | Failed | Unknown:
    effects = effects or Effects(kit.pool)
    return await effects.once(key="mail:1", kind="mail", call=world.call, timeout=5)


@pytest.mark.requirement("R202")
@pytest.mark.parametrize("answer", [DONE, Failed("refused", "550 no such user")])
async def test_a_second_call_with_the_key_returns_the_recorded_outcome(kit: Kit, answer: Done | Failed) -> None:
    world = World(answer)
    async with a_lane(kit):
        assert await once(kit, world) == answer
        assert await once(kit, world) == answer
    assert world.calls == 1


async def test_an_answer_that_never_came_is_unknown_and_is_not_asked_for_again(kit: Kit) -> None:
    world = World(ConnectionResetError("after the last byte"))
    async with a_lane(kit):
        first = await once(kit, world)
        world.answer = DONE
        assert await once(kit, world) == first == Unknown("ConnectionResetError: after the last byte")
    assert world.calls == 1


async def test_an_answer_that_takes_too_long_is_unknown(kit: Kit) -> None:
    async def never(_: Permit) -> Done:
        await asyncio.Event().wait()
        return DONE

    async with a_lane(kit):
        outcome = await Effects(kit.pool).once(key="mail:1", kind="mail", call=never, timeout=0.05)
    assert isinstance(outcome, Unknown)
    assert await state(kit) == "unknown"


async def test_what_was_certainly_not_sent_is_tried_again(kit: Kit) -> None:
    world = World(NotSent("connection refused"))
    async with a_lane(kit):
        with pytest.raises(Retry, match="connection refused"):
            await once(kit, world)
        assert await state(kit) == "planned"
        world.answer = DONE
        assert await once(kit, world) == DONE
    assert world.calls == 2


async def test_who_connected_too_slowly_may_not_begin(kit: Kit) -> None:
    world = World(DONE)
    async with a_lane(kit):
        with pytest.raises(Retry, match="start allowance"):
            await once(kit, world, Effects(kit.pool, start_allowance=-1.0))
    assert world.calls == 0
    assert await state(kit) == "planned"


async def test_a_crash_in_the_middle_leaves_an_unknown_that_nobody_repeats(kit: Kit) -> None:
    """E1: `started` with its deadline ahead may still be under way; past it, nobody can say."""
    world, begun = World(DONE), asyncio.Event()

    async def dies(permit: Permit) -> Done:
        permit.check()
        world.calls += 1
        begun.set()
        await asyncio.Event().wait()
        return DONE

    async with a_lane(kit):
        crash = asyncio.create_task(Effects(kit.pool).once(key="mail:1", kind="mail", call=dies, timeout=60))
        await begun.wait()
        crash.cancel()
        await asyncio.wait([crash])
        with pytest.raises(Retry, match="still be under way") as not_yet:
            await once(kit, world)
        assert not_yet.value.after == pytest.approx(66, abs=5)
        await kit.pool.execute("update effect set deadline = clock_timestamp() - interval '1 ms'")
        outcome = await once(kit, world)
        assert isinstance(outcome, Unknown)
        assert await once(kit, world) == outcome
    assert world.calls == 1


async def test_a_late_answer_is_recorded_although_it_was_reported_unknown(kit: Kit) -> None:
    answer: asyncio.Future[Done] = asyncio.get_running_loop().create_future()

    async def slow(_: Permit) -> Done:
        return await answer

    async with a_lane(kit) as zombie:
        call = asyncio.create_task(Effects(kit.pool).once(key="mail:1", kind="mail", call=slow, timeout=60))
        await eventually(lambda: kit.count("effect"))
        await kit.pool.execute("update effect set deadline = clock_timestamp() - interval '1 ms'")
        zombie.lost = True
        assert isinstance(await once(kit, World(DONE)), Unknown)
        answer.set_result(DONE)
        assert await call == DONE
    assert await state(kit) == "done"


async def test_without_the_lane_nothing_is_started(kit: Kit) -> None:
    world = World(DONE)
    async with a_lane(kit, lease_seconds=0.0) as zombie:
        with pytest.raises(LaneLost):
            await once(kit, world)
        await kit.pool.execute("update lane set token = gen_random_uuid(), due = now() + interval '1 min'")
        with pytest.raises(LaneLost):
            await once(kit, world)
    assert world.calls == 0
    assert zombie.token is not None


async def test_an_answer_with_what_postgresql_cannot_store_is_recorded_all_the_same(kit: Kit) -> None:
    async with a_lane(kit):
        await once(kit, World(Failed("refused", "a\x00b \ud800")))
        outcome = await once(kit, World(DONE))
    assert outcome == Failed("refused", "a b ?")


async def test_an_answer_with_what_json_does_not_have_is_recorded_all_the_same(kit: Kit) -> None:
    answer = Done({"balance": float("nan"), "due": [float("inf")], "at": date(2026, 11, 25), "price": Decimal("1.50")})
    async with a_lane(kit), asyncio.timeout(10):
        await once(kit, World(answer))
        outcome = await once(kit, World(DONE))
    assert outcome == Done({"balance": "nan", "due": ["inf"], "at": "2026-11-25", "price": "1.50"})


async def test_many_effects_start_in_one_commit_and_each_is_called_once(kit: Kit) -> None:
    effects, world = Effects(kit.pool), World(DONE)
    async with a_lane(kit):
        await asyncio.gather(
            *(effects.once(key=f"mail:{n}", kind="mail", call=world.call, timeout=5) for n in range(100))
        )
    assert world.calls == 100
    assert await kit.count("effect", "state = 'done'") == 100

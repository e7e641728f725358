"""Effects: the world is called once per key, and what nobody can know is said, never guessed."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import date
from decimal import Decimal

import pytest
from cryptography.fernet import Fernet

from shared.messaging import lanes
from shared.messaging.database import transaction
from shared.messaging.effects import (
    ASK_A_PERSON,
    Done,
    Effects,
    Failed,
    LookUp,
    NotSent,
    Permit,
    PutOff,
    Unknown,
    WhenUnknown,
    current_lane,
)
from shared.messaging.failures import LaneLost, Retry
from shared.messaging.groups import Group
from shared.messaging.sealing import CannotOpen, Seal
from shared.messaging.settling import settle
from shared.messaging.sweeper import Sweeper
from tests.builders import an_order
from tests.integration.test_kit_lanes import events_about, events_group
from tests.plugins.kit import Kit
from tests.plugins.lanes import arrive
from tests.plugins.waiting import eventually


class World:
    """Somebody outside, who remembers being called."""

    def __init__(self, answer: Done | Failed | Exception) -> None:
        self.calls = 0
        self.requests: list[bytes] = []
        self.answer = answer

    async def call(self, permit: Permit, request: bytes) -> Done | Failed:
        permit.check()
        self.calls += 1
        self.requests.append(request)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


@asynccontextmanager
async def a_lane(kit: Kit, lease_seconds: float = 15.0) -> AsyncIterator[lanes.Lane]:
    """A claimed lane, as a handler has it around it."""
    group: Group = events_group()
    await arrive(kit, group, events_about(an_order(), 1))
    (claimed,) = await lanes.claim(kit.pool, group.name, 1, lease_seconds)
    await lanes.read(kit.pool, [claimed])
    claimed.at = claimed.waiting[0]
    token = current_lane.set(claimed)
    yield claimed
    current_lane.reset(token)


async def state(kit: Kit, key: str = "mail:1") -> str:
    return str(await kit.pool.fetchval("select state from effect where key = $1", key))


DONE = Done({"id": "abc"})


async def once(
    kit: Kit,
    world: World,
    effects: Effects | None = None,
    rule: WhenUnknown = ASK_A_PERSON,
    request: bytes = b"the mail",
) -> Done | Failed | Unknown:
    effects = effects or Effects(kit.pool)
    return await effects.once(key="mail:1", kind="mail", call=world.call, timeout=5, request=request, when_unknown=rule)


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
    async def never(_permit: Permit, _request: bytes) -> Done:
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

    async def dies(permit: Permit, _request: bytes) -> Done:
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

    async def slow(_permit: Permit, _request: bytes) -> Done:
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


def answering(*answers: Done | Failed | Exception | None) -> LookUp:
    """A look-up that gives these answers, one after the other."""
    left = list(answers)

    async def look_up() -> Done | Failed | None:
        answer = left.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    return look_up


LOST = ConnectionResetError("after the last byte")


async def test_where_the_other_side_can_be_asked_an_unknown_is_looked_up_and_nothing_is_called_twice(kit: Kit) -> None:
    world, rule = World(LOST), WhenUnknown(look_up=answering(OSError("away"), DONE))
    async with a_lane(kit):
        with pytest.raises(Retry, match="looked into") as first:
            await once(kit, world, rule=rule)
        assert (first.value.after, await state(kit)) == (5.0, "unknown")
        with pytest.raises(Retry, match="cannot be asked") as second:
            await once(kit, world, rule=rule)
        assert second.value.after == 15.0
        assert await once(kit, world, rule=rule) == DONE
        assert await once(kit, world) == DONE
    assert world.calls == 1
    assert await kit.pool.fetchval("select settled_by from effect") == "look-up"


async def test_what_the_other_side_has_not_heard_of_is_called_again_while_it_remembers_keys(kit: Kit) -> None:
    world, effects = World(LOST), Effects(kit.pool, seal=Seal([Fernet.generate_key().decode()]))
    rule = WhenUnknown(look_up=answering(None, None), remembers=3600.0)
    async with a_lane(kit):
        with pytest.raises(Retry):
            await once(kit, world, effects, rule)
        world.answer = DONE
        assert await once(kit, world, effects, rule, request=b"another mail") == DONE
    assert world.requests == [b"the mail", b"the mail"], "byte for byte the first one"


async def test_what_the_other_side_has_not_heard_of_is_not_called_again_when_it_has_forgotten_keys(kit: Kit) -> None:
    world, rule = World(LOST), WhenUnknown(look_up=answering(None, None), remembers=3600.0, holds=7200.0)
    async with a_lane(kit):
        with pytest.raises(Retry):
            await once(kit, world, rule=rule)
        await kit.pool.execute("update effect set first_at = first_at - interval '61 minutes'")
        with pytest.raises(Retry, match="does not know of it, or not yet") as again:
            await once(kit, world, rule=rule)
        assert again.value.after == 15.0
        await kit.pool.execute("update effect set first_at = first_at - interval '60 minutes'")
        assert isinstance(await once(kit, world, rule=rule), Unknown)
    assert world.calls == 1


async def test_what_nobody_ever_answers_is_called_for_further_and_further_apart_and_then_reported(kit: Kit) -> None:
    """Else an order would wait, in silence, for as long as the other side remembers keys: a day."""
    world, rule = World(LOST), WhenUnknown(look_up=answering(*[None] * 9), remembers=86_400.0)
    pauses = []
    async with a_lane(kit):
        for _ in range(3):
            with pytest.raises(Retry, match="looked into") as later:
                await once(kit, world, rule=rule)
            pauses.append(later.value.after)
        await kit.pool.execute("update effect set first_at = first_at - interval '890 seconds'")
        with pytest.raises(Retry, match="looked into") as last:
            await once(kit, world, rule=rule)
        await kit.pool.execute("update effect set first_at = first_at - interval '11 seconds'")
        assert isinstance(await once(kit, world, rule=rule), Unknown)
    assert pauses == [5.0, 15.0, 45.0]
    assert 0 < (last.value.after or 0) <= 10, "what is left of its time, not two minutes"
    assert world.calls == 4


async def test_the_time_of_what_was_not_sent_begins_when_it_is(kit: Kit) -> None:
    world, rule = World(NotSent("refused")), WhenUnknown(look_up=answering(DONE))
    async with a_lane(kit):
        with pytest.raises(Retry, match="not sent"):
            await once(kit, world, rule=rule)
        await kit.pool.execute("update effect set first_at = first_at - interval '16 minutes'")
        world.answer = LOST
        with pytest.raises(Retry, match="looked into") as later:
            await once(kit, world, rule=rule)
        assert later.value.after == 5.0
        assert await once(kit, world, rule=rule) == DONE


async def test_a_repeat_that_was_certainly_not_sent_leaves_it_as_unknown_as_it_was(kit: Kit) -> None:
    """Nothing of the first call is forgotten: planned anew it would be called for also when no key is remembered."""
    world, rule = World(LOST), WhenUnknown(look_up=answering(None, None, None), remembers=3600.0, holds=7200.0)
    async with a_lane(kit):
        with pytest.raises(Retry, match="looked into"):
            await once(kit, world, rule=rule)
        world.answer = NotSent("refused")
        with pytest.raises(Retry, match="not sent"):
            await once(kit, world, rule=rule)
        row = await kit.pool.fetchrow("select state, attempts, result->>'detail' as detail from effect")
        assert tuple(row or ()) == ("unknown", 1, "ConnectionResetError: after the last byte")
        await kit.pool.execute("update effect set first_at = first_at - interval '61 minutes'")
        world.answer = DONE
        with pytest.raises(Retry, match="does not know"):
            await once(kit, world, rule=rule)
    assert world.calls == 2


async def test_a_webhook_that_comes_twice_wakes_nobody_the_second_time(kit: Kit) -> None:
    world = World(LOST)
    await unknown(kit, world)
    for settled in (True, False):
        async with transaction(kit.pool) as connection:
            found = await settle(connection, "mail:1", happened=True, by="provider", result={"id": "abc"})
        assert (found is not None) == settled
    assert await kit.pool.fetchval("select wake from lane") == 1


async def test_an_unknown_holds_its_lane_for_its_time_and_is_then_reported(kit: Kit) -> None:
    world, rule = World(LOST), WhenUnknown(look_up=answering(OSError("away")), holds=900.0)
    async with a_lane(kit):
        with pytest.raises(Retry):
            await once(kit, world, rule=rule)
        await kit.pool.execute("update effect set first_at = first_at - interval '16 minutes'")
        assert await once(kit, world, rule=rule) == Unknown("ConnectionResetError: after the last byte")


async def test_a_call_that_does_no_harm_twice_is_made_once_more_and_no_more(kit: Kit) -> None:
    world, rule = World(LOST), WhenUnknown(repeats=1)
    async with a_lane(kit):
        for _ in range(2):
            with pytest.raises(Retry):
                await once(kit, world, rule=rule)
        assert isinstance(await once(kit, world, rule=rule), Unknown)
    assert world.calls == 2


async def test_of_many_who_repeat_an_unknown_at_once_one_does(kit: Kit) -> None:
    world, rule = World(LOST), WhenUnknown(repeats=1)
    async with a_lane(kit):
        with pytest.raises(Retry):
            await once(kit, world, rule=rule)
        world.answer = DONE
        answers = await asyncio.gather(*(once(kit, world, rule=rule) for _ in range(5)), return_exceptions=True)
    assert world.calls == 2
    assert all(isinstance(answer, Retry) or answer == DONE for answer in answers)


async def test_a_request_is_kept_sealed_while_nobody_knows_and_forgotten_when_somebody_does(kit: Kit) -> None:
    seal = Seal([Fernet.generate_key().decode()])
    world, effects = World(NotSent("refused")), Effects(kit.pool, seal=seal)
    async with a_lane(kit):
        with pytest.raises(Retry):
            await once(kit, world, effects)
        kept = await kit.pool.fetchval("select request from effect")
        assert b"the mail" not in kept
        assert seal.open(kept) == b"the mail"
        world.answer = DONE
        await once(kit, world, effects)
    assert await kit.pool.fetchval("select request from effect") is None


def test_a_newer_key_seals_and_the_older_ones_still_open() -> None:
    old, new = (Fernet.generate_key().decode() for _ in range(2))
    sealed = Seal([old]).seal(b"x")
    assert Seal([new, old]).open(sealed) == b"x"
    with pytest.raises(CannotOpen):
        Seal([new]).open(sealed)


async def unknown(kit: Kit, world: World) -> None:
    """An effect that nobody knows of, its message finished and reported."""
    async with a_lane(kit) as claimed:
        assert isinstance(await once(kit, world), Unknown)
    await kit.pool.execute("delete from inbox")
    await kit.pool.execute("update lane set state = 'idle', due = null, token = null")
    await Sweeper(kit.pool, kit.bell).sweep()
    assert await kit.count("message", f"position = {claimed.at.position if claimed.at else 0}") == 1


@asynccontextmanager
async def a_lane_again(kit: Kit) -> AsyncIterator[None]:
    """The lane that was woken, claimed as a worker does."""
    (claimed,) = await lanes.claim(kit.pool, "notifications", 1)
    token = current_lane.set(claimed)
    yield
    current_lane.reset(token)


async def test_who_says_that_it_happened_settles_it_and_its_cause_is_handled_again(kit: Kit) -> None:
    world = World(LOST)
    await unknown(kit, world)
    async with transaction(kit.pool) as connection:
        settled = await settle(connection, "mail:1", happened=True, by="person", result={"id": "abc"})
    assert settled is not None
    assert settled.handled_again
    assert (await kit.count("inbox", "state = 'ready'"), await kit.count("lane", "state = 'ready'")) == (1, 1)
    async with a_lane_again(kit):
        assert await once(kit, world) == DONE
    assert world.calls == 1
    async with transaction(kit.pool) as connection:
        assert await settle(connection, "mail:1", happened=False, by="person") is None
        with pytest.raises(LookupError):
            await settle(connection, "mail:2", happened=False, by="person")


async def test_who_says_that_it_did_not_happen_lets_it_be_called_again(kit: Kit) -> None:
    world = World(LOST)
    await unknown(kit, world)
    async with transaction(kit.pool) as connection:
        assert await settle(connection, "mail:1", happened=False, by="person")
    world.answer = DONE
    async with a_lane_again(kit):
        assert await once(kit, world) == DONE
    assert world.calls == 2


async def test_who_says_that_it_did_not_happen_may_give_it_up(kit: Kit) -> None:
    world = World(LOST)
    await unknown(kit, world)
    async with transaction(kit.pool) as connection:
        assert await settle(connection, "mail:1", happened=False, by="person", again=False, detail="customer called")
    async with a_lane_again(kit):
        assert await once(kit, world) == Failed("settled-by-person", "customer called")
    assert world.calls == 1


async def test_a_provider_may_tell_of_a_call_that_is_under_way_and_its_own_answer_changes_nothing(kit: Kit) -> None:
    answer: asyncio.Future[Done] = asyncio.get_running_loop().create_future()

    async def slow(_permit: Permit, _request: bytes) -> Done:
        return await answer

    async with a_lane(kit):
        call = asyncio.create_task(Effects(kit.pool).once(key="mail:1", kind="mail", call=slow, timeout=60))
        await eventually(lambda: kit.count("effect"))
        async with transaction(kit.pool) as connection:
            assert await settle(connection, "mail:1", happened=True, by="provider", result={"id": "hook"})
        answer.set_result(DONE)
        await call
    assert await kit.pool.fetchval("select result->>'id' from effect") == "hook"


async def test_a_cause_from_before_a_restore_may_have_had_its_effect_in_the_life_that_was_lost(kit: Kit) -> None:
    world = World(DONE)
    await kit.pool.execute("update relay set restored = true, incarnation = extract(epoch from now())::bigint + 5")
    async with a_lane(kit):
        outcome = await once(kit, world)
    assert isinstance(outcome, Unknown)
    assert "older than the restore" in outcome.detail
    assert world.calls == 0


async def test_what_was_to_be_tried_again_when_the_copy_was_made_may_have_been_done_too(kit: Kit) -> None:
    world = World(NotSent("connection refused"))
    async with a_lane(kit):
        with pytest.raises(Retry):
            await once(kit, world)
        await kit.pool.execute("update relay set restored = true, incarnation = extract(epoch from now())::bigint + 5")
        world.answer = DONE
        outcome = await once(kit, world)
        assert isinstance(outcome, Unknown)
        assert "older than the restore" in outcome.detail
        assert world.calls == 1, "the one that was certainly not sent"
        async with transaction(kit.pool) as connection:
            assert await settle(connection, "mail:1", happened=False, by="person")
        assert await once(kit, world) == DONE
    assert world.calls == 2


async def test_a_database_in_its_first_life_calls_for_old_causes_too(kit: Kit) -> None:
    world = World(DONE)
    await kit.pool.execute("update relay set incarnation = extract(epoch from now())::bigint + 3600")
    async with a_lane(kit):
        assert await once(kit, world) == DONE


async def test_a_call_that_the_other_side_puts_off_says_nothing_against_its_connection(kit: Kit) -> None:
    world, effects = World(PutOff("451 this mailbox, later")), Effects(kit.pool)
    async with a_lane(kit):
        for n in range(20):
            with pytest.raises(Retry, match="not sent"):
                await effects.once(key=f"a:{n}", kind="mail", call=world.call, timeout=5)
    assert world.calls == 20


async def test_a_connection_that_mostly_fails_is_left_alone_and_another_is_not(kit: Kit) -> None:
    world, effects = World(NotSent("refused")), Effects(kit.pool)
    async with a_lane(kit):
        for n in range(10):
            with pytest.raises(Retry, match="not sent"):
                await effects.once(key=f"a:{n}", kind="mail", call=world.call, timeout=5, connection="a")
        world.answer = DONE
        with pytest.raises(Retry, match="left alone") as alone:
            await effects.once(key="a:x", kind="mail", call=world.call, timeout=5, connection="a")
        assert alone.value.after == pytest.approx(30, abs=2)
        assert await effects.once(key="b:1", kind="mail", call=world.call, timeout=5, connection="b") == DONE
    assert await kit.count("effect", "key = 'a:x'") == 0

"""A person says what became of a call of which nobody knew; its cause is handled again, in its place."""

import asyncio
from collections.abc import Callable
from uuid import uuid4

import pytest

from shared.contracts.message import Message
from shared.contracts.order_events import OrderPlaced
from shared.contracts.refusal import Refused
from shared.contracts.topics import ORDERS_EVENTS
from shared.messaging.effects import Done, Effects, Failed, Outcome, Permit
from shared.messaging.failures import Reject
from shared.messaging.groups import Group
from shared.messaging.outside import OutsideWorker
from shared.messaging.repairs import Operator
from shared.messaging.wanted import RetryDead, SettleEffect
from tests.builders import an_order
from tests.plugins.broken import MARIA, repair, repairs_of, row, story
from tests.plugins.kit import Kit, running
from tests.plugins.lanes import arrive, is_idle, lane, said
from tests.plugins.waiting import eventually


class Till:
    """Charges once per order; the world answers as it is told, and what each attempt came to is kept."""

    def __init__(self, kit: Kit) -> None:
        self.effects = Effects(kit.pool)
        self.answer: Done | Failed | Exception = ConnectionResetError("after the last byte")
        self.calls = 0
        self.outcomes: list[Outcome] = []
        self.then: Callable[[], None] = lambda: None

    async def charge(self, event: OrderPlaced) -> None:
        key = f"charge:{event.meta.id}"
        self.outcomes.append(await self.effects.once(key=key, kind="charge", call=self._call, timeout=5))
        self.then()

    async def _call(self, permit: Permit, _request: bytes) -> Done | Failed:
        permit.check()
        self.calls += 1
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def payments() -> Group:
    group = Group("payments", reads=ORDERS_EVENTS)

    @group.on(OrderPlaced)
    async def charge(event: OrderPlaced, till: Till) -> list[Message]:
        await till.charge(event)
        return []

    return group


class Scene:
    """An order that was charged, and nobody knows whether."""

    def __init__(self, kit: Kit) -> None:
        self.kit, self.till, self.group = kit, Till(kit), payments()
        self.order = an_order(id=uuid4())
        self.events = story(self.order, "pp")
        self.key = f"charge:{self.events[0].meta.id}"
        self.repairs = repairs_of(kit, self.group)

    def worker(self) -> OutsideWorker:
        return OutsideWorker(
            self.kit.pool, self.kit.dsn, [self.group], self.kit.outbox, self.kit.bell, {Till: self.till}, poll=0.05
        )

    async def works(self) -> None:
        async with running(self.worker()):
            await eventually(lambda: is_idle(self.kit, str(self.order.id)))

    def settled(self, *, happened: bool, again: bool = True) -> SettleEffect:
        return SettleEffect(key=self.key, happened=happened, again=again)


@pytest.fixture
async def scene(kit: Kit) -> Scene:
    """The first of two events has called, and its answer was lost."""
    made = Scene(kit)
    await arrive(kit, made.group, made.events[:1])
    await made.works()
    assert await kit.count("effect", "state = 'unknown'") == 1
    return made


async def test_what_happened_is_not_called_for_again_and_its_cause_is_told_so(scene: Scene) -> None:
    done = await repair(scene.repairs, scene.settled(happened=True))
    await scene.works()
    assert (done.answer, scene.till.calls) == ("it happened", 1)
    assert isinstance(scene.till.outcomes[-1], Done)


async def test_what_did_not_happen_is_called_for_again(scene: Scene) -> None:
    scene.till.answer = Done({"id": "abc"})
    done = await repair(scene.repairs, scene.settled(happened=False))
    await scene.works()
    assert (done.answer, scene.till.calls) == ("it did not happen: the call is made again", 2)
    assert scene.till.outcomes[-1] == Done({"id": "abc"})


async def test_what_did_not_happen_can_be_given_up_with_the_reason(scene: Scene) -> None:
    done = await repair(scene.repairs, scene.settled(happened=False, again=False))
    await scene.works()
    assert (done.answer, scene.till.calls) == ("it did not happen: it is given up", 1)
    assert scene.till.outcomes[-1] == Failed("settled-by-person", MARIA.reason)


async def test_the_order_log_says_who_settled_it_and_why(scene: Scene) -> None:
    await repair(scene.repairs, scene.settled(happened=True), Operator(actor="maria", reason="the bank has it"))
    (entry,) = await said(scene.kit, "effect.settled.v1")
    assert (entry["subject"], entry["shop"], entry["actor"]) == (str(scene.order.id), scene.order.shop, "maria")
    told = {name: entry["data"][name] for name in ("effect", "key", "happened", "settled_by", "reason")}
    assert told == {
        "effect": "charge",
        "key": scene.key,
        "happened": True,
        "settled_by": "person",
        "reason": "the bank has it",
    }
    assert (await row(scene.kit, "select action, state from repair"))["action"] == "settle"


async def test_of_two_persons_who_know_better_one_is_believed(scene: Scene) -> None:
    outcomes = await asyncio.gather(
        *(repair(scene.repairs, scene.settled(happened=happened)) for happened in (True, False, True)),
        return_exceptions=True,
    )
    assert sum(isinstance(outcome, Refused) for outcome in outcomes) == 2
    assert len(await said(scene.kit, "effect.settled.v1")) == 1


async def test_what_is_known_or_was_never_called_cannot_be_settled(scene: Scene) -> None:
    await repair(scene.repairs, scene.settled(happened=True))
    with pytest.raises(Refused, match="settled already"):
        await repair(scene.repairs, scene.settled(happened=False))
    with pytest.raises(Refused, match="there is no effect x"):
        await repair(scene.repairs, SettleEffect(key="x", happened=True))


async def test_where_the_message_is_gone_the_answer_says_that_nothing_is_handled_again(scene: Scene) -> None:
    await scene.kit.pool.execute("delete from message")
    done = await repair(scene.repairs, scene.settled(happened=True))
    assert done.answer == "it happened; its message is no longer here, so nothing is handled again"


async def test_settling_the_effect_of_a_dead_message_leaves_it_to_be_retried(kit: Kit) -> None:
    """It blocks its lane: made ready in silence it would wait there for ever, and nobody could retry it."""
    scene = Scene(kit)

    def reject() -> None:
        raise Reject("the order is odd")

    scene.till.then = reject
    await arrive(kit, scene.group, scene.events)
    async with running(scene.worker()):
        await eventually(lambda: is_blocked(scene))
    done = await repair(scene.repairs, scene.settled(happened=True))
    assert "its message is dead" in done.answer
    dead = await kit.pool.fetchval("select position from inbox where state = 'dead'")
    await repair(scene.repairs, RetryDead(group="payments", position=dead))
    scene.till.then, scene.till.answer = (lambda: None), Done({})
    await scene.works()
    assert [type(outcome) for outcome in scene.till.outcomes[1:]] == [Done, Done]


async def is_blocked(scene: Scene) -> bool:
    return bool((await lane(scene.kit, str(scene.order.id)))["state"] == "blocked")

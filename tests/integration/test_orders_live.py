"""Live changes say which orders are worth reading again, to their own shop; what they could not say they admit."""

import asyncio
import json
import signal
import time
from collections.abc import Callable
from functools import partial
from typing import Any, Self
from uuid import uuid4

import httpx2
import pytest

from services.orders.live import AGAIN, AT_MOST_EVERY, STALE, TOPICS, Listener, Live
from services.orders.timeline import record
from shared.contracts.message import Sequence, new_id
from shared.contracts.order import OrderSnapshot
from shared.contracts.order_events import OrderPlaced
from shared.contracts.order_log import MessageSent, OrderNoted
from shared.contracts.topics import ORDERS_EVENTS
from shared.messaging.database import transaction
from shared.messaging.ends import Ends
from shared.runtime.actors import LIFETIME, Actors, Signer, new_key, public_key_of
from shared.runtime.problems import Problem
from shared.runtime.tokens import Tokens, make_token, revoke_token
from tests.builders import an_order, stamped, to_place
from tests.plugins.brokers import Broker
from tests.plugins.ears import Ear, listening, serving
from tests.plugins.kit import Kit, running
from tests.plugins.orders import OrdersAlone, app_of
from tests.plugins.system import System
from tests.plugins.waiting import eventually

CHANGES = "/v1/changes"


def heard(ear: Ear, order: OrderSnapshot) -> dict[str, int | None]:
    """What was said of an order, with the versions."""
    return {said["what"]: said["version"] for said in ear.named("order") if said["id"] == str(order.id)}


@pytest.fixture
async def orders(system: System) -> System:
    """Orders as a process, with the shop `nordic-tea`."""
    system.settings["ORDERS_LIVE_STREAMS_OF_A_SHOP"] = "2"
    await system.start("orders")
    await system.open_a_shop()
    return system


async def process(http: httpx2.AsyncClient, order: OrderSnapshot) -> int:
    """Processes the order; its version after that."""
    headers = {"idempotency-key": new_id()}
    answer = await http.post(f"/v1/orders/{order.id}/process", content="{}", headers=headers)
    assert answer.status_code == 200, answer.text
    return int(answer.json()["version"])


async def test_a_change_by_http_is_heard_by_its_own_shop_alone(orders: System) -> None:
    tea = orders.http()
    await orders.open_a_shop(shop="other-shop")
    other = orders.http()
    ours, theirs = an_order(), an_order(shop="other-shop")
    async with tea, other, listening(tea, CHANGES) as ear, listening(other, CHANGES) as other_ear:
        key = {"idempotency-key": new_id()}
        await tea.post("/v1/orders", content=to_place(ours).model_dump_json(), headers=key)
        await eventually(lambda: "order.placed.v1" in heard(ear, ours))
        version = await process(tea, ours)
        await eventually(lambda: heard(ear, ours).get("order.processed.v1") == version)
        await other.post("/v1/orders", content=to_place(theirs).model_dump_json(), headers={"idempotency-key": "1"})
        await eventually(lambda: heard(other_ear, theirs))
        assert not heard(other_ear, ours)
        assert not heard(ear, theirs)
        said = json.dumps(ear.events)
        assert "Öberg" not in said
        assert "TEA" not in said
    assert set(ear.named("order")[0]) == {"id", "version", "what", "at"}


async def test_one_order_can_be_listened_to_and_only_an_own_one(orders: System) -> None:
    first, second = an_order(), an_order()
    await orders.place(first)
    await orders.place(second)
    async with orders.http() as tea:
        answer = await tea.get(CHANGES, params={"order": str(uuid4())})
        assert (answer.status_code, answer.json()["type"]) == (404, "/problems/unknown-order")
        async with listening(tea, CHANGES, order=str(second.id)) as ear, listening(tea, CHANGES) as all_of_them:
            answer = await tea.get(CHANGES)
            assert (answer.status_code, answer.json()["type"]) == (429, "/problems/too-many-streams")
            assert answer.headers["retry-after"]
            await process(tea, first)
            await process(tea, second)
            await eventually(lambda: heard(ear, second) and heard(all_of_them, first))
            assert not heard(ear, first)


async def test_a_process_that_is_told_to_stop_ends_its_streams_within_a_second(orders: System) -> None:
    async with orders.http() as tea, listening(tea, CHANGES) as ear:
        began = time.monotonic()
        stopping = asyncio.create_task(orders.processes["orders"].stop(signal.SIGTERM))
        await eventually(lambda: ear.ended)
        assert time.monotonic() - began < 1
        await stopping
    (stopped,) = [line for line in orders.lines("orders") if line["message"] == "stopped"]
    assert stopped["exit_code"] == 0
    assert not [line for line in orders.lines("orders") if "did not stop in time" in line["message"]]


class Counted(Ends):
    """Ends that know how many of them are open."""

    open = 0
    opened = 0

    async def __aenter__(self) -> Self:
        await super().__aenter__()
        Counted.open += 1
        Counted.opened += 1
        return self

    async def __aexit__(self, *error: object) -> None:
        Counted.open -= 1
        await super().__aexit__(*error)


@pytest.fixture
def live_on(orders_alone: OrdersAlone) -> Callable[..., Live]:
    """Live on the orders database and the topics of a kit."""
    Counted.open = Counted.opened = 0

    def make(kit: Kit, **options: Any) -> Live:
        return Live(orders_alone.pool, lambda: Counted(kit.kafka, kit.prefix, TOPICS), **options)

    return make


class Told:
    """A listener and what its outlet gave."""

    def __init__(self, listener: Listener) -> None:
        self.listener = listener
        self.said = b""

    async def takes(self, said: bytes | str) -> bool:
        """Whether it has heard that by now."""
        self.said += await self.listener.outlet.take(0.01)
        return (said if isinstance(said, bytes) else said.encode()) in self.said


def a_placed(order: OrderSnapshot, n: int = 1) -> OrderPlaced:
    """The event at this version of the order."""
    event = OrderPlaced(order=order.model_copy(update={"version": n}))
    return stamped(event, sequence=Sequence(1_790_000_000, n))


def a_sent(order: OrderSnapshot) -> MessageSent:
    """What notifications says when its mail is sent."""
    message_id = f"<{order.id}@mail.example>"
    sent = MessageSent(
        order_id=order.id,
        outcome="done",
        summary="message.sent",
        parameters={},
        template="order-received",
        recipient="a***@example.org",
        language="sv",
        message_id=message_id,
    )
    return stamped(sent, source="/notifications")


async def test_one_reader_serves_all_who_listen_and_none_is_there_while_nobody_does(
    kit_on_kafka: Kit, live_on: Callable[..., Live]
) -> None:
    live, order = live_on(kit_on_kafka, lingers=0.5), an_order()
    async with running(live):
        first, second = Told(live.listen("nordic-tea")), Told(live.listen("nordic-tea", order.id))
        other = Told(live.listen("other-shop"))
        for told in (first, second, other):
            await eventually(partial(told.takes, AGAIN))
        await kit_on_kafka.publish_messages(a_placed(order))
        for told in (first, second):
            await eventually(partial(told.takes, str(order.id)))
        assert (Counted.open, Counted.opened) == (1, 1)
        assert other.said == AGAIN
        for told in (first, second, other):
            live.leave(told.listener)
        await eventually(lambda: Counted.open == 0)
        await eventually(lambda: Told(live.listen("nordic-tea")).takes(AGAIN))
        assert Counted.opened == 2


@pytest.mark.timeout(240)
async def test_while_kafka_is_away_a_stream_is_stale_and_then_its_reader_begins_again(
    kit: Kit, broker: Broker, live_on: Callable[..., Live]
) -> None:
    live, order = live_on(kit), an_order()
    async with running(live):
        told = Told(live.listen("nordic-tea"))
        await eventually(lambda: told.takes(AGAIN))
        await broker.stop()
        await eventually(lambda: told.takes(STALE), timeout=60)
        late = Told(live.listen("nordic-tea"))
        assert await late.takes(STALE)
        assert live.problem() is None
        told.said = late.said = b""
        await broker.start()
        await eventually(lambda: told.takes(AGAIN), timeout=60)
        await eventually(lambda: late.takes(AGAIN))
        assert STALE not in told.said
        await kit.publish_messages(a_placed(order))
        await eventually(lambda: told.takes(str(order.id)))


async def test_a_burst_about_one_order_is_said_once_and_its_end_always(
    kit_on_kafka: Kit, live_on: Callable[..., Live]
) -> None:
    live, order = live_on(kit_on_kafka), an_order()
    async with running(live):
        told = Told(live.listen("nordic-tea"))
        await eventually(lambda: told.takes(AGAIN))
        began = time.monotonic()
        await kit_on_kafka.publish_messages(*(a_placed(order, n) for n in range(1, 101)))
        await eventually(lambda: told.takes('"version":100,'))
        words = told.said.count(b"event: order")
        assert words <= (time.monotonic() - began) / AT_MOST_EVERY + 1
        assert words < 100


async def test_what_another_service_did_is_said_when_it_can_be_read_here(
    kit_on_kafka: Kit, live_on: Callable[..., Live], orders_alone: OrdersAlone
) -> None:
    live, order, marker = live_on(kit_on_kafka), an_order(), an_order()
    await orders_alone.handle(to_place(order))
    sent = a_sent(order)
    async with running(live):
        told = Told(live.listen("nordic-tea"))
        await eventually(lambda: told.takes(AGAIN))
        await kit_on_kafka.publish_messages(sent, a_placed(marker))
        await eventually(lambda: told.takes(str(marker.id)))
        await eventually(lambda: live.holds == 1)
        assert str(order.id).encode() not in told.said
        async with transaction(orders_alone.pool) as connection:
            await record(connection, [sent], came_by_topic=True)
        await eventually(lambda: told.takes(str(order.id)))
        assert b"message.sent.v1" in told.said


async def test_what_is_no_message_and_what_was_said_twice_is_passed_over(
    kit_on_kafka: Kit, live_on: Callable[..., Live]
) -> None:
    live, order, noted = live_on(kit_on_kafka), an_order(), an_order()
    fact = OrderNoted(
        order_id=noted.id, outcome="done", summary="order.placed", parameters={}, event_type="x", event_id="y"
    )
    async with running(live):
        told = Told(live.listen("nordic-tea"))
        await eventually(lambda: told.takes(AGAIN))
        for value in (b"", b"{", b"\xff", None, b"[" * 10_000):
            await kit_on_kafka.publish(ORDERS_EVENTS, (str(order.id).encode(), value))
        await kit_on_kafka.publish_messages(stamped(fact), a_placed(order))
        await eventually(lambda: told.takes(str(order.id)))
        assert told.said.count(b"event:") == 2


async def test_a_process_has_only_so_many_listeners(kit: Kit, live_on: Callable[..., Live]) -> None:
    live = live_on(kit, most=3, most_of_a_shop=2)
    first = live.listen("nordic-tea")
    live.listen("nordic-tea")
    with pytest.raises(Problem) as refused:
        live.listen("nordic-tea")
    assert (refused.value.status_code, refused.value.slug) == (429, "too-many-streams")
    live.listen("other-shop")
    with pytest.raises(Problem) as refused:
        live.listen("third-shop")
    assert (refused.value.status_code, refused.value.slug) == (503, "streams-full")
    live.leave(first)
    live.listen("third-shop")


async def test_a_revoked_token_hears_no_more(
    kit_on_kafka: Kit, live_on: Callable[..., Live], orders_alone: OrdersAlone
) -> None:
    live, app = live_on(kit_on_kafka, look_every=0.1), app_of(orders_alone)
    app.state.live, app.state.tokens = live, Tokens(orders_alone.pool, keep=0.1)
    async with transaction(orders_alone.pool) as connection:
        token = await make_token(connection, "nordic-tea", "a test", ["orders:read"])
    async with running(live), serving(app) as (_, client):
        client.headers["authorization"] = f"Bearer {token}"
        async with listening(client, CHANGES) as ear:
            await eventually(lambda: ear.comments > 2)
            assert not ear.ended
            async with transaction(orders_alone.pool) as connection:
                assert await revoke_token(connection, token.split("_")[1])
            await eventually(lambda: ear.ended)


async def test_an_actor_token_whose_time_is_over_hears_no_more(
    kit_on_kafka: Kit, live_on: Callable[..., Live], orders_alone: OrdersAlone
) -> None:
    key, ahead = new_key(), [0]
    live, app = live_on(kit_on_kafka, look_every=0.1), app_of(orders_alone)
    app.state.live = live
    app.state.actors = Actors("orders", [public_key_of(key)], clock=lambda: time.time() + ahead[0])
    token = Signer(key).sign("orders", "7", "nordic-tea", ["viewer"])
    async with running(live), serving(app) as (_, client):
        client.headers["authorization"] = f"Bearer {token}"
        async with listening(client, CHANGES) as ear:
            await eventually(lambda: ear.comments > 2)
            assert not ear.ended
            ahead[0] = LIFETIME
            await eventually(lambda: ear.ended)

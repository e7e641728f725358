"""A whole topic may be read again, by whatever hand: no handler runs and no effect happens a second time."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import pytest

from deploy.local.failure import LocalStackError
from deploy.local.kafka import tool_command
from shared.contracts.message import Message
from shared.contracts.order_commands import PlaceOrder
from shared.contracts.order_events import OrderPlaced
from shared.contracts.topics import ORDERS_COMMANDS, ORDERS_EVENTS, Topic
from shared.messaging import metrics
from shared.messaging.effects import Effects
from shared.messaging.groups import Group
from shared.messaging.ingest import Ingest
from shared.messaging.inside import InsideWorker
from shared.messaging.outside import OutsideWorker
from tests.builders import an_order, to_place
from tests.integration.test_kit_effects import DONE, World
from tests.integration.test_kit_lanes import events_about
from tests.plugins.kit import Kit, Runs, running
from tests.plugins.waiting import eventually

pytestmark = pytest.mark.timeout(240)
SESSION_SECONDS = 6
TOPICS = (ORDERS_EVENTS, ORDERS_COMMANDS)


@dataclass
class Desk:
    """Remembers which messages its handlers ran for, and whom they called in the world."""

    effects: Effects
    world: World = field(default_factory=lambda: World(DONE))
    ran: list[str] = field(default_factory=list)


mails, orders = Group("mails", reads=ORDERS_EVENTS), Group("orders.commands", reads=ORDERS_COMMANDS, inside=True)


@mails.on(OrderPlaced)
async def send(event: OrderPlaced, desk: Desk) -> list[Message]:
    desk.ran.append(event.meta.id)
    await desk.effects.once(key=f"mail:{event.meta.id}", kind="mail", call=desk.world.call, timeout=5)
    return []


@orders.on(PlaceOrder)
async def accept(command: PlaceOrder, desk: Desk) -> list[Message]:
    desk.ran.append(command.meta.id)
    return [OrderPlaced(order=an_order(id=command.order_id))]


@dataclass
class Reader:
    """A service that reads events and commands, which a test starts and stops."""

    kit: Kit
    desk: Desk
    messages: list[Message]

    def parts(self) -> list[Runs]:
        kit, bell = self.kit, self.kit.bell
        reading = [
            Ingest(
                kit.pool, kit.kafka, topic, [mails, orders], bell,
                service="test", prefix=kit.prefix, session_seconds=SESSION_SECONDS,
            )
            for topic in TOPICS
        ]  # fmt: skip
        outside = OutsideWorker(kit.pool, kit.dsn, [mails], kit.outbox, bell.another(), {Desk: self.desk}, poll=0.05)
        return [
            *reading,
            outside,
            InsideWorker(kit.pool, kit.dsn, orders, kit.outbox, bell.another(), {Desk: lambda _: self.desk}, poll=0.05),
        ]

    async def has_done_everything(self) -> bool:
        return len(self.desk.ran) >= len(self.messages) and not await self.kit.count("inbox")


@pytest.fixture
async def reader(kit_on_kafka: Kit) -> Reader:
    """It has read and done everything, and is stopped; half of the orders have more than one event."""
    kit = kit_on_kafka
    events = [event for n in range(20) for event in events_about(an_order(), 1 + n % 2)]
    made = Reader(kit, Desk(Effects(kit.pool)), [*events, *(to_place(an_order()) for _ in range(10))])
    await kit.publish_messages(*made.messages)
    async with running(*made.parts()):
        await eventually(made.has_done_everything, timeout=60)
    assert sorted(made.desk.ran) == sorted(message.meta.id for message in made.messages)
    return made


async def forget_offsets(kit: Kit) -> None:
    await kit.pool.execute("delete from consumed")


async def set_back(kit: Kit) -> None:
    """As an operator does, with Kafka's own tool, which refuses until the stopped members' sessions have ended."""
    for topic in TOPICS:
        group = f"{kit.prefix}test.{topic.name}"
        words = ["--group", group, "--topic", kit.prefix + topic.name, "--reset-offsets", "--to-earliest", "--execute"]
        try:
            command = tool_command("kafka-consumer-groups", words, kit.kafka)
        except LocalStackError as error:
            pytest.skip(str(error))
        await eventually(lambda command=command: succeeds(command), timeout=60)  # type: ignore[misc]


async def succeeds(command: list[str]) -> bool:
    process = await asyncio.create_subprocess_exec(
        *map(str, command), stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    said, _ = await process.communicate()
    assert b"Error" not in said, said.decode()  # its exit code is 0 and its table is there, empty, all the same
    return True


def duplicates(topic: Topic) -> float:
    return float(metrics.ingested.labels(topic.name, "duplicate")._value.get())  # noqa: SLF001


@pytest.mark.parametrize("begin_again", [forget_offsets, set_back])
async def test_a_topic_that_is_read_again_repeats_nothing(
    reader: Reader, begin_again: Callable[[Kit], Awaitable[None]]
) -> None:
    kit, desk, ran = reader.kit, reader.desk, list(reader.desk.ran)
    said, calls = await kit.count("outbox"), desk.world.calls
    before = sum(map(duplicates, TOPICS))
    await begin_again(kit)
    async with running(*reader.parts()):
        await eventually(lambda: sum(map(duplicates, TOPICS)) - before == len(reader.messages), timeout=60)
        late = to_place(an_order())
        await kit.publish_messages(late)
        await eventually(lambda: late.meta.id in desk.ran, timeout=30)
    assert desk.ran == [*ran, late.meta.id]
    assert desk.world.calls == calls == len(ran) - 10
    assert await kit.count("effect", "attempts = 1") == calls
    assert await kit.count("outbox") == said + 2, "an event and its entry, of the late order"
    assert [await kit.count(table) for table in ("inbox", "held", "quarantine")] == [0, 0, 0]

"""A roll-out loses nothing: what the old processes had to pass over, the new ones handle; once, late, in its order."""

import asyncio
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from operator import itemgetter
from uuid import uuid4

import pytest

from shared.contracts.message import CONTRACTS, Message
from shared.contracts.order_log import LogEntry, MessageSent
from shared.contracts.topics import ORDERS_LOG
from shared.messaging.database import Connection, transaction
from shared.messaging.groups import Group
from shared.messaging.ingest_store import IngestStore
from shared.messaging.inside import InsideWorker
from shared.messaging.intake import Arrived
from shared.messaging.late_types import LateTypes
from shared.messaging.outbox import Outbox
from shared.messaging.outside import OutsideWorker
from shared.messaging.wakeup import Bell
from tests.builders import an_order, placed
from tests.integration.test_kit_ingest import a_record, an_entry, inbox
from tests.plugins.kit import Kit, running
from tests.plugins.waiting import eventually


def log_group() -> Group:
    group = Group("orders.log", reads=ORDERS_LOG)

    @group.on(LogEntry)
    async def see(_entry: LogEntry) -> list[Message]:
        return []

    return group


async def pass_over(kit: Kit, *types: str) -> str:
    order = str(uuid4())
    documents = [an_entry(order, n, type=type_) for n, type_ in enumerate(types, start=1)]
    arrived = [Arrived(ORDERS_LOG.name, 0, n, *a_record(each), ()) for n, each in enumerate(documents)]
    await IngestStore(kit.pool, ORDERS_LOG, [log_group()]).take(arrived)
    return order


async def test_what_was_passed_over_enters_its_lane_when_its_type_is_known_and_once(kit: Kit) -> None:
    order = await pass_over(kit, "message.sent.v1", "message.pinned.v1", "message.pinned.v1")
    assert (await inbox(kit, order), await kit.count("passed")) == (["01"], 2)
    late = LateTypes(kit.pool, [log_group()], kit.bell)
    assert await late.move() == 0

    class MessagePinned(MessageSent, type="message.pinned.v1"):
        """A type of the next version."""

    try:
        moved = await asyncio.gather(*(late.move() for _ in range(3)))
    finally:
        del CONTRACTS[MessagePinned.type]
    assert (sum(moved), await kit.count("passed")) == (2, 0)
    assert await inbox(kit, order) == ["01", "02", "03"]
    assert await kit.count("lane", "wake > 0") == 1


async def test_what_no_group_wants_even_now_is_forgotten(kit: Kit) -> None:
    await pass_over(kit, "message.pinned.v1")

    class MessagePinned(MessageSent, type="message.pinned.v1"):
        """A type of the next version."""

    try:
        assert await LateTypes(kit.pool, [], kit.bell).move() == 1
    finally:
        del CONTRACTS[MessagePinned.type]
    assert (await kit.count("passed"), await kit.count("inbox")) == (0, 0)


@contextmanager
def the_next_version() -> Iterator[type[MessageSent]]:
    """A newer type beside the one that it replaces, switched off as it ships."""

    class MessageSentAgain(MessageSent, type="message.sent.v2"):
        """A message left for its recipient, as the next version says it."""

        ships_off = True

        def as_older(self) -> Message:
            return MessageSent(**self.model_dump())

    try:
        yield MessageSentAgain
    finally:
        del CONTRACTS[MessageSentAgain.type]


async def published(kit: Kit, *emits: str) -> tuple[list[tuple[str, bool]], list[str]]:
    """Types with whether they are shadows, as written to the outbox; and the types that `appended` was told of."""
    told: list[str] = []

    async def appended(_connection: Connection, messages: Sequence[Message]) -> None:
        told.extend(message.type for message in messages)

    with the_next_version() as newer:
        message = newer.model_validate_json(json.dumps(an_entry(str(uuid4()), 1)["data"]))
        async with transaction(kit.pool) as connection:
            outbox = Outbox("/notifications", Bell(), appended, emits)
            await outbox.append(connection, [(placed(an_order()).meta, [message])])
    rows = await kit.pool.fetch("delete from outbox returning position, type, payload")
    written = [
        (row["type"], json.loads(row["payload"]).get("shadow") == "true")
        for row in sorted(rows, key=itemgetter("position"))
    ]
    return written, told


async def test_a_new_type_ships_off_and_the_older_one_is_published_alone(kit: Kit) -> None:
    assert await published(kit) == ([("message.sent.v1", False)], ["message.sent.v1"])


async def test_a_new_type_that_is_switched_on_is_published_with_the_older_one_as_its_shadow(kit: Kit) -> None:
    written, told = await published(kit, "message.sent.v2")
    assert written == [("message.sent.v2", False), ("message.sent.v1", True)]
    assert told == ["message.sent.v2"]


async def test_a_shadow_takes_its_number_and_is_handled_by_nobody(kit: Kit) -> None:
    order = str(uuid4())
    documents = [an_entry(order, 1), an_entry(order, 2, shadow="true"), an_entry(order, 3)]
    arrived = [Arrived(ORDERS_LOG.name, 0, n, *a_record(each), ()) for n, each in enumerate(documents)]
    await IngestStore(kit.pool, ORDERS_LOG, [log_group()]).take(arrived)
    assert await inbox(kit, order) == ["01", "03"]


class Seen:
    """What the handlers of the newer version have seen."""

    def __init__(self) -> None:
        self.ids: list[str] = []


def newer_group(newer: type[Message], *, within: bool) -> Group:
    group = Group("orders.log", reads=ORDERS_LOG, inside=within)

    @group.on(newer)
    async def see(entry: Message, seen: Seen) -> list[Message]:
        seen.ids.append(entry.meta.id)
        return []

    return group


def worker_of(kit: Kit, group: Group, seen: Seen) -> InsideWorker | OutsideWorker:
    if group.inside:
        return InsideWorker(kit.pool, kit.dsn, group, kit.outbox, kit.bell, {Seen: lambda _: seen}, poll=0.05)
    return OutsideWorker(kit.pool, kit.dsn, [group], kit.outbox, kit.bell, {Seen: seen}, poll=0.05)


@pytest.mark.parametrize("within", [True, False])
async def test_what_a_newer_version_took_in_is_left_to_it_by_the_older_one_beside_it(kit: Kit, *, within: bool) -> None:
    """The older one's workers find it in the lane, and would give it up for good as something that nobody knows."""
    order, seen = str(uuid4()), Seen()
    with the_next_version() as newer:
        group = newer_group(newer, within=within)
        document = an_entry(order, 1, type="message.sent.v2")
        await IngestStore(kit.pool, ORDERS_LOG, [group]).take([Arrived(ORDERS_LOG.name, 0, 0, *a_record(document), ())])
    async with running(worker_of(kit, group, seen)):
        await eventually(lambda: kit.count("lane", "failing_since is not null and state = 'ready'"))
    assert (seen.ids, await inbox(kit, order)) == ([], ["01"])
    with the_next_version() as newer:
        await kit.pool.execute("update lane set due = clock_timestamp()")
        async with running(worker_of(kit, newer_group(newer, within=within), seen)):
            await eventually(lambda: kit.count("lane", "state = 'idle'"))
    assert seen.ids == [document["id"]]

"""A roll-out loses nothing: what the old processes had to pass over, the new ones handle; once, late, in its order."""

import asyncio
from uuid import uuid4

from shared.contracts.message import CONTRACTS, Message
from shared.contracts.order_log import LogEntry, MessageSent
from shared.contracts.topics import ORDERS_LOG
from shared.messaging.groups import Group
from shared.messaging.ingest_store import IngestStore
from shared.messaging.intake import Arrived
from shared.messaging.late_types import LateTypes
from tests.integration.test_kit_ingest import a_record, an_entry, inbox
from tests.plugins.kit import Kit


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

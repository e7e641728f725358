"""Which record is read next: whatever fails or comes too soon, nothing unread is passed over."""

import asyncio
from collections import Counter
from collections.abc import Collection, Sequence
from typing import Any
from uuid import uuid4

from aiokafka import ConsumerRecord, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaConnectionError

from shared.contracts.topics import ORDERS_LOG
from shared.messaging.ingest import Ingest
from shared.messaging.offsets import Offsets
from tests.integration.test_kit_ingest import a_record, an_entry, an_ingest, inbox, inbox_is, set_group_offsets
from tests.plugins.kit import Kit, running
from tests.plugins.waiting import eventually

PARTITION = TopicPartition(ORDERS_LOG.name, 0)


class Consumer:
    """A consumer with a log that a test can cut, which remembers where it was told to read on."""

    def __init__(self) -> None:
        self.start = 0
        self.sought: list[int] = []
        self.away = False

    async def beginning_offsets(self, partitions: Collection[TopicPartition]) -> dict[TopicPartition, int]:
        if self.away:
            self.away = False
            raise KafkaConnectionError
        return dict.fromkeys(partitions, self.start)

    def seek(self, partition: TopicPartition, offset: int) -> None:
        assert partition == PARTITION
        self.sought.append(offset)

    def pause(self, *partitions: TopicPartition) -> None:
        assert partitions == (PARTITION,)


def assigned(kit: Kit, following: int | None) -> tuple[Ingest, Consumer]:
    """An ingest that was given a partition, and where it reads on once it knows that."""
    ingest, consumer = an_ingest(kit), Consumer()
    ingest._offsets.consumer_of = lambda: consumer  # noqa: SLF001 - what a broker would be needed for otherwise
    if following is not None:
        ingest._offsets.next[PARTITION] = following  # noqa: SLF001
    return ingest, consumer


def delivered(offset: int, subject: str, n: int) -> ConsumerRecord[bytes, bytes]:
    key, value = a_record(an_entry(subject, n))
    return ConsumerRecord(*PARTITION, offset, 0, 1, key, value, None, len(key), len(value), ())


async def take(ingest: Ingest, *records: Any) -> None:
    await ingest._take(records)  # noqa: SLF001 - as FastStream calls it


async def test_what_comes_before_its_partition_has_a_place_is_not_taken(kit: Kit) -> None:
    """The client fetches from the group's offset while the database is still being asked for the place."""
    ingest, _ = assigned(kit, None)
    await take(ingest, delivered(7, str(uuid4()), 1))
    assert (await kit.count("inbox"), await kit.count("consumed")) == (0, 0)


async def test_what_was_fetched_before_the_seek_is_not_taken_and_the_place_is_sought_again(kit: Kit) -> None:
    ingest, consumer = assigned(kit, 5)
    await take(ingest, delivered(7, str(uuid4()), 1))
    assert await kit.count("inbox") == 0
    assert consumer.sought == [5]


async def test_a_gap_that_is_still_there_after_a_second_look_is_kafkas_own(kit: Kit) -> None:
    ingest, order = assigned(kit, 5)[0], str(uuid4())
    for _ in range(2):
        await take(ingest, delivered(7, order, 1))
    await take(ingest, delivered(8, order, 2))
    assert await inbox(kit, order) == ["01", "02"]


async def test_a_broker_that_is_away_when_a_gap_is_looked_at_loses_no_batch(kit: Kit) -> None:
    ingest, consumer = assigned(kit, 5)
    consumer.away, consumer.start = True, 7
    await take(ingest, delivered(7, str(uuid4()), 1))
    assert await kit.count("inbox") == 0
    assert "log truncated" in (ingest._problem or ingest.problem() or "") or ingest._offsets.truncated  # noqa: SLF001


class Late(Offsets):
    """It finds the places only after records were delivered without one."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.delivered = asyncio.Event()

    async def _find_places(self, assigned: list[TopicPartition]) -> None:
        await self.delivered.wait()
        await super()._find_places(assigned)


class Early(Ingest):
    """It tells when a batch was delivered, and taken or left."""

    async def _take(self, records: tuple[ConsumerRecord[bytes, bytes], ...]) -> None:
        await super()._take(records)
        assert isinstance(self._offsets, Late)
        self._offsets.delivered.set()


async def test_records_that_outrun_the_database_are_not_jumped_to(kit_on_kafka: Kit) -> None:
    kit, order = kit_on_kafka, str(uuid4())
    await kit.publish(ORDERS_LOG, a_record(an_entry(order, 1)))
    async with running(an_ingest(kit)):
        await eventually(lambda: inbox_is(kit, order, ["01"]))
    await kit.publish(ORDERS_LOG, *(a_record(an_entry(order, n)) for n in (2, 3)))
    await set_group_offsets(kit, 2)
    early = Early(
        kit.pool, kit.kafka, ORDERS_LOG, an_ingest(kit)._store._groups, kit.bell,  # noqa: SLF001
        service="test", prefix=kit.prefix, session_seconds=6,
    )  # fmt: skip
    early._offsets = Late(kit.pool, ORDERS_LOG)  # noqa: SLF001
    async with running(early):
        await eventually(lambda: inbox_is(kit, order, ["01", "02", "03"]))


async def test_a_place_that_cannot_be_found_for_whatever_reason_is_looked_for_again(kit_on_kafka: Kit) -> None:
    """The client goes on at the group's offset after a listener's exception."""
    kit, order = kit_on_kafka, str(uuid4())

    class Broken(Offsets):
        left = 1

        async def _find_places(self, assigned: list[TopicPartition]) -> None:
            if self.left:
                self.left -= 1
                raise RuntimeError("nobody foresaw it")
            await super()._find_places(assigned)

    await kit.publish(ORDERS_LOG, a_record(an_entry(order, 1)))
    ingest = an_ingest(kit)
    ingest._offsets = Broken(kit.pool, ORDERS_LOG)  # noqa: SLF001
    async with running(ingest):
        await eventually(lambda: inbox_is(kit, order, ["01"]))
        await eventually(lambda: ingest.problem() is None)


async def test_ingest_stops_in_time_while_the_database_is_away_at_the_assignment(kit_on_kafka: Kit) -> None:
    kit = kit_on_kafka
    await kit.pool.execute("alter table consumed rename to consumed_away")
    ingest, stopping = an_ingest(kit), asyncio.Event()
    task = asyncio.create_task(ingest.run(stopping))
    await eventually(lambda: ingest.problem() == "no partitions have been assigned yet", timeout=20)
    await eventually(lambda: group_is_stable(kit), timeout=20, every=0.2)
    stopping.set()
    async with asyncio.timeout(15):
        await task


async def group_is_stable(kit: Kit) -> bool:
    """Whether the group has given its partitions away, so that the listener is at work."""
    admin = AIOKafkaAdminClient(bootstrap_servers=kit.kafka)
    await admin.start()
    try:
        (answer,) = await admin.describe_consumer_groups([kit.prefix + "test.orders.log"])
    finally:
        await admin.close()
    return bool(answer.groups[0][2] == "Stable")


class Failing:
    """A store that fails as told, once, and then takes."""

    def __init__(self, *errors: BaseException) -> None:
        self.errors = list(errors)
        self.taken: list[int] = []

    async def take(self, records: Sequence[Any]) -> Counter[str]:
        if self.errors:
            raise self.errors.pop(0)
        self.taken += [record.offset for record in records]
        return Counter()


async def test_a_batch_is_taken_whatever_fails_first(kit: Kit) -> None:
    """FastStream would go on with the next batch after an exception, and end in silence after a stray cancellation."""
    ingest, _ = assigned(kit, 0)
    store = Failing(RuntimeError("nobody foresaw it"), asyncio.CancelledError())
    ingest._store = store  # type: ignore[assignment]  # noqa: SLF001
    await take(ingest, delivered(0, str(uuid4()), 1))
    assert store.taken == [0]
    assert ingest._offsets.next[PARTITION] == 1  # noqa: SLF001


async def test_after_a_batch_that_was_given_up_at_the_stop_no_later_one_is_taken(kit: Kit) -> None:
    ingest, consumer = assigned(kit, 0)
    ingest._store = store = Failing(OSError("away"))  # type: ignore[assignment]  # noqa: SLF001
    ingest._stopping.set()  # noqa: SLF001
    await take(ingest, delivered(0, str(uuid4()), 1))
    await take(ingest, delivered(1, str(uuid4()), 1))
    assert store.taken == []
    assert consumer.sought == [0]


async def test_a_partition_that_is_taken_away_while_its_truncation_is_looked_at_is_forgotten(kit: Kit) -> None:
    ingest, _ = assigned(kit, 5)
    offsets = ingest._offsets  # noqa: SLF001
    offsets.truncated[PARTITION] = 7
    await kit.pool.execute("insert into consumed values ('orders.log', 0, 7, 0)")
    looking = asyncio.create_task(offsets.resume_accepted())
    await asyncio.sleep(0)
    await offsets.on_partitions_revoked([PARTITION])
    await looking
    assert not offsets.truncated

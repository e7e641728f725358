"""Reads, when a run is over, what everybody could see of it: topics by a fresh reader, timelines, tables, ledgers."""

import json
from collections.abc import Sequence
from pathlib import Path

import asyncpg
from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition

from deploy.local.sandbox.ledger import read_ledger
from services.orders.timeline import verify
from shared.contracts.message import Message, NotUnderstood, read_envelope, read_message
from shared.contracts.order_events import OrderEvent
from shared.contracts.topics import TOPICS
from tests.faults.accepted import Promises
from tests.faults.history import SERVICE_OF, EffectKind, EffectRow, Executed, History, Left, Mishap, Said, Told
from tests.faults.world import World

ASLEEP = "idle lanes with ready messages were found"
ENTRIES = "select order_id, n, id, source, type, causationid, outcome from timeline order by order_id, n"
EFFECTS = """
select key, state, extract(epoch from started_at)::float8 as started, extract(epoch from deadline)::float8 as deadline
from effect
"""


async def read_history(world: World, promises: Promises, left: Sequence[Left], poison: frozenset[str]) -> History:
    """Everything, as plain values."""
    said, invalid = await read_topics(world)
    told, broken = await read_timelines(world)
    mishaps: list[Mishap] = []
    executed: list[Executed] = []
    for kind, path in (("charge", world.charges), ("mail", world.mails)):
        executed += [Executed(kind, entry["key"]) for entry in read_ledger(path)]  # type: ignore[arg-type]
        calls = read_ledger(path.with_suffix(".calls"))
        mishaps += [Mishap(kind, call["key"], call["mishap"]) for call in calls if call["mishap"]]  # type: ignore[arg-type]
    effects = [row for kind in SERVICE_OF for row in await read_effects(world, kind)]
    return History(
        accepted=promises.accepted,
        refused=promises.refused,
        said=said,
        invalid=invalid,
        executed=executed,
        mishaps=mishaps,
        told=told,
        broken=broken,
        effects=effects,
        faults=world.journal.faults,
        left=left,
        poison=poison,
        workers={member.name: member.service for member in world.fleet.with_role("work")},
        asleep={member.name: lanes_asleep(world.fleet.log(member)) for member in world.fleet.with_role("work")},
    )


def lanes_asleep(path: Path) -> int:
    """How many lanes the member says that it has found asleep over a message."""
    lines = [json.loads(line) for line in path.read_text(errors="replace").splitlines() if ASLEEP in line]
    return sum(line["lanes"] for line in lines)


async def read_topics(world: World) -> tuple[list[Said], list[str]]:
    """All records of all topics, each partition in its order; what is no message of ours in words."""
    said: list[Said] = []
    invalid: list[str] = []
    async with AIOKafkaConsumer(bootstrap_servers=world.place.kafka, enable_auto_commit=False) as consumer:
        for topic in TOPICS:
            for record in await _records(consumer, world.topic(topic.name)):
                try:
                    said.append(_said(topic.name, record))
                except (NotUnderstood, ValueError) as error:
                    invalid.append(f"{topic.name} {record.partition}/{record.offset}: {error}")
    return said, invalid


async def _records(consumer: AIOKafkaConsumer, topic: str) -> list[ConsumerRecord]:
    await consumer._client._wait_on_metadata(topic)  # noqa: SLF001 - partitions_for_topic knows subscribed ones only
    partitions = [TopicPartition(topic, number) for number in sorted(consumer.partitions_for_topic(topic) or ())]
    consumer.assign(partitions)
    await consumer.seek_to_beginning(*partitions)
    ends = await consumer.end_offsets(partitions)
    found: list[ConsumerRecord] = []
    while any([await consumer.position(partition) < end for partition, end in ends.items()]):
        for records in (await consumer.getmany(timeout_ms=200)).values():
            found += records
    return sorted(found, key=lambda record: (record.partition, record.offset))


def _said(topic: str, record: ConsumerRecord) -> Said:
    message: Message = read_message(read_envelope(record.value))
    meta = message.meta
    if record.key != meta.subject.encode():
        raise ValueError(f"the key is {record.key!r}, the subject {meta.subject}")
    return Said(
        topic,
        record.partition,
        meta.id,
        meta.source,
        message.type,
        meta.subject,
        (meta.sequence.incarnation, meta.sequence.n) if meta.sequence else None,
        meta.causationid,
        message.order.customer.email if isinstance(message, OrderEvent) else "",
    )


async def read_timelines(world: World) -> tuple[list[Told], dict[str, int]]:
    """All entries, and the orders whose chain does not hold."""
    connection = await asyncpg.connect(world.place.databases["orders"])
    try:
        rows = await connection.fetch(ENTRIES)
        orders = [row["order_id"] for row in await connection.fetch("select distinct order_id from timeline")]
        places = {str(order): await verify(connection, order) for order in orders}
    finally:
        await connection.close()
    told = [
        Told(
            str(row["order_id"]),
            row["n"],
            row["id"],
            row["source"],
            row["type"],
            row["causationid"],
            row["outcome"],
        )
        for row in rows
    ]
    return told, {order: place for order, place in places.items() if place is not None}


async def read_effects(world: World, kind: EffectKind) -> list[EffectRow]:
    """The effects of one kind, as its service keeps them."""
    connection = await asyncpg.connect(world.place.databases[SERVICE_OF[kind]])
    try:
        rows = await connection.fetch(EFFECTS)
    finally:
        await connection.close()
    return [EffectRow(kind, row["key"], row["state"], row["started"], row["deadline"]) for row in rows]

"""Facts: the newest record of a key is the whole truth; what is not known yet is waited for."""

import asyncio

import pytest
from aiokafka import AIOKafkaProducer

from shared.contracts.message import Sequence as Number
from shared.contracts.message import write_record
from shared.contracts.shop_facts import ShopSettings
from shared.contracts.topics import SHOPS_FACTS
from shared.messaging.facts import Facts, read_to_the_end
from shared.messaging.failures import Retry
from shared.messaging.ingest import Ingest
from shared.messaging.ingest_store import IngestStore
from shared.messaging.intake import Arrived
from tests.builders import a_shop, stamped
from tests.plugins.kit import Kit, running
from tests.plugins.waiting import eventually


def a_fact(name: str, n: int, incarnation: int = 1) -> ShopSettings:
    fact = stamped(a_shop(name=name), shop="nordic-tea")
    return fact.stamped(fact.meta.numbered(Number(incarnation, n)))


async def take(kit: Kit, *facts: ShopSettings) -> None:
    store = IngestStore(kit.pool, SHOPS_FACTS, [])
    await store.take(
        [
            Arrived(SHOPS_FACTS.name, 0, n, fact.subject.encode(), write_record(fact, fact.meta).encode(), [])
            for n, fact in enumerate(facts)
        ]
    )


async def known_name(kit: Kit) -> str:
    return (await Facts(kit.pool).of("nordic-tea", ShopSettings)).name


async def test_the_newest_fact_is_believed_whatever_the_order_of_arrival(kit: Kit) -> None:
    await take(kit, a_fact("second", 2), a_fact("first", 1))
    assert await known_name(kit) == "second"
    await take(kit, a_fact("first", 1))
    assert await known_name(kit) == "second"
    await take(kit, a_fact("after a gap", 9))
    assert await known_name(kit) == "after a gap"
    await take(kit, a_fact("of a new life", 1, incarnation=2))
    assert await known_name(kit) == "of a new life"


async def test_an_unknown_fact_is_waited_for(kit: Kit) -> None:
    with pytest.raises(Retry, match="nothing is known of shop nordic-tea"):
        await known_name(kit)


async def test_a_fact_that_does_not_fit_its_contract_is_quarantined_and_the_old_one_stays(kit: Kit) -> None:
    await take(kit, a_fact("good", 1))
    await take(kit, a_fact("bad", 2).model_copy(update={"currency": "XXX"}))
    assert await known_name(kit) == "good"
    assert await kit.count("quarantine") == 1


async def test_reactions_may_begin_when_all_facts_that_were_there_are_known(kit_on_kafka: Kit) -> None:
    kit, stopping = kit_on_kafka, asyncio.Event()
    await kit.publish_messages(*(a_fact(f"name {n}", n) for n in range(1, 6)))
    ready = asyncio.create_task(read_to_the_end(kit.pool, kit.kafka, kit.prefix, stopping))
    ingest = Ingest(kit.pool, kit.kafka, SHOPS_FACTS, [], kit.bell, service="test", prefix=kit.prefix)
    assert not ready.done()
    async with running(ingest):
        await eventually(ready.done)
    assert await known_name(kit) == "name 5"


async def test_the_last_offset_of_the_facts_may_have_no_record(kit_on_kafka: Kit) -> None:
    """A transaction's marker, or what compaction left of a tombstone: nobody will ever read it."""
    kit, fact = kit_on_kafka, a_fact("in a transaction", 1)
    transactional = AIOKafkaProducer(bootstrap_servers=kit.kafka, transactional_id=kit.prefix + "facts")
    async with transactional as producer, producer.transaction():
        value = write_record(fact, fact.meta).encode()
        await producer.send_and_wait(kit.prefix + SHOPS_FACTS.name, value, key=fact.subject.encode())
    ingest = Ingest(kit.pool, kit.kafka, SHOPS_FACTS, [], kit.bell, service="test", prefix=kit.prefix)
    async with running(ingest), asyncio.timeout(20):
        await read_to_the_end(kit.pool, kit.kafka, kit.prefix, asyncio.Event())
    assert await known_name(kit) == "in a transaction"

"""What other services said of a shop; a fact that is not here yet is waited for, never assumed."""

import asyncio
import time
from typing import TypeVar

import asyncpg
import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from shared.contracts.shop_facts import ShopFact
from shared.contracts.topics import SHOPS_FACTS
from shared.messaging.database import DATABASE_ERRORS
from shared.messaging.failures import Retry
from shared.messaging.tolerant_records import read_tolerantly
from shared.messaging.wakeup import pause

F = TypeVar("F", bound=ShopFact)

FRESH_SECONDS = 2.0
FIND = "select type, body from fact where shop = $1 and owner = $2"
TAKEN = "select partition, next from consumed where topic = $1"

log = structlog.get_logger(__name__)


class Facts:
    """Reads facts from this service's own database; what was read is believed for two seconds."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool
        self._known: dict[tuple[str, str], tuple[float, ShopFact]] = {}

    async def of(self, shop: str, contract: type[F]) -> F:
        """The fact of this contract about the shop. Raises Retry while this database has none that it can read."""
        key = (shop, contract.owner)
        read_at, known = self._known.get(key, (0.0, None))
        if isinstance(known, contract) and time.monotonic() - read_at < FRESH_SECONDS:
            return known
        row = await self._pool.fetchrow(FIND, shop, contract.owner)
        if row is None or row["type"] != contract.type:
            raise Retry(f"nothing is known of shop {shop} from {contract.owner} yet")
        fact = contract.model_validate_json(row["body"])
        self._known[key] = (time.monotonic(), fact)
        return fact


async def read_to_the_end(pool: asyncpg.Pool, kafka: str, prefix: str, stopping: asyncio.Event) -> None:
    """Returns when the database has taken in every fact that was on the topic when this was called."""
    while not stopping.is_set():
        try:
            ends = await _ends(kafka, prefix + SHOPS_FACTS.name)
            break
        except (KafkaError, OSError) as error:
            log.warning("the facts' topic cannot be asked yet", error=str(error))
            await pause(1.0, stopping)
    while not stopping.is_set():
        try:
            taken = {row["partition"]: row["next"] for row in await pool.fetch(TAKEN, SHOPS_FACTS.name)}
        except DATABASE_ERRORS as error:
            log.warning("the facts cannot be read yet", error=str(error))
        else:
            if all(taken.get(partition, 0) >= end for partition, end in ends.items()):
                return
        await pause(0.1, stopping)


async def _ends(kafka: str, topic: str) -> dict[int, int]:
    read_tolerantly()
    consumer = AIOKafkaConsumer(bootstrap_servers=kafka.split(","), enable_auto_commit=False)
    try:
        await consumer.start()
        await consumer._client._wait_on_metadata(topic)  # noqa: SLF001 - partitions_for_topic knows subscribed ones only
        partitions = [TopicPartition(topic, number) for number in consumer.partitions_for_topic(topic) or ()]
        consumer.assign(partitions)
        ends = await consumer.end_offsets(partitions)
        starts = await consumer.beginning_offsets(partitions)
        return {p.partition: await _after_the_last(consumer, p, starts[p], ends[p]) for p in partitions}
    finally:
        await consumer.stop()


async def _after_the_last(consumer: AIOKafkaConsumer, partition: TopicPartition, start: int, end: int) -> int:
    """The offset after the last record, 0 without any: markers and compacted ranges have offsets, no records."""
    first, span = end, 1
    while first > start:
        first, span = max(start, end - span), span * 2
        consumer.seek(partition, first)
        following = 0
        while await consumer.position(partition) < end:
            for record in (await consumer.getmany(partition, timeout_ms=500)).get(partition, []):
                following = record.offset + 1
        if following:
            return following
    return 0

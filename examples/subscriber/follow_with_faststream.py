"""The same as follow.py with FastStream, whose defaults would lose records: each setting says what it is against."""

import asyncio
import logging
import os
import sqlite3
from collections.abc import Callable
from typing import Any

from aiokafka import ConsumerRebalanceListener, ConsumerRecord, TopicPartition
from faststream import AckPolicy, BaseMiddleware, FastStream
from faststream.kafka import KafkaBroker, KafkaMessage
from faststream.kafka.message import FAKE_CONSUMER
from follow import KAFKA, TOPIC, open_state, places, take

log = logging.getLogger("follow")


class EndAtAnError(BaseMiddleware):
    """FastStream logs what a handler or a parser raises, and goes on with the next batch: past these records."""

    async def __aexit__(
        self, kind: object = None, error: BaseException | None = None, traceback: object = None
    ) -> None:
        if isinstance(error, Exception):
            log.critical("this batch could not be taken in", exc_info=error)
            os._exit(1)  # at once, before another batch moves the place; what is not committed is read again


class ReadOn(ConsumerRebalanceListener):  # type: ignore[misc]
    """The place is in our state. Nothing is waited for before the seeks: the client would begin to fetch meanwhile."""

    def __init__(self, state: sqlite3.Connection, consumer_of: Callable[[], Any]) -> None:
        self._state, self._consumer_of = state, consumer_of

    async def on_partitions_assigned(self, assigned: set[TopicPartition]) -> None:
        known = places(self._state)
        for partition in assigned:
            if partition.partition in known:
                self._consumer_of().seek(partition, known[partition.partition])

    async def on_partitions_revoked(self, revoked: set[TopicPartition]) -> None:
        pass


async def as_it_came(records: Any) -> KafkaMessage:
    """FastStream's own parser decodes headers as text; one that is none would be an error before the handler."""
    return KafkaMessage(body=b"", raw_message=records, consumer=FAKE_CONSUMER)


async def records_of(message: Any) -> Any:
    """The records themselves: their places are needed too."""
    return message.raw_message


def follower(state: sqlite3.Connection) -> FastStream:
    """The application; it connects to nothing before it runs."""
    broker = KafkaBroker(
        KAFKA,
        consumer_only=True,  # it has nothing to send
        allow_auto_create_topics=False,  # a name with a mistake in it would become a topic
        apply_types=False,
        middlewares=[EndAtAnError],
    )
    subscriber = broker.subscriber(
        TOPIC,
        group_id="totals-of-another-team",
        ack_policy=AckPolicy.MANUAL,  # the default has the client commit by the clock, handled or not
        auto_offset_reset="earliest",  # the default begins with what comes after the first start
        isolation_level="read_committed",
        listener=ReadOn(state, lambda: subscriber.consumer),
        batch=True,
        batch_timeout_ms=250,
        parser=as_it_came,
        decoder=records_of,
    )

    @subscriber
    async def take_in(records: tuple[ConsumerRecord, ...]) -> None:
        take(state, records)

    return FastStream(broker)


if __name__ == "__main__":
    asyncio.run(follower(open_state()).run())

"""Whoever reads on after a source was set back says so once for each stream, where people look."""

from collections.abc import Sequence
from uuid import UUID

import structlog

from shared.contracts.message import Message, Meta
from shared.contracts.order_log import StreamForked
from shared.contracts.topics import Topic
from shared.messaging.cursors import Fork
from shared.messaging.database import Connection
from shared.messaging.outbox import Outbox

log = structlog.get_logger(__name__)


async def say(connection: Connection, outbox: Outbox | None, topic: Topic, forks: Sequence[Fork]) -> None:
    """Puts them on the log of the orders concerned, in the caller's transaction, whose cursors and lanes are locked."""
    if not forks:
        return
    subjects = [fork.record.envelope.subject for fork in forks]
    log.error("streams forked: their source was set back", topic=topic.name, streams=len(forks), first=subjects[0])
    if outbox is not None and topic.key == "order id":
        await outbox.append(connection, [_entry(fork, topic) for fork in forks])


def _entry(fork: Fork, topic: Topic) -> tuple[Meta, Sequence[Message]]:
    meta, number = fork.record.envelope.meta(), fork.record.number
    if number is None:
        raise LookupError("a stream has numbered records only")
    entry = StreamForked(
        order_id=UUID(meta.subject),
        outcome="unknown",
        summary="stream.forked",
        parameters={"source": meta.source, "topic": topic.name},
        stream_source=meta.source,
        stream_topic=topic.name,
        incarnation=number.incarnation,
        n=number.n,
        known=fork.known,
    )
    return meta, [entry]

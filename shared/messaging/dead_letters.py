"""The copy of a message that was given up: for outside tools, personal fields masked; the message keeps its place."""

import json
import traceback
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from shared.contracts.message import CONTENT_TYPE, Meta, NotUnderstood, new_id, personal_field_names
from shared.contracts.reading import read_head
from shared.contracts.topics import Topic
from shared.contracts.values import masked, on_one_line, with_masked_emails
from shared.messaging.failures import Failure
from shared.messaging.lanes import Lane, Waiting

MOST_TEXT = 8_000


@dataclass(frozen=True, slots=True)
class Cause:
    """A message about an order, as far as its envelope can be read."""

    meta: Meta
    order_id: UUID


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """One record for a dead-letter topic, ready for the outbox."""

    id: str
    topic: Topic
    subject: str
    type: str
    payload: str
    sequence: str
    headers: dict[str, str]


def who_says(waiting: Waiting) -> Cause | None:
    """The envelope of a message about an order; None where it is about none, or cannot be read."""
    try:
        meta = read_head(waiting.record).meta()
        return Cause(meta, UUID(meta.subject))
    except (NotUnderstood, ValueError):
        return None


def dead_letter(lane: Lane, waiting: Waiting, failure: Failure, topic: Topic) -> DeadLetter:
    """The copy: the record with its personal fields masked, and in its headers who gave up, why, and after what."""
    frames = "".join(traceback.format_tb(failure.error.__traceback__))[-MOST_TEXT:]
    return DeadLetter(
        id=new_id(),
        topic=topic,
        subject=lane.subject,
        type=waiting.type,
        payload=_shown(waiting.record),
        sequence="",
        headers={
            "content-type": CONTENT_TYPE,
            "ce_type": waiting.type,
            "ce_subject": lane.subject,
            "dead_group": lane.group,
            "dead_shop": lane.shop,
            "dead_position": str(waiting.position),
            "dead_attempts": str(lane.attempts),
            "dead_at": datetime.now(UTC).isoformat(timespec="seconds"),
            "dead_error": on_one_line(with_masked_emails(str(failure))),
            "dead_traceback": frames,
        },
    )


def _shown(record: bytes) -> str:
    try:
        document = json.loads(record)
    except ValueError:
        return json.dumps({"unreadable": len(record)})
    return json.dumps(masked(document, personal_field_names()), ensure_ascii=False)

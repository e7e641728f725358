"""Append: numbers are taken before positions in one transaction, so that the relay's floor may rely on that order."""

import json
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, replace

from opentelemetry import propagate

from shared.contracts.message import Message, Meta, caused_by, record_headers, write_record
from shared.contracts.message import Sequence as Number
from shared.contracts.order_events import OrderEvent
from shared.contracts.order_log import OrderNoted
from shared.contracts.topics import MAX_RECORD_BYTES
from shared.messaging.database import Connection
from shared.messaging.dead_letters import DeadLetter
from shared.messaging.timers import Later, parted
from shared.messaging.wakeup import Bell

Appended = Callable[[Connection, Sequence[Message]], Awaitable[None]]
"""Told of the stamped messages, in the transaction that appends them."""
Said = Sequence[tuple[Meta, Sequence[Message | Later]]]
"""Causes, each with the messages that it made us write; what is for later is not written here."""

TAKE_NUMBERS = """
insert into stream as s (source, topic, subject, last)
select * from unnest($1::text[], $2::text[], $3::text[], $4::bigint[]) u(s, t, a, n) order by 1, 2, 3
on conflict (source, topic, subject) do update set last = s.last + excluded.last
returning topic, subject, last, (select incarnation from relay)
"""

INSERT = """
insert into outbox (id, topic, aggregatetype, aggregateid, type, payload, sequence, headers)
select id, topic, kind, subject, type, payload, sequence, headers::jsonb
from unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[])
  with ordinality u(id, topic, kind, subject, type, payload, sequence, headers, ord) order by ord
"""


class RecordTooLarge(Exception):
    """The message is larger than any record may be."""


def noted(event: OrderEvent, event_id: str) -> OrderNoted:
    """The entry on the order log that says that this event of orders happened."""
    return OrderNoted(
        order_id=event.order.id,
        outcome="done",
        summary=event.type.rsplit(".", 1)[0],
        parameters=event.parameters(),
        event_type=event.type,
        event_id=event_id,
    )


def _traceparent(cause: Meta) -> str | None:
    carrier: dict[str, str] = {}
    propagate.inject(carrier)
    return carrier.get("traceparent", cause.traceparent)


@dataclass(frozen=True)
class _Draft:
    message: Message
    meta: Meta


class Outbox:
    """Appends what one source says. `appended` is called with the stamped messages, in the same transaction.

    `emits` names the types that ship switched off and are to be published here. While a type replaces an older one,
    both are: the older alone, as long as the newer is not named, and as its shadow from then on.
    """

    def __init__(
        self,
        source: str,
        bell: Bell,
        appended: Appended | None = None,
        emits: Collection[str] = (),
    ) -> None:
        self.source = source
        self._emits = frozenset(emits)
        self._bell = bell
        self._appended = appended

    async def append(self, connection: Connection, said: Said, letters: Sequence[DeadLetter] = ()) -> list[Message]:
        """Numbers the messages and writes them to the outbox, in the caller's transaction; events are noted too.

        The caller has locked what they are about (its order or lane). Dead letters have no numbers. Returns what was
        said, stamped, in the order given, without shadows. Raises RecordTooLarge, before anything is written.
        """
        drafts = [draft for cause, messages in said for draft in self._drafts(cause, messages)]
        if not drafts and not letters:
            return []
        stamped = await self._numbered(connection, drafts) if drafts else []
        rows = [self._row(message) for message in stamped] + [_letter_row(letter) for letter in letters]
        await connection.execute(INSERT, *(list(column) for column in zip(*rows, strict=True)))
        stamped = [message for message in stamped if not message.meta.shadow]
        if self._appended is not None:
            await self._appended(connection, stamped)
        return stamped

    def committed(self) -> None:
        """To be called after the commit: the relay looks at once."""
        self._bell.ring()

    def _drafts(self, cause: Meta, messages: Sequence[Message | Later]) -> list[_Draft]:
        drafts = []
        traceparent = _traceparent(cause)
        for message, shadow in self._versions(parted(messages)[0]):
            meta = caused_by(cause, self.source, message.subject, traceparent)
            if shadow:
                meta = replace(meta, shadow=True)
            drafts.append(_Draft(message, meta))
            if isinstance(message, OrderEvent) and not shadow:
                entry = noted(message, meta.id)
                drafts.append(_Draft(entry, caused_by(cause, self.source, entry.subject, traceparent)))
        return drafts

    def _versions(self, messages: Sequence[Message]) -> Iterator[tuple[Message, bool]]:
        """What is published of each, and whether it is a shadow."""
        for message in messages:
            older = message.as_older()
            on = not message.ships_off or message.type in self._emits
            if on:
                yield message, False
            if older is not None:
                yield older, on

    async def _numbered(self, connection: Connection, drafts: Sequence[_Draft]) -> list[Message]:
        counts = Counter((draft.message.topic.name, draft.meta.subject) for draft in drafts)
        streams = sorted(counts)
        heads = await connection.fetch(
            TAKE_NUMBERS,
            [self.source] * len(streams),
            [topic for topic, _ in streams],
            [subject for _, subject in streams],
            [counts[stream] for stream in streams],
        )
        following = {(topic, subject): last - counts[topic, subject] + 1 for topic, subject, last, _ in heads}
        incarnation = heads[0]["incarnation"]
        if incarnation is None:
            raise LookupError("the table relay is empty: nobody knows which life this is; the relay begins one")
        stamped = []
        for draft in drafts:
            stream = (draft.message.topic.name, draft.meta.subject)
            stamped.append(draft.message.stamped(draft.meta.numbered(Number(incarnation, following[stream]))))
            following[stream] += 1
        return stamped

    def _row(self, message: Message) -> tuple[str, ...]:
        meta = message.meta
        payload = write_record(message, meta)
        if len(payload) > MAX_RECORD_BYTES or len(payload.encode()) > MAX_RECORD_BYTES:
            raise RecordTooLarge(f"{message.type} about {meta.subject} has {len(payload.encode())} bytes")
        return (
            meta.id,
            message.topic.name,
            "order" if message.topic.key == "order id" else "shop",
            meta.subject,
            message.type,
            payload,
            str(meta.sequence),
            json.dumps(record_headers(message, meta)),
        )


def _letter_row(letter: DeadLetter) -> tuple[str, ...]:
    return (
        letter.id,
        letter.topic.name,
        "dead-letter",
        letter.subject,
        letter.type,
        letter.payload,
        letter.sequence,
        json.dumps(letter.headers),
    )

"""A database that was set back says nothing before it has a new incarnation: its numbers were used already.

Stream heads are committed before the outbox, and the topics are read before the heads: in a sound database the heads
are never behind.
"""

import asyncio
import json
import time
from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import asyncpg
import structlog
from aiokafka.errors import TopicAuthorizationFailedError

from shared.contracts.topics import Topic
from shared.messaging import metrics
from shared.messaging.database import Connection
from shared.messaging.tails import Tails, read_tails

LOOK_AGAIN_SECONDS = 3.0
KEEP_SECONDS = 10.0
"""For so long what the topics told is not asked again."""

AHEAD = """
select t.topic, t.subject, t.incarnation, t.n, r.incarnation as present, coalesce(s.last, 0) as last
from relay r
cross join unnest($1::text[], $2::text[], $3::text[], $4::bigint[], $5::bigint[])
  t(source, topic, subject, incarnation, n)
left join stream s on s.source = t.source and s.topic = t.topic and s.subject = t.subject
where t.incarnation > r.incarnation or (t.incarnation = r.incarnation and t.n > coalesce(s.last, 0))
"""
PRESENT = "select incarnation from relay"
SAID_SINCE = """
select position, id, sequence, payload, headers from outbox
where position > $1 and sequence < $2 and created_at > $3 and topic = any($4) order by position limit 1000
"""
SAY_ANEW = """
update outbox o set sequence = n.sequence, payload = n.payload, headers = n.headers::jsonb
from unnest($1::bigint[], $2::text[], $3::text[], $4::text[]) n(position, sequence, payload, headers)
where o.position = n.position and exists (select from relay where token = $5 and until > clock_timestamp())
"""

log = structlog.get_logger(__name__)


class Consent:
    """Does the database know all that its sources have said on its topics? Shared by all parts of one process.

    Until it is `given`, nothing is taken in and nobody works; `refused` is one sentence why not, or empty.
    """

    def __init__(self, kafka: str, prefix: str, topics: Sequence[Topic], *sources: str) -> None:
        self._kafka, self._prefix, self._topics, self.sources = kafka, prefix, topics, set(sources)
        self.given, self.refused = asyncio.Event(), ""
        self._reading = asyncio.Lock()
        self._told, self._told_at = Tails(), -KEEP_SECONDS
        self._given_to: UUID | None = None
        if not topics:
            self.given.set()

    async def ask(self, connection: Connection) -> Tails | None:
        """What the topics told, where they know no more than the database; None where it is refused.

        Raises KafkaError and what the database raises.
        """
        told = await self._read()
        ahead = await self._ahead(connection, told)
        metrics.relay_refuses.set(bool(ahead))
        if ahead:
            self._refuse(ahead)
            return None
        self.refused = ""
        self.given.set()
        return told

    async def refusal(self, connection: Connection, token: UUID) -> str | None:
        """One sentence why the holder of this lease may publish nothing, or None; asked once for each lease.

        Raises as `ask` does.
        """
        if not self._topics or self._given_to == token:
            return None
        told = await self.ask(connection)
        if told is None:
            return self.refused
        await self._carry_over(connection, token, told)
        self._given_to = token
        return None

    def forget(self) -> None:
        """The lease is over: others may publish meanwhile."""
        self._given_to = None

    async def _read(self) -> Tails:
        """Read before the heads are, how long before does not matter: what the topics knew then they still know."""
        async with self._reading:
            if time.monotonic() > self._told_at + KEEP_SECONDS:
                try:
                    self._told = await self._tails()
                except TopicAuthorizationFailedError as error:
                    log.error("own topics may not be read: a database that was set back is not seen", topic=str(error))  # noqa: TRY400 - the sentence says all
                self._told_at = time.monotonic()
            return self._told

    async def _tails(self) -> Tails:
        return await read_tails(self._kafka, self._prefix, self._topics, self.sources)

    def _refuse(self, ahead: Sequence[asyncpg.Record]) -> None:
        first = ahead[0]
        known, here = (f"{first[life]:010d}.{first[n]:012d}" for life, n in (("incarnation", "n"), ("present", "last")))
        sentence = (
            f"the database was set back: {first['topic']} knows {first['subject']} up to {known}, the database up "
            f"to {here}; nothing is published until `ops restored` has opened a new incarnation"
        )
        if sentence != self.refused:
            log.error("the database was set back", reason=sentence, streams=len(ahead))
        self.refused = sentence

    async def _ahead(self, connection: Connection, told: Tails) -> Sequence[asyncpg.Record]:
        rows: Sequence[asyncpg.Record] = await connection.fetch(
            AHEAD,
            *map(list, zip(*told.latest, strict=True)) if told.latest else ([], [], []),
            [number.incarnation for number in told.latest.values()],
            [number.n for number in told.latest.values()],
        )
        return rows

    async def _carry_over(self, connection: Connection, token: UUID, told: Tails) -> None:
        """Gives the present incarnation to what was said after the old life had ended and before this one was opened.

        Its numbers were used before, and readers would drop it as seen. What was said in the old life stays as it is:
        they may have taken it in.
        """
        present = await connection.fetchval(PRESENT)
        ended, position = told.ended_before(present), 0
        while ended is not None and (rows := await self._said_since(connection, position, present, ended)):
            anew = [(row["position"], *_in_life(present, row)) for row in rows if str(row["id"]) not in told.ids]
            if anew:
                await connection.execute(SAY_ANEW, *map(list, zip(*anew, strict=True)), token)
                log.warning("said before the incarnation was opened, published as of it", records=len(anew))
            position = rows[-1]["position"]

    async def _said_since(
        self, connection: Connection, position: int, present: int, ended: datetime
    ) -> Sequence[asyncpg.Record]:
        topics = [topic.name for topic in self._topics]
        rows: Sequence[asyncpg.Record] = await connection.fetch(SAID_SINCE, position, f"{present:010d}", ended, topics)
        return rows


def _in_life(incarnation: int, row: asyncpg.Record) -> tuple[str, str, str]:
    old = row["sequence"]
    new = f"{incarnation:010d}{old[10:]}"
    # The attributes stand before the data, so the first one found is the record's own.
    payload = row["payload"].replace(f'"sequence": "{old}"', f'"sequence": "{new}"', 1)
    return new, payload, json.dumps(json.loads(row["headers"]) | {"ce_sequence": new})

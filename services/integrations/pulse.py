"""What a process hears of each connection is written down some seconds later, for all to read.

A process that is killed takes with it what it has heard since it last wrote; what happened to orders is never kept here
alone.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from functools import partial
from uuid import uuid4

from services.integrations.calling import Heard, Word
from services.integrations.connections import Connection, Kind
from shared.messaging.breaker import LeftAlone
from shared.messaging.database import DATABASE_ERRORS, OutcomeUnknown
from shared.messaging.part import Periodic
from shared.runtime.database import Pool

EVERY = 5.0
BELIEVED_FOR = 20.0
"""Seconds after which a process that says nothing more leaves nobody alone any more: it has ended."""
LAST_WORD = 2.0
"""Seconds that a process which ends takes to write."""

WRITE = """
insert into connection_heard as h (shop, kind, answered_at, troubled_at, trouble, webhook_at, forged_at, forged)
select shop, kind, clock_timestamp() - make_interval(secs => answered),
  clock_timestamp() - make_interval(secs => troubled), trouble,
  clock_timestamp() - make_interval(secs => webhook), clock_timestamp() - make_interval(secs => forged), forged_as
from unnest($1::text[], $2::text[], $3::float8[], $4::float8[], $5::text[], $6::float8[], $7::float8[], $8::text[])
  k(shop, kind, answered, troubled, trouble, webhook, forged, forged_as)
join connection using (shop, kind)
order by shop, kind
on conflict (shop, kind) do update set
  answered_at = greatest(h.answered_at, excluded.answered_at),
  trouble = case when excluded.troubled_at >= coalesce(h.troubled_at, '-infinity') then excluded.trouble
                 else h.trouble end,
  troubled_at = greatest(h.troubled_at, excluded.troubled_at),
  webhook_at = greatest(h.webhook_at, excluded.webhook_at),
  forged = case when excluded.forged_at >= coalesce(h.forged_at, '-infinity') then excluded.forged else h.forged end,
  forged_at = greatest(h.forged_at, excluded.forged_at)
"""
LEAVE_ALONE = """
insert into connection_left_alone (process, "group", connection, since, said_at)
select $1, g, c, clock_timestamp() - make_interval(secs => seconds), clock_timestamp()
from unnest($2::text[], $3::text[], $4::float8[]) k(g, c, seconds)
on conflict (process, "group", connection) do update set since = excluded.since, said_at = excluded.said_at
"""
NOT_ANY_MORE = """
delete from connection_left_alone
where process = $1 and ("group", connection) not in (select * from unnest($2::text[], $3::text[]))
"""
FORGET = "delete from connection_left_alone where said_at < clock_timestamp() - interval '1 day'"

Key = tuple[str, Kind]
What = str
Known = dict[What, tuple[float, str]]
"""The last of each thing that was heard: when, by the monotonic clock, and as what."""


class Pulse(Periodic):
    """A component: remembers what is heard, and writes it down every few seconds and at the end."""

    def __init__(
        self, pool: Pool, *, left_alone: Callable[[], Sequence[LeftAlone]] = tuple, every: float = EVERY
    ) -> None:
        super().__init__("what is heard of connections", every)
        self._pool, self._left_alone = pool, left_alone
        self._process = uuid4()
        self._heard: dict[Key, Known] = {}
        self._says = False

    def of(self, connection: Connection) -> Heard:
        """What an adapter tells of its exchanges."""
        return partial(self.exchanged, connection.shop, connection.kind)

    def exchanged(self, shop: str, kind: Kind, word: Word) -> None:
        """Something was asked of the connection, and went so."""
        self._note(shop, kind, "answered" if word == "answered" else "troubled", word)

    def webhook(self, shop: str, kind: Kind, forged: str = "") -> None:
        """A webhook has come; `forged`: why it is not genuine, where it is not."""
        self._note(shop, kind, "forged" if forged else "webhook", forged)

    async def run(self, stopping: asyncio.Event) -> None:
        """Writes until `stopping`, and once more: nobody is left alone by a process that has ended."""
        await super().run(stopping)
        self._left_alone = tuple
        try:
            async with asyncio.timeout(LAST_WORD):
                await self.turn()
        except (*DATABASE_ERRORS, OutcomeUnknown):
            return

    async def turn(self) -> bool:
        """Writes."""
        await self.write_down()
        await self._say_who_is_left_alone()
        return False

    async def write_down(self) -> None:
        """Writes what was heard; what cannot be written stays for the next time."""
        heard, self._heard = self._heard, {}
        written = False
        try:
            await self._write(heard)
            written = True
        finally:
            if not written:
                self._heard = {key: heard.get(key, {}) | self._heard.get(key, {}) for key in heard | self._heard}

    def _note(self, shop: str, kind: Kind, what: What, word: str) -> None:
        self._heard.setdefault((shop, kind), {})[what] = time.monotonic(), word

    async def _write(self, heard: dict[Key, Known]) -> None:
        if not heard:
            return
        now = time.monotonic()
        rows = [
            (
                *key,
                _ago(known, "answered", now),
                _ago(known, "troubled", now),
                known.get("troubled", (0, None))[1],
                _ago(known, "webhook", now),
                _ago(known, "forged", now),
                known.get("forged", (0, None))[1],
            )
            for key, known in heard.items()
        ]
        await self._pool.execute(WRITE, *(list(column) for column in zip(*rows, strict=True)))

    async def _say_who_is_left_alone(self) -> None:
        alone = self._left_alone()
        if not alone and not self._says:
            return
        groups, connections = [each.group for each in alone], [each.connection for each in alone]
        await self._pool.execute(NOT_ANY_MORE, self._process, groups, connections)
        await self._pool.execute(LEAVE_ALONE, self._process, groups, connections, [each.seconds for each in alone])
        self._says = bool(alone)


def _ago(known: Known, what: What, now: float) -> float | None:
    return now - known[what][0] if what in known else None

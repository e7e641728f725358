"""Guessing passwords is slow: each account and each network address has so many tries in a quarter of an hour.

A try is counted before the password is looked at, in one statement, so that many at once get no more than one by one.
"""

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from shared.runtime.database import Pool, connected

WINDOW = timedelta(minutes=15)
COUNT = """
insert into guess as g (subject, begun_at, count) values ($1, clock_timestamp(), 1)
on conflict (subject) do update set
  count = case when g.begun_at < clock_timestamp() - $2::interval then 1 else g.count + 1 end,
  begun_at = case when g.begun_at < clock_timestamp() - $2::interval then clock_timestamp() else g.begun_at end
returning count, extract(epoch from begun_at + $2::interval - clock_timestamp())::float as seconds
"""
RIGHT = "delete from guess where subject = $1"
TAKE_BACK = "update guess set count = count - 1 where subject = $1 and count > 0"
FORGET = "delete from guess where begun_at < clock_timestamp() - interval '1 day'"


class TooMany(Exception):
    """There were too many tries; `minutes` until there may be another one."""

    def __init__(self, minutes: int) -> None:
        super().__init__(self.__doc__)
        self.minutes = minutes


@dataclass(frozen=True)
class Guesses:
    """Counts tries; what they were about is kept as a hash."""

    pool: Pool
    per_account: int
    per_address: int
    wait: float = 5.0

    async def count(self, account: str, address: str) -> None:
        """One more try. Raises TooMany."""
        limits: Sequence[tuple[bytes, int]] = (
            (subject("account", account), self.per_account),
            (subject("address", address), self.per_address),
        )
        async with connected(self.pool, wait=self.wait) as connection:
            for one, limit in limits:
                row = await connection.fetchrow(COUNT, one, WINDOW)
                if row is not None and row["count"] > limit:
                    raise TooMany(max(1, math.ceil(row["seconds"] / 60)))

    async def right(self, account: str, address: str) -> None:
        """It was no guess."""
        async with connected(self.pool, wait=self.wait) as connection:
            await connection.execute(RIGHT, subject("account", account))
            await connection.execute(TAKE_BACK, subject("address", address))


def subject(kind: str, name: str) -> bytes:
    """What is counted, so that nobody reads addresses in this table."""
    return hashlib.sha256(f"{kind} {name.strip().lower()}".encode()).digest()

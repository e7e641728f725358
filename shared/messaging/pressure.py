"""What can be worked and is not worked yet is bounded: above the limit nothing more is read, and Kafka keeps it.

What waits behind a blocked, retrying or broken connection is not counted: it must not stop the others.
"""

import time
from dataclasses import dataclass

import asyncpg

RUNNABLE_LIMIT = 100_000
GO_ON_BELOW = 0.8
DISK_LIMIT = 20 * 1024**3
"""Bytes that inbox and messages may take, whatever they wait for."""

RUNNABLE = """
select count(*) from (
  select from lane l join inbox i on i."group" = l."group" and i.subject = l.subject and i.state = 'ready'
  where l.due <= now() or l.state = 'leased' limit $1) counted
"""
DISK = "select pg_total_relation_size('message') + pg_total_relation_size('inbox')"


@dataclass
class Pressure:
    """Says whether ingest has to wait for the workers."""

    pool: asyncpg.Pool
    runnable_limit: int = RUNNABLE_LIMIT
    disk_limit: int = DISK_LIMIT
    every: float = 2.0
    reason: str | None = None
    """Why it has to, in a sentence; None while it has not."""
    _good_until: float = 0.0

    async def measured(self) -> str | None:
        """The reason, two seconds old at most. What has begun to wait goes on when a fifth has been worked."""
        if time.monotonic() >= self._good_until:
            self._good_until = time.monotonic() + self.every
            self.reason = await self._measure(GO_ON_BELOW if self.reason else 1.0)
        return self.reason

    async def _measure(self, share: float) -> str | None:
        used = await self.pool.fetchval(DISK)
        if used > self.disk_limit * share:
            return f"inbox and messages take {used // 1024**2} MiB, the most are {self.disk_limit // 1024**2}"
        limit = int(self.runnable_limit * share)
        runnable = await self.pool.fetchval(RUNNABLE, limit + 1)
        return f"more than {limit} messages wait for the workers" if runnable > limit else None

"""What work costs a database, in the pages that it touches: the same on a busy machine and on an idle one."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass

import asyncpg
import pytest

from tests.plugins.kit import Kit

FLUSH = "select pg_stat_force_next_flush()"
TOUCHED = """
select sum(heap_blks_read + heap_blks_hit + coalesce(idx_blks_read + idx_blks_hit, 0)
  + coalesce(toast_blks_read + toast_blks_hit, 0))::bigint from pg_statio_user_tables
"""
TABLES = "select relname from pg_class where relkind = 'r' and relnamespace = 'public'::regnamespace"
NO_AUTOVACUUM = "alter table {table} set (autovacuum_enabled = false)"


@dataclass
class Buffers:
    """Counts the pages of tables and indexes that pools of one connection each touch."""

    watching: asyncpg.Connection

    async def touched(self, pool: asyncpg.Pool, work: Callable[[], Awaitable[object]]) -> int:
        """How many pages the work touched; nobody else may be at work in this database meanwhile."""
        await pool.execute(FLUSH)
        before = await self.watching.fetchval(TOUCHED)
        await work()
        await pool.execute(FLUSH)
        return int(await self.watching.fetchval(TOUCHED) - before)


@pytest.fixture
async def buffers(kit: Kit) -> AsyncIterator[Buffers]:
    """For the kit's database; autovacuum, which touches pages too, is off there."""
    for row in await kit.pool.fetch(TABLES):
        await kit.pool.execute(NO_AUTOVACUUM.format(table=row["relname"]))
    watching = await asyncpg.connect(kit.dsn, server_settings={"stats_fetch_consistency": "none"})
    yield Buffers(watching)
    await watching.close()

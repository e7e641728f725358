"""A database that all tests of a file share, because making one takes longer than most of them."""

import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit, urlunsplit

import asyncpg

from shared.runtime.database import Pool, connected, open_pool
from shared.runtime.migrations import RUNTIME_MIGRATIONS, migrate


@asynccontextmanager
async def own_database(postgres_url: str) -> AsyncIterator[str]:
    """Give the address of a new, empty database, dropped afterwards."""
    name = f"test_{secrets.token_hex(6)}"
    admin = await asyncpg.connect(postgres_url)
    await admin.execute(f"create database {name}")
    yield urlunsplit(urlsplit(postgres_url)._replace(path=f"/{name}"))
    await admin.execute(f"drop database {name} with (force)")
    await admin.close()


@asynccontextmanager
async def migrated_pool(postgres_url: str, connections: int) -> AsyncIterator[Pool]:
    """Give a pool on a new database that has the runtime's tables."""
    async with own_database(postgres_url) as url:
        pool = await open_pool(url, name="test", connections=connections)
        async with connected(pool) as connection:
            await migrate(connection, [RUNTIME_MIGRATIONS])
        yield pool
        await pool.close()

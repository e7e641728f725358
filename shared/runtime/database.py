"""The way to PostgreSQL: pooled connections carry no session state, and a lost COMMIT is never called a failure."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, TypeAlias

import asyncpg
from asyncpg.pool import PoolConnectionProxy

from shared.messaging.database import KEYS_ONLY, OutcomeUnknown, in_transaction

__all__ = [
    "Connection",
    "DatabaseAway",
    "OutcomeUnknown",
    "Pool",
    "close_pool",
    "connected",
    "open_pool",
    "transaction",
]

if TYPE_CHECKING:
    Pool: TypeAlias = asyncpg.Pool[asyncpg.Record]
    Connection: TypeAlias = asyncpg.Connection[asyncpg.Record] | PoolConnectionProxy[asyncpg.Record]
else:
    Pool = asyncpg.Pool
    Connection = asyncpg.Connection | PoolConnectionProxy

IDLE_IN_TRANSACTION = "10s"
CONNECT_WITHIN = 10.0
"""Seconds."""

CANNOT_CONNECT = (
    OSError,
    TimeoutError,
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,
)


class DatabaseAway(ConnectionError):
    """No connection to the database could be had in time: it is away, or all connections are in use."""

    # A ConnectionError, so that whoever waits for a server that is away waits for this one, too.
    def __str__(self) -> str:
        return self.__doc__ or ""


async def open_pool(
    url: str,
    *,
    name: str,
    connections: int = 16,
    keys_only: bool = False,
    on_connect: Callable[[Connection], Coroutine[Any, Any, None]] | None = None,
) -> Pool:
    """Make a pool that connects when it is used; nothing is connected here, so the database may still be away.

    `name` is what `pg_stat_activity.application_name` shows; `on_connect` sees each connection first. With `keys_only`
    every plan goes by keys, whatever the tables looked like when it was made.
    """
    return await asyncpg.create_pool(
        url,
        min_size=0,
        max_size=connections,
        timeout=CONNECT_WITHIN,
        init=on_connect,
        reset=leave_the_session,
        server_settings={
            "application_name": name,
            "idle_in_transaction_session_timeout": IDLE_IN_TRANSACTION,
            "timezone": "UTC",
            # Every statement here is short: compiling one takes longer than running it.
            "jit": "off",
            **(KEYS_ONLY if keys_only else {}),
        },
    )


async def leave_the_session(_connection: Connection) -> None:
    """Take the place of asyncpg's RESET ALL round trip at each release: use `set local`, or a connection of your own.

    An open transaction is still rolled back, and listeners are removed: asyncpg does that before it calls this.
    """


@asynccontextmanager
async def connected(pool: Pool, *, wait: float = 5.0) -> AsyncIterator[Connection]:
    """Lend a connection; DatabaseAway when none can be had within `wait` seconds."""
    try:
        connection = await pool.acquire(timeout=wait)
    except CANNOT_CONNECT as error:
        raise DatabaseAway from error
    try:
        yield connection
    finally:
        await pool.release(connection)


@asynccontextmanager
async def transaction(pool: Pool, *, wait: float = 5.0) -> AsyncIterator[Connection]:
    """Run the block in one transaction: committed at its end, rolled back when it raises.

    Raises DatabaseAway before anything was done, OutcomeUnknown when COMMIT got no answer.
    """
    async with connected(pool, wait=wait) as connection, in_transaction(connection):
        yield connection


async def close_pool(pool: Pool, *, within: float = 3.0) -> None:
    """Close the pool politely; connections still lent after `within` seconds are cut."""
    try:
        async with asyncio.timeout(within):
            await pool.close()
    except TimeoutError:
        pool.terminate()

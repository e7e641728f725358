"""The types of PostgreSQL connections, and the transaction in which everything is written."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
from asyncpg.pool import PoolConnectionProxy

Connection = asyncpg.Connection | PoolConnectionProxy
"""A connection of one's own, or one lent by a pool."""
Executor = Connection | asyncpg.Pool
"""Whatever can run one statement by itself."""


class OutcomeUnknown(Exception):
    """The connection was lost while the transaction committed: nobody can say whether it did."""


@asynccontextmanager
async def transaction(pool: asyncpg.Pool) -> AsyncIterator[PoolConnectionProxy]:
    """A connection in a transaction that commits at the end. Raises OutcomeUnknown when COMMIT got no answer."""
    async with pool.acquire() as connection:
        open_transaction = connection.transaction()
        await open_transaction.start()
        try:
            yield connection
        except BaseException:
            if not connection.is_closed():
                await open_transaction.rollback()
            raise
        try:
            await open_transaction.commit()
        except (asyncpg.PostgresConnectionError, asyncpg.InterfaceError, OSError, TimeoutError) as error:
            raise OutcomeUnknown("the connection was lost during COMMIT") from error

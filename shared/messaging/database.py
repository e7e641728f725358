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


LOST = (
    OSError,
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
)
"""How asyncpg says that a connection has ended; the last, where it ends while another statement is on its way."""
KEYS_ONLY = {"jit": "off", "enable_seqscan": "off", "enable_hashjoin": "off", "enable_mergejoin": "off"}
"""Plans by keys alone. Lanes and inbox are empty one minute and full the next: a plan that was right for the empty ones
reads all of the full ones at each turn."""
DATABASE_ERRORS = (*LOST, asyncpg.PostgresError)
"""Whatever a statement can fail with. A timeout is an OSError."""


@asynccontextmanager
async def in_transaction(connection: Connection) -> AsyncIterator[None]:
    """Runs the block in one transaction: committed at its end, rolled back when it raises.

    Raises OutcomeUnknown when COMMIT got no answer.
    """
    finished = False
    try:
        async with connection.transaction():
            yield
            finished = True
    except LOST as error:
        if finished:
            raise OutcomeUnknown("the connection was lost during COMMIT") from error
        raise


@asynccontextmanager
async def transaction(pool: asyncpg.Pool) -> AsyncIterator[PoolConnectionProxy]:
    """A pooled connection in a transaction that commits at the end. Raises OutcomeUnknown as `in_transaction` does."""
    async with pool.acquire() as connection, in_transaction(connection):
        yield connection

"""Before a process serves: the database is waited for, however long it is away, and steps are done in their order."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

import asyncpg
import structlog

from shared.runtime.database import CANNOT_CONNECT, DatabaseAway, Pool, connected
from shared.runtime.migrations import Folder, migrate, pending

Hook = Callable[[Pool], Awaitable[None]]
"""A step before serving; it is begun again when the database goes away in the middle."""

FIRST_PAUSE = 0.2
LONGEST_PAUSE = 5.0
"""Seconds between two tries."""

NOT_YET = (
    *CANNOT_CONNECT,
    DatabaseAway,
    asyncpg.InterfaceError,
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.InvalidCatalogNameError,
)

log = structlog.stdlib.get_logger(__name__)


class SchemaBehind(Exception):
    """The database has not had all migrations yet, and this process is not the one to apply them."""


async def prepare(
    pool: Pool, migrations: Sequence[Folder], hooks: Sequence[Hook], *, apply: bool, say: Callable[[str], None]
) -> None:
    """Reach the database, bring its schema up to date (or, without `apply`, wait until it is), run the hooks in order.

    `say` is told what is being waited for. Raises MigrationError, and whatever a hook raises that is not a lost
    connection.
    """

    async def schema(pool: Pool) -> None:
        async with connected(pool) as connection:
            if apply:
                await migrate(connection, migrations)
            elif missing := await pending(connection, migrations):
                raise SchemaBehind(f"not applied yet: {', '.join(map(str, missing))}")

    steps: list[tuple[str, Hook]] = [("the database", reach), ("the schema", schema)]
    steps += [(getattr(hook, "__name__", type(hook).__name__), hook) for hook in hooks]
    for name, step in steps:
        say(f"waiting for {name}")
        await until_done(name, step, pool)


async def reach(pool: Pool) -> None:
    """See that the database answers."""
    async with connected(pool) as connection:
        await connection.fetchval("select 1")


async def until_done(name: str, step: Hook, pool: Pool) -> None:
    """Run a step again and again while the database is away, saying so once for each reason."""
    pause, told = FIRST_PAUSE, ""
    while True:
        try:
            await step(pool)
        except (*NOT_YET, SchemaBehind) as error:
            reason = str(error.__cause__ or error) or type(error).__name__
            if reason != told:
                log.warning("waiting", step=name, reason=reason)
                told = reason
        else:
            if told:
                log.info("waited for", step=name)
            return
        await asyncio.sleep(pause)
        pause = min(2 * pause, LONGEST_PAUSE)

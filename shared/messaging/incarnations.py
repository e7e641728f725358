"""Which life of its database a process speaks for: one that was taken up from a copy never counts on in its old life.

PostgreSQL says which database it is (its system identifier), and each time it is taken up from a copy it says so (its
timeline). What it cannot know, a disk set back or a dump loaded, an operator says.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache

import asyncpg
import structlog

from shared.messaging import metrics
from shared.messaging.database import Connection

LOOK = """
select r.incarnation, r.previous, r.restored, r.system_identifier, r.timeline,
  (select system_identifier::text from pg_control_system()) as system_now,
  case when pg_is_in_recovery() then null else left(pg_walfile_name(pg_current_wal_lsn()), 8) end as timeline_now
from relay r
"""
LOOK_ONLY_HERE = "select incarnation, previous, restored, system_identifier, timeline from relay"
REMEMBER = "update relay set system_identifier = $1, timeline = $2 where system_identifier is null"
# Whoever took numbers in the old life has committed before the new one begins, and takes none in it afterwards.
NOBODY_COUNTS = "lock table stream in share row exclusive mode"
OPEN = """
update relay set previous = incarnation, restored = true, system_identifier = $1, timeline = $2,
  incarnation = greatest(extract(epoch from clock_timestamp())::bigint, incarnation + 1)
where incarnation = $3 returning incarnation
"""
BEGIN = """
insert into relay (incarnation) values (extract(epoch from clock_timestamp())::bigint) on conflict do nothing
"""
NOTHING_TO_DO = (asyncpg.UndefinedTableError, asyncpg.UndefinedColumnError, asyncpg.ReadOnlySQLTransactionError)
"""Before the migrations have run there is no life to compare, and who may not write opens none."""
CANNOT_SAY = (asyncpg.InsufficientPrivilegeError, asyncpg.UndefinedFunctionError, asyncpg.FeatureNotSupportedError)

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Life:
    """The present life as the database has it, and who the server says it is now.

    A standby has no timeline; a server that does not say who it is has nothing.
    """

    incarnation: int
    previous: int | None
    restored: bool
    kept: tuple[str | None, str | None]
    now: tuple[str, str | None] | None

    @property
    def since(self) -> datetime:
        """When it was opened: an incarnation is the second of that."""
        return datetime.fromtimestamp(self.incarnation, UTC)

    @property
    def is_new(self) -> bool:
        """Whether nobody has asked the server yet who it is."""
        return self.kept[0] is None

    @property
    def is_another(self) -> bool:
        """Whether the server is not the one whose life this is."""
        return self.now is not None and not self.is_new and self.kept != self.now

    @property
    def is_on_standby(self) -> bool:
        """Whether the server only follows another one."""
        return self.now is not None and self.now[1] is None


async def present_life(connection: Connection) -> Life | None:
    """None where somebody has emptied the table; raises what the database raises where it has no such table."""
    try:
        row = await connection.fetchrow(LOOK)
    except CANNOT_SAY as error:
        _say_once(str(error))
        row = await connection.fetchrow(LOOK_ONLY_HERE)
    if row is None:
        return None
    kept = (row["system_identifier"], row["timeline"])
    now = (row["system_now"], row["timeline_now"]) if "system_now" in row else None
    return Life(row["incarnation"], row["previous"], row["restored"], kept, now)


async def recognise(connection: Connection) -> None:
    """To be called with each new connection, before it serves: opens a new incarnation where the database is another.

    Of several processes that see it at once, one opens it. Raises ConnectionRefusedError on a standby: a connection
    that is there when it is taken up would go on in the old life.
    """
    try:
        life = await present_life(connection)
        if life is None:
            await connection.execute(BEGIN)
            log.error("the table relay was empty: an incarnation was begun")
        elif life.is_on_standby:
            raise ConnectionRefusedError("the server is a standby")
        elif life.is_new and life.now is not None:
            await connection.execute(REMEMBER, *life.now)
        elif life.is_another:
            await _begin_after(connection, life)
    except NOTHING_TO_DO:
        return


async def open_next(connection: Connection, life: Life) -> int | None:
    """The new incarnation that follows this life; None where somebody else has opened one meanwhile."""
    async with connection.transaction():
        await connection.execute(NOBODY_COUNTS)
        opened: int | None = await connection.fetchval(OPEN, *(life.now or life.kept), life.incarnation)
    return opened


async def _begin_after(connection: Connection, life: Life) -> None:
    opened = await open_next(connection, life)
    if opened is not None:
        metrics.incarnations.inc()
        log.error("incarnation opened", present=opened, previous=life.incarnation, was=life.kept, now=life.now)


@cache
def _say_once(error: str) -> None:
    log.warning("the server does not say which one it is: only an operator can open an incarnation", error=error)

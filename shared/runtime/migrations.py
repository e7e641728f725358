"""Migrations: a file is applied whole or not at all, once, in order, by one process at a time, then never changed."""

import asyncio
import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import structlog

from shared.runtime.database import Connection

Folder = tuple[str, Path]
"""A name that stays for ever, and where the files are."""

RUNTIME_MIGRATIONS: Folder = ("runtime", Path(__file__).with_name("migrations"))

ADVISORY_LOCK = 0x0D_E5_1C_47
LOCK_TIMEOUT = "3s"
TRIES = 10
PAUSE = 1.0
"""Seconds between two tries to get the locks of one file."""

FILE = re.compile(r"\A(\d{4})_([a-z0-9_]+)\.sql\Z")
UP = re.compile(r"^--\s*migrate:up[ \t]*(.*)$", re.MULTILINE)
DOWN = re.compile(r"^--\s*migrate:down\b.*$", re.MULTILINE)

CREATE_TABLE = """
create table if not exists schema_migrations (
  folder     text not null,
  version    text not null,
  name       text not null,
  checksum   text not null,
  applied_at timestamptz not null default clock_timestamp(),
  primary key (folder, version)
)
"""
TABLE_EXISTS = "select to_regclass('schema_migrations') is not null"
APPLIED = "select version, checksum from schema_migrations where folder = $1"
RECORD = "insert into schema_migrations (folder, version, name, checksum) values ($1, $2, $3, $4)"

log = structlog.stdlib.get_logger(__name__)


class MigrationError(Exception):
    """The files and what the database has seen of them do not fit; the message says which file and how."""


@dataclass(frozen=True)
class Migration:
    """One file."""

    folder: str
    version: str
    name: str
    up: str
    checksum: str

    def __str__(self) -> str:
        return f"{self.folder}/{self.version}_{self.name}"


async def migrate(connection: Connection, folders: Sequence[Folder]) -> list[str]:
    """Apply what is missing and return its names, `orders/0001_orders`; processes that do so at once take turns.

    Each file is its own transaction with a `lock_timeout`, tried again ten times when a lock is not to be had.
    Raises MigrationError for a file that changed after it was applied, one numbered below an applied one, or one
    whose SQL fails. Needs a connection outside any transaction.
    """
    await connection.execute("select pg_advisory_lock($1)", ADVISORY_LOCK)
    try:
        await connection.execute(CREATE_TABLE)
        missing = await pending(connection, folders)
        for migration in missing:
            await apply(connection, migration)
    finally:
        if not connection.is_closed():
            await connection.execute("select pg_advisory_unlock($1)", ADVISORY_LOCK)
    return [str(migration) for migration in missing]


async def pending(connection: Connection, folders: Sequence[Folder]) -> list[Migration]:
    """List what is not applied yet, in order; what the database has from a newer release is no concern of this one.

    Raises MigrationError as `migrate` does.
    """
    exists = await connection.fetchval(TABLE_EXISTS)
    missing: list[Migration] = []
    for name, path in folders:
        rows = await connection.fetch(APPLIED, name) if exists else []
        applied = {row["version"]: row["checksum"] for row in rows}
        for migration in read_folder(name, path):
            if migration.version in applied:
                compare(migration, applied[migration.version])
            elif applied and migration.version < max(applied):
                raise MigrationError(f"{migration} is numbered below {max(applied)}, which is applied: renumber it")
            else:
                missing.append(migration)
    return missing


def compare(migration: Migration, checksum: str) -> None:
    """Raise MigrationError when the file is no longer what was applied."""
    if migration.checksum != checksum:
        raise MigrationError(f"{migration} was changed after it was applied: restore it and add a new file instead")


async def apply(connection: Connection, migration: Migration) -> None:
    """Run one file and record it, both or neither."""
    for tries_left in reversed(range(TRIES)):
        try:
            async with connection.transaction():
                await connection.execute(f"set local lock_timeout = '{LOCK_TIMEOUT}'")
                await connection.execute(migration.up)
                record = (migration.folder, migration.version, migration.name, migration.checksum)
                await connection.execute(RECORD, *record)
        except asyncpg.LockNotAvailableError as error:
            if not tries_left:
                raise MigrationError(
                    f"{migration} did not get its locks: something holds the table ({error})"
                ) from error
            log.info("waiting for the locks of a migration", migration=str(migration), tries_left=tries_left)
            await asyncio.sleep(PAUSE)
        except (asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            raise MigrationError(f"{migration} failed and was rolled back: {error}") from error
        else:
            log.info("migration applied", migration=str(migration))
            return


def read_folder(name: str, path: Path) -> list[Migration]:
    """Read the `0001_x.sql` files of a folder in order; MigrationError for a bad name or a version taken twice."""
    if not path.is_dir():
        raise MigrationError(f"the folder of the migrations {name!r} is missing")
    migrations = [read_file(name, file) for file in sorted(path.glob("*.sql"))]
    versions = [migration.version for migration in migrations]
    twice = {version for version in versions if versions.count(version) > 1}
    if twice:
        raise MigrationError(f"{name}: version {min(twice)} stands twice")
    return migrations


def read_file(folder: str, file: Path) -> Migration:
    """Read the part of a dbmate file between `-- migrate:up` and `-- migrate:down`."""
    name = FILE.match(file.name)
    text = file.read_bytes().decode("utf-8").replace("\r\n", "\n")
    start = UP.search(text)
    if name is None or start is None:
        raise MigrationError(f"{folder}/{file.name}: expected the name 0001_words.sql and a line `-- migrate:up`")
    if start[1].strip():
        raise MigrationError(f"{folder}/{file.name}: no options after migrate:up, a file is always one transaction")
    end = DOWN.search(text, start.end())
    up = text[start.end() : end.start() if end else len(text)].strip()
    return Migration(folder, name[1], name[2], up, hashlib.sha256(text.encode()).hexdigest())

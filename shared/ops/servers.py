"""The servers that a command asks: one that cannot be asked is named in a sentence, without its password."""

import asyncio
import logging
import re
from collections.abc import AsyncIterator, Coroutine, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, TypeVar
from urllib.parse import urlsplit

import asyncpg
import typer
from aiokafka.errors import KafkaConnectionError, KafkaError

import shared.messaging
from shared.messaging.database import Connection
from shared.messaging.incarnations import recognise
from shared.runtime.migrations import Folder, MigrationError, pending

CANNOT = 3
"""The exit code of a command that a server kept from doing its work; 1 is an answer: no, or nothing found."""
CONNECT_WITHIN = 10.0
ANSWER_WITHIN = 30.0
"""Seconds for one statement."""

KIT_MIGRATIONS: Folder = ("messaging", Path(shared.messaging.__path__[0]) / "migrations")

BETWEEN = re.compile(r"[,\s]+(?=[a-z][a-z0-9-]*=postgres(?:ql)?://)")
NAMED = re.compile(r"([a-z][a-z0-9-]*)=(postgres(?:ql)?://\S+)")
ADDRESS = re.compile(r"[^\s,:]+:\d{1,5}(,[^\s,:]+:\d{1,5})*|\[[0-9a-f:]+\]:\d{1,5}")

T = TypeVar("T")


class Unavailable(Exception):
    """A server cannot be asked, or a database lacks a table; the message says which, and why, to an operator."""


@dataclass(frozen=True)
class Database:
    """The database of one service."""

    service: str
    url: str

    def __str__(self) -> str:
        return f"the database of {self.service}"


def _address(value: str | None) -> str | None:
    if value is not None and not ADDRESS.fullmatch(value):
        raise typer.BadParameter("expected host:port, or several with commas between them")
    return value


Given = Annotated[
    list[str],
    typer.Option(
        "--database",
        "-d",
        envvar="OPS_DATABASES",
        metavar="SERVICE=URL",
        help="A service and its database: orders=postgresql://user:password@host/orders. Can be given repeatedly; "
        "in the environment several stand with commas between them.",
    ),
]
Of = Annotated[
    str | None, typer.Option("--service", metavar="SERVICE", help="Only of this service, where several are given.")
]
Kafka = Annotated[str, typer.Option(envvar="OPS_KAFKA", metavar="HOST:PORT", callback=_address, help="Kafka.")]
MaybeKafka = Annotated[
    str | None, typer.Option("--kafka", envvar="OPS_KAFKA", metavar="HOST:PORT", callback=_address, help="Kafka.")
]
Prefix = Annotated[str, typer.Option(envvar="OPS_TOPIC_PREFIX", help="What the names of the topics begin with.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]


def databases(given: Sequence[str], service: str | None = None) -> list[Database]:
    """The databases named on the command line, or in the environment, or that of one service.

    Raises BadParameter, never showing an address.
    """
    found = {}
    for item in (item for text in given for item in BETWEEN.split(text.strip(" ,"))):
        named = NAMED.fullmatch(item)
        if named is None or not urlsplit(named[2]).path.strip("/"):
            what = item.partition("=")[0] if NAMED.match(item) else "one of them"
            raise typer.BadParameter(f"{what}: expected SERVICE=postgresql://user:password@host:port/database")
        if named[1] in found:
            raise typer.BadParameter(f"{named[1]} is named twice")
        found[named[1]] = Database(named[1], named[2])
    if service is not None and service not in found:
        raise typer.BadParameter(f"was given: {', '.join(found)}", param_hint="--service")
    return [database for database in found.values() if service in {None, database.service}]


def one_database(given: Sequence[str], service: str | None = None) -> Database:
    """The database of this service, or the only one there is. Raises BadParameter where that is not clear."""
    found = databases(given)
    chosen = [database for database in found if service in {None, database.service}]
    if len(chosen) != 1:
        names = ", ".join(database.service for database in found)
        wanted = f"of the service {service} " if service else ""
        raise typer.BadParameter(f"expected one database {wanted}but was given: {names}")
    return chosen[0]


def finish(work: Coroutine[Any, Any, T]) -> T:
    """Do a command's work; where a server keeps it from that, say so and end with exit code 3."""
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # what it logs is said in one sentence
    try:
        return asyncio.run(work)
    except Unavailable as error:
        typer.echo(f"Error: {error}", err=True)
        raise typer.Exit(CANNOT) from None


@asynccontextmanager
async def connected(
    database: Database, needs: Sequence[Folder] = (KIT_MIGRATIONS,), *, writes: bool = False
) -> AsyncIterator[Connection]:
    """A connection that can only read, unless it `writes`. Raises Unavailable, naming missing migrations of `needs`."""
    connection = await _connect(database, writes=writes)
    try:
        if writes:
            await recognise(connection)
        yield connection
    except (asyncpg.UndefinedTableError, asyncpg.UndefinedColumnError) as error:
        raise Unavailable(await _what_is_missing(connection, database, needs, error)) from error
    except asyncpg.QueryCanceledError as error:
        raise Unavailable(f"{database} did not answer within {ANSWER_WITHIN:.0f} s") from error
    except asyncpg.InsufficientPrivilegeError as error:
        raise Unavailable(f"{database}: this user may not do that: {error}") from error
    except (OSError, asyncpg.PostgresConnectionError, asyncpg.OperatorInterventionError) as error:
        raise Unavailable(f"{database} was lost: {error}") from error
    finally:
        await connection.close(timeout=2)


async def _connect(database: Database, *, writes: bool) -> asyncpg.Connection:
    settings = {
        "application_name": "ops",
        "timezone": "UTC",
        "statement_timeout": f"{ANSWER_WITHIN:.0f}s",
        "default_transaction_read_only": "off" if writes else "on",
    }
    try:
        return await asyncpg.connect(database.url, timeout=CONNECT_WITHIN, server_settings=settings)
    except TimeoutError:
        raise Unavailable(f"{database} did not answer within {CONNECT_WITHIN:.0f} s") from None
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise Unavailable(f"{database} cannot be reached: {error}") from None
    except ValueError:
        raise Unavailable(f"{database} cannot be reached: its address is not a URL of PostgreSQL") from None


async def _what_is_missing(
    connection: Connection, database: Database, needs: Sequence[Folder], error: asyncpg.PostgresError
) -> str:
    try:
        missing = await pending(connection, needs)
    except (MigrationError, asyncpg.PostgresError) as why:
        return f"{database} lacks a table ({error}), and its migrations cannot be compared: {why}"
    names = ", ".join(map(str, missing))
    return f"{database} has not had all migrations; missing: {names}" if names else f"{database}: {error}"


@asynccontextmanager
async def kafka_at(address: str) -> AsyncIterator[None]:
    """Say what Kafka's errors mean to an operator: raises Unavailable instead of them."""
    try:
        yield
    except (KafkaConnectionError, OSError, TimeoutError) as error:
        raise Unavailable(f"Kafka cannot be reached at {address}: {error or type(error).__name__}") from None
    except KafkaError as error:
        raise Unavailable(f"Kafka at {address} refuses: {error}") from None

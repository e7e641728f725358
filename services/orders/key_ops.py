"""What an operator types about the keys of personal identity numbers: none goes while a number still needs it."""

import os
import sys
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID

import typer
from pydantic import SecretStr
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

import services.orders
from services.orders.keyring import Keyring
from shared.messaging.database import Connection
from shared.messaging.sealing import CannotOpen
from shared.ops.servers import KIT_MIGRATIONS, AsJson, Database, Given, connected, finish, one_database
from shared.ops.shown import counted, print_json, print_table
from shared.runtime.migrations import Folder

SETTING = "ORDERS_SEALING_KEYS"
MIGRATIONS: Sequence[Folder] = (
    KIT_MIGRATIONS,
    ("orders", Path(services.orders.__path__[0]) / "sql" / "migrations"),
)
BATCH = 500
NAMED = 10
"""Orders that are named at most."""
FIRST = UUID(int=0)
USES = "select key, count(*) as numbers from personal_number group by key order by key"
SEALED_OTHERWISE = """
select order_id, shop, key, sealed from personal_number
where key <> $1 and order_id > $2 order by order_id limit $3 for update
"""
"""Whoever writes a number at that moment is waited for; one that it sealed with the newest key is passed over."""
RESEAL = """
update personal_number p set key = $1, sealed = u.sealed
from unnest($2::uuid[], $3::text[], $4::bytea[]) u(order_id, shop, sealed)
where p.order_id = u.order_id and p.shop = u.shop
"""

app = typer.Typer(
    no_args_is_help=True, help=f"What personal identity numbers are sealed with: the keys in {SETTING}, by their names."
)


@dataclass
class Batch:
    """How far a rotation came: up to this order, so many sealed anew, and those that their key does not open."""

    last: UUID
    resealed: int = 0
    broken: list[UUID] = field(default_factory=list)


@app.command("list")
def list_(given: Given, *, as_json: AsJson = False) -> None:
    """List the keys, the newest first, with how many numbers each seals; a missing one is marked."""
    ring = _keyring()
    uses = finish(_uses(one_database(given, "orders")))
    given_names = ring.names if ring else []
    rows = [
        {"key": name, "numbers": uses.get(name, 0), "state": _state(ring, name)}
        for name in [*given_names, *(uses.keys() - set(given_names))]
    ]
    if as_json:
        print_json(rows)
    elif rows:
        print_table(("key", "numbers", "state"), (tuple(row.values()) for row in rows))
    else:
        typer.echo(f"there are no keys in {SETTING}, and no number needs one")


@app.command()
def rotate(given: Given) -> None:
    """Seal all numbers with the newest key; can be stopped, done again, and run beside the service.

    Exit code 1, and nothing is changed, where a key is missing that a number still needs. Exit code 1, too, where a
    number cannot be opened with the key that it names: it stays as it is.
    """
    ring = _keyring()
    if ring is None:
        typer.echo(f"{SETTING} is not set: it must be what the service has.", err=True)
        raise typer.Exit(2)
    database = one_database(given, "orders")
    uses = finish(_uses(database))
    missing = [f"{name} ({counted(uses[name], 'number')})" for name in sorted(uses.keys() - set(ring.names))]
    if missing:
        typer.echo(f"Still needed, and not in {SETTING}: {', '.join(missing)}. Nothing was changed.", err=True)
        raise typer.Exit(1)
    total = sum(count for name, count in uses.items() if name != ring.newest)
    done, broken = finish(_rotate(database, ring, total))
    typer.echo(f"{counted(done, 'number')} sealed anew with {ring.newest}")
    if broken:
        named = ", ".join(map(str, broken[:NAMED])) + (" and more" if len(broken) > NAMED else "")
        typer.echo(f"{counted(len(broken), 'number')} cannot be opened with the key that it names: {named}", err=True)
        raise typer.Exit(1)


def _keyring() -> Keyring | None:
    try:
        return Keyring.from_setting(SecretStr(os.environ.get(SETTING, "")))
    except ValueError as error:
        typer.echo(f"{SETTING} cannot be used: {error}.", err=True)
        raise typer.Exit(2) from None


def _state(ring: Keyring | None, name: str) -> str:
    if ring is None or name not in ring.names:
        return "missing"
    return "the newest" if name == ring.newest else "older"


async def _uses(database: Database) -> dict[str, int]:
    async with connected(database, MIGRATIONS) as connection:
        return {row["key"]: row["numbers"] for row in await connection.fetch(USES)}


async def _rotate(database: Database, ring: Keyring, total: int) -> tuple[int, list[UUID]]:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    console, done = Console(file=sys.stderr), 0
    broken: list[UUID] = []
    with Progress(*columns, console=console, transient=True, disable=not sys.stderr.isatty()) as bar:
        task = bar.add_task("sealing anew", total=total)
        async with connected(database, MIGRATIONS, writes=True) as connection:
            async for batch in _batches(connection, ring):
                done, broken = done + batch.resealed, broken + batch.broken
                bar.advance(task, batch.resealed + len(batch.broken))
    return done, broken


async def _batches(connection: Connection, ring: Keyring) -> AsyncIterator[Batch]:
    batch: Batch | None = Batch(FIRST)
    while batch is not None:
        batch = await reseal_some(connection, ring, batch.last)
        if batch is not None:
            yield batch


async def reseal_some(connection: Connection, ring: Keyring, after: UUID, most: int = BATCH) -> Batch | None:
    """Seals the next numbers behind that order with the newest key, in one transaction; None where there are none."""
    async with connection.transaction():
        rows = await connection.fetch(SEALED_OTHERWISE, ring.newest, after, most)
        if not rows:
            return None
        batch = Batch(rows[-1]["order_id"])
        anew: list[tuple[UUID, str, bytes]] = []
        for row in rows:
            try:
                content = ring.open(row["key"], row["sealed"])
            except CannotOpen:
                batch.broken.append(row["order_id"])
            else:
                anew.append((row["order_id"], row["shop"], ring.seal(content)[1]))
        columns = ([each[column] for each in anew] for column in range(3))
        await connection.execute(RESEAL, ring.newest, *columns)
        batch.resealed = len(anew)
    return batch

"""A database that was set back begins a new life, so that nobody takes what it says next for what was said before."""

from typing import Annotated

import typer

from shared.messaging.incarnations import Life, open_next, present_life
from shared.messaging.repairs import Operator, write_down
from shared.ops.asking import Actor, Reason, Yes, operator_of
from shared.ops.servers import Database, Given, Unavailable, connected, finish, one_database
from shared.ops.shown import moment, print_table

Service = Annotated[
    str | None,
    typer.Argument(metavar="SERVICE", help="Whose database was set back.", show_default="the only one that is named"),
]

NEXT = """
1. Start {service}. Its relay goes on by itself; /readyz says so.
2. `ops status`: what its lanes, effects and quarantine want of a person.
3. "After a restore" in docs/operating.md says what it lost and how to see it.
"""


def restored(
    given: Given, service: Service = None, reason: Reason = "", actor: Actor = "operator", *, yes: Yes = False
) -> None:
    """Open a new incarnation of a database that was set back: a rolled-back disk, a loaded dump.

    Best while the service is stopped, before it is started on the restored database. A server that was restored from
    a base backup, or taken over from a standby, has another timeline: then the service does it by itself. Shows what it
    will do, and asks.
    """
    database, operator = one_database(given, service), operator_of(actor, reason)
    life = finish(_present(database))
    print_table(("", database.service), _shown(life))
    if not yes:
        typer.confirm(f"Open a new incarnation of {database}?", abort=True)
    opened = finish(_open(database, life, operator))
    typer.echo(f"incarnation {opened} of {database} is open: whatever it says now belongs to it")
    typer.echo(NEXT.format(service=database.service).strip())


def began(life: Life) -> str:
    """When the present life began, and how."""
    return f"{moment(life.since)} UTC" + (f", after {life.previous}" if life.restored else ", with the database")


def _shown(life: Life) -> list[tuple[str, object]]:
    server = "another than before: the service would open one by itself" if life.is_another else "the same as before"
    return [
        ("present incarnation", life.incarnation),
        ("began", began(life)),
        ("server", server),
        ("next incarnation", f"the second of now, at least {life.incarnation + 1}"),
        ("numbers", "go on from the stream heads as they are in this database"),
    ]


async def _present(database: Database) -> Life:
    async with connected(database) as connection:
        life = await present_life(connection)
    if life is None:
        raise Unavailable(f"{database} has lost the row of its table relay: starting the service makes a new one")
    if life.is_on_standby:
        raise Unavailable(f"{database} is on a standby: an incarnation is opened where it is written")
    return life


async def _open(database: Database, life: Life, operator: Operator) -> int:
    """The incarnation that is open after this: ours, or one that somebody else opened after the same life."""
    async with connected(database, writes=True) as connection, connection.transaction():
        opened = await open_next(connection, life)
        if opened is not None:
            answer = f"incarnation {opened} is open"
            await write_down(connection, "restored", {"previous": life.incarnation}, operator, answer, done=True)
        present = await present_life(connection)
    if present is None:
        raise Unavailable(f"{database} has lost the row of its table relay meanwhile")
    return opened or present.incarnation

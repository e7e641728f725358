"""What operators asked for: who, what, why, and what came of it; what nobody has done yet can be taken back."""

import json
from typing import Annotated, Any

import typer

from shared.messaging.repair_desk import withdraw as withdraw_asked
from shared.ops.asking import Actor
from shared.ops.servers import AsJson, Database, Given, connected, databases, finish, one_database
from shared.ops.shown import print_json, print_table
from shared.runtime.masking import masked_text

app = typer.Typer(no_args_is_help=True, help="What operators asked of the services, by hand or by HTTP.")

LIST = """
select position, asked_at, actor, action, arguments, reason, state, answer, answered_at from repair
where $1::text is null or state = $1 order by position desc limit $2
"""

State = Annotated[str | None, typer.Option(help="Only what is asked, done or refused.")]
Limit = Annotated[int, typer.Option(min=1, max=10_000, help="At most so many of each service, the latest first.")]
Positions = Annotated[
    list[int] | None, typer.Argument(metavar="[POSITION]...", help="As `list` shows them. Without any: all of it.")
]
Service = Annotated[str | None, typer.Option(help="Of which service, where several databases are given.")]


@app.command("list")
def list_(given: Given, state: State = None, limit: Limit = 50, *, as_json: AsJson = False) -> None:
    """List what was asked for, the latest first, with its answer."""
    if state not in {None, "asked", "done", "refused"}:
        raise typer.BadParameter("expected asked, done or refused", param_hint="--state")
    rows = [row for database in databases(given) for row in finish(_list(database, state, limit))]
    if as_json:
        print_json(rows)
    elif rows:
        columns = ("service", "position", "asked (UTC)", "by", "what", "reason", "state", "answer")
        print_table(columns, map(_cells, rows))
    else:
        typer.echo("nothing was asked for")


@app.command()
def withdraw(given: Given, positions: Positions = None, service: Service = None, actor: Actor = "operator") -> None:
    """Take back what was asked and not done yet. Exit code 1 where there is nothing of that."""
    taken_back = finish(_withdraw(one_database(given, service), positions, actor))
    if not taken_back:
        typer.echo("Nothing of this waits to be done.", err=True)
        raise typer.Exit(1)
    typer.echo(f"taken back: {', '.join(map(str, taken_back))}")


def _cells(row: dict[str, Any]) -> tuple[object, ...]:
    what = " ".join([row["action"], *(f"{name}={value}" for name, value in row["arguments"].items())])
    return (
        row["service"], row["position"], row["asked_at"], row["actor"], what, row["reason"], row["state"], row["answer"]
    )  # fmt: skip


async def _list(database: Database, state: str | None, limit: int) -> list[dict[str, Any]]:
    async with connected(database) as connection:
        rows = await connection.fetch(LIST, state, limit)
    return [
        {
            "service": database.service,
            **dict(row),
            "arguments": json.loads(row["arguments"]),
            "answer": masked_text(row["answer"] or ""),
        }
        for row in rows
    ]


async def _withdraw(database: Database, positions: list[int] | None, actor: str) -> list[int]:
    async with connected(database, writes=True) as connection:
        return await withdraw_asked(connection, positions, actor)

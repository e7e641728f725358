"""API tokens in the services' own databases: one is shown when it is made, and never again."""

from collections.abc import Sequence
from typing import Annotated, Any

import typer

from shared.ops.servers import AsJson, Database, Given, connected, databases, finish
from shared.ops.shown import print_json, print_table
from shared.runtime.migrations import RUNTIME_MIGRATIONS
from shared.runtime.tokens import list_tokens, make_token, revoke_token

app = typer.Typer(no_args_is_help=True, help="API tokens: each belongs to one shop and to one service.")

Shop = Annotated[str, typer.Option(help="The shop that it speaks for; * with the scope operator: any shop.")]
Name = Annotated[str, typer.Option(help="What it is for, in your words: 'shop front'.")]
Scopes = Annotated[list[str], typer.Option("--scope", help="What it may do: orders:write. Can be given repeatedly.")]
TokenId = Annotated[str, typer.Argument(metavar="ID", help="As `tokens list` shows it: the 16 digits behind ot_.")]


@app.command()
def make(given: Given, shop: Shop, name: Name, scopes: Scopes, *, as_json: AsJson = False) -> None:
    """Make a token in each service named, and print it: this once, only its hash is kept.

    With one service the token alone is on stdout; with several each line has the service before it.
    """
    chosen = databases(given)
    made = []
    for database in chosen:
        token = finish(_make(database, shop, name, scopes))
        made.append({"service": database.service, "id": token.split("_")[1], "token": token})
        if not as_json:
            typer.echo(token if len(chosen) == 1 else f"{database.service} {token}")
    if as_json:
        print_json(made)
    typer.echo("Keep it now: it cannot be shown again.", err=True)


@app.command("list")
def list_(
    given: Given,
    shop: Annotated[str | None, typer.Option(help="Only those of this shop.")] = None,
    *,
    as_json: AsJson = False,
) -> None:
    """List tokens, revoked ones too; the tokens themselves are not known to anybody but their owners."""
    rows = [row for database in databases(given) for row in finish(_list(database, shop))]
    if as_json:
        print_json(rows)
    else:
        columns = ("service", "id", "shop", "name", "scopes", "made", "last used", "revoked")
        print_table(columns, ([*({**row, "scopes": ", ".join(row["scopes"])}).values()] for row in rows))


@app.command()
def revoke(token_id: TokenId, given: Given) -> None:
    """Revoke a token: within seconds it works no longer. Exit code 1 where there is none that worked."""
    revoked = [database.service for database in databases(given) if finish(_revoke(database, token_id))]
    if not revoked:
        typer.echo(f"There is no token {token_id} that still worked.", err=True)
        raise typer.Exit(1)
    typer.echo(f"revoked in {', '.join(revoked)}")


async def _make(database: Database, shop: str, name: str, scopes: Sequence[str]) -> str:
    async with connected(database, [RUNTIME_MIGRATIONS], writes=True) as connection:
        try:
            return await make_token(connection, shop, name, scopes)
        except ValueError as error:
            raise typer.BadParameter(str(error)) from None


async def _list(database: Database, shop: str | None) -> list[dict[str, Any]]:
    async with connected(database, [RUNTIME_MIGRATIONS]) as connection:
        rows = await list_tokens(connection, shop)
    return [
        {
            "service": database.service,
            "id": row.id,
            "shop": row.shop,
            "name": row.name,
            "scopes": list(row.scopes),
            "created_at": row.created_at,
            "last_used_at": row.last_used_at,
            "revoked_at": row.revoked_at,
        }
        for row in rows
    ]


async def _revoke(database: Database, token_id: str) -> bool:
    async with connected(database, [RUNTIME_MIGRATIONS], writes=True) as connection:
        return await revoke_token(connection, token_id)

"""What an operator types about people: the first one is made here, and the key that says who they are."""

from collections.abc import Coroutine, Sequence
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer

import services.backoffice
from services.backoffice.passwords import Passwords, TooShort
from services.backoffice.people import (
    DISABLE,
    END_SESSIONS,
    LEAVE,
    NEW_PASSWORD,
    NotSoPerson,
    Person,
    add_person,
    find_person,
    give_role,
    list_people,
)
from shared.contracts.values import Language
from shared.ops.contributed import Contribution
from shared.ops.servers import AsJson, Database, Given, connected, finish, one_database
from shared.ops.shown import print_json, print_table
from shared.runtime.actors import new_key, public_key_of
from shared.runtime.database import Connection
from shared.runtime.migrations import Folder

MIGRATIONS: Sequence[Folder] = (("backoffice", Path(services.backoffice.__path__[0]) / "sql" / "migrations"),)

T = TypeVar("T")

app = typer.Typer(no_args_is_help=True, help="The people who may sign in to the back office, and its key.")

Email = Annotated[str, typer.Argument(metavar="EMAIL", help="What they sign in with.")]
Roles = Annotated[
    list[str],
    typer.Option("--role", metavar="SHOP=ROLE", help="nordic-tea=handler, or *=operator. Can be given repeatedly."),
]
Secret = Annotated[
    str, typer.Option(prompt=True, hide_input=True, confirmation_prompt=True, help="Asked for where it is not given.")
]


@app.command()
def make(
    email: Email,
    given: Given,
    name: Annotated[str, typer.Option(help="What they are called.")],
    roles: Roles,
    password: Secret,
    language: Annotated[str, typer.Option(help="sv, fi or en; else what their browser asks for.")] = "",
) -> None:
    """Make somebody who may sign in, and print their id. Exit code 1 where that is refused."""
    speaks: Language | None = language if language in {"sv", "fi", "en"} else None  # type: ignore[assignment]
    person_id = _answered(_make(_database(given), email, name, password, _read(roles), speaks))
    typer.echo(person_id)


@app.command()
def role(email: Email, given: Given, roles: Roles) -> None:
    """Give somebody a role in a shop, in place of the one they had; SHOP= takes it away."""
    _answered(_give(_database(given), email, _read(roles)))


@app.command()
def password(email: Email, given: Given, password: Secret) -> None:
    """Give somebody a new password, and end their sessions."""
    _answered(_new_password(_database(given), email, password))


@app.command()
def disable(email: Email, given: Given) -> None:
    """Let somebody in no more, from now on."""
    _answered(_disable(_database(given), email))


@app.command("list")
def list_(
    given: Given,
    shop: Annotated[str | None, typer.Option(help="Only those of this shop.")] = None,
    *,
    as_json: AsJson = False,
) -> None:
    """List everybody who may sign in, or could once."""
    people = finish(_list(_database(given), shop))
    if as_json:
        print_json([{**vars(each), "roles": dict(each.roles)} for each in people])
    else:
        rows = (
            (p.id, p.name, p.email, ", ".join(f"{s}={r}" for s, r in p.roles.items()), p.created_at, p.disabled_at)
            for p in people
        )
        print_table(("id", "name", "e-mail", "roles", "made", "disabled"), rows)


@app.command("new-key")
def key() -> None:
    """Make a key: its private half is for BACKOFFICE_ACTOR_KEY, the public one for <SERVICE>_ACTOR_KEYS."""
    private = new_key()
    typer.echo(f"BACKOFFICE_ACTOR_KEY={private}")
    typer.echo(f"ACTOR_KEYS={public_key_of(private)}")


def _database(given: Sequence[str]) -> Database:
    return one_database(given, "backoffice")


def _read(roles: Sequence[str]) -> dict[str, str]:
    found = dict(each.partition("=")[::2] for each in roles)
    return {shop.strip(): role.strip() for shop, role in found.items()}


def _answered(work: Coroutine[Any, Any, T]) -> T:
    try:
        return finish(work)
    except (NotSoPerson, TooShort) as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from None


async def _make(
    database: Database, email: str, name: str, password: str, roles: dict[str, str], language: Language | None
) -> str:
    async with connected(database, MIGRATIONS, writes=True) as connection, connection.transaction():
        return await add_person(
            connection, Passwords(), email=email, name=name, password=password, roles=roles, language=language
        )


async def _give(database: Database, email: str, roles: dict[str, str]) -> None:
    async with connected(database, MIGRATIONS, writes=True) as connection, connection.transaction():
        person_id = await _known(connection, email)
        for shop, role in roles.items():
            if role:
                await give_role(connection, person_id, shop, role)
            else:
                await connection.execute(LEAVE, person_id, shop)


async def _new_password(database: Database, email: str, password: str) -> None:
    async with connected(database, MIGRATIONS, writes=True) as connection, connection.transaction():
        person_id = await _known(connection, email)
        await connection.execute(NEW_PASSWORD, person_id, await Passwords().hashed(password))
        await connection.execute(END_SESSIONS, person_id)


async def _disable(database: Database, email: str) -> None:
    async with connected(database, MIGRATIONS, writes=True) as connection, connection.transaction():
        person_id = await _known(connection, email)
        await connection.execute(DISABLE, person_id)
        await connection.execute(END_SESSIONS, person_id)


async def _list(database: Database, shop: str | None) -> list[Person]:
    async with connected(database, MIGRATIONS) as connection:
        return await list_people(connection, shop)


async def _known(connection: Connection, email: str) -> str:
    row = await find_person(connection, email)
    if row is None:
        raise NotSoPerson(f"there is nobody with the address {email}")
    return str(row["id"])


contribution = Contribution(commands={"people": app})

"""What needs a person, as a terminal shows it: lists over all services, and one thing in full."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, Generic, TypeVar

import typer
from pydantic import BaseModel, ValidationError

from shared.contracts.message import reasons
from shared.messaging.database import Connection
from shared.messaging.trouble import Filter, Item, Kind
from shared.ops.servers import Database, connected, databases, finish
from shared.ops.shown import print_json, print_table
from shared.runtime.trouble_shown import shown

I = TypeVar("I", bound=Item)  # noqa: E741 - an item
F = TypeVar("F", bound=Filter)

Id = Annotated[str, typer.Argument(metavar="ID", help="As `list` shows it.")]
GroupName = Annotated[str | None, typer.Option("--group", help="Only what this group has given up: notifications.")]
Shop = Annotated[str | None, typer.Option(help="Only what is about orders of this shop.")]
TopicName = Annotated[str | None, typer.Option("--topic", help="Only of this topic, without prefix: orders.events.")]
TypeName = Annotated[str | None, typer.Option("--type", help="Only messages of this type: order.placed.v1.")]
KindOfCall = Annotated[str | None, typer.Option("--kind", help="Only calls of this kind: mail.")]
Since = Annotated[datetime | None, typer.Option(help="Only what came about then or later; in UTC.")]
Words = Annotated[str | None, typer.Option("--error", help="Only where the error has these words in it.")]
Limit = Annotated[int, typer.Option(min=1, max=10_000, help="At most so many of each service, the oldest first.")]


@dataclass(frozen=True)
class View(Generic[I, F]):
    """How one kind is shown: its columns by title and field, one of it in full, and the words where there is none."""

    kind: Kind[I, F]
    columns: Mapping[str, str]
    in_full: Callable[[Connection, I], Awaitable[BaseModel]]
    none: str


@dataclass(frozen=True)
class Found(Generic[I]):
    """Something that needs a person, and where."""

    database: Database
    item: I

    @property
    def id(self) -> str:
        """What names it among those of all services."""
        return f"{self.database.service}/{self.item.id}"


def asked_for(view: View[I, F], **asked: Any) -> F:
    """The filter that these options make. Raises BadParameter."""
    since = asked.get("since")
    if since is not None:
        asked["since"] = since.replace(tzinfo=UTC)
    try:
        return view.kind.filter(**asked)
    except ValidationError as error:
        raise typer.BadParameter("; ".join(reasons(error))) from None


def print_list(view: View[I, F], given: Sequence[str], wanted: F, limit: int, *, as_json: bool) -> None:
    """List what fits, of each service the oldest first."""
    found = [each for database in databases(given) for each in finish(_page(view, database, wanted, limit))]
    if as_json:
        print_json([{**shown(each.item).model_dump(), "id": each.id} for each in found])
    elif found:
        print_found(view, found)
    else:
        typer.echo(view.none)


def print_found(view: View[I, F], found: Sequence[Found[I]]) -> None:
    """Show these as a table."""
    rows = ((each.id, *(getattr(shown(each.item), field) for field in view.columns.values())) for each in found)
    print_table(("id", *view.columns), rows)


def print_in_full(view: View[I, F], given: Sequence[str], text: str, *, as_json: bool) -> None:
    """Show one of them with all that stands in it. Exit code 1 where there is none."""
    (found,) = finish(find(view, databases(given), [text]))
    fields = finish(_opened(view, found)).model_dump()
    if as_json:
        print_json({**fields, "id": found.id})
        return
    documents = {name: value for name, value in fields.items() if isinstance(value, dict | list)}
    print_table(("", ""), [("id", found.id), *((n, v) for n, v in fields.items() if n not in {"id", *documents})])
    for name, document in documents.items():
        typer.echo(f"{name}:")
        print_json(document)


async def find(view: View[I, F], asked: Sequence[Database], ids: Sequence[str]) -> list[Found[I]]:
    """Those with these ids. Ends with exit code 1 where one is not there, or no longer."""
    found = []
    for text in ids:
        service, _, rest = text.partition("/")
        named = [database for database in asked if database.service == service]
        places = [each async for each in _with_id(view, named or asked, rest if named else text)]
        if not places:
            typer.echo(f"{text}: {view.none}.", err=True)
            raise typer.Exit(1)
        if len(places) > 1:
            raise typer.BadParameter(f"{text}: is it {' or '.join(place.id for place in places)}?", param_hint="ID")
        found += places
    return found


async def find_all(view: View[I, F], asked: Sequence[Database], wanted: F) -> list[Found[I]]:
    """All that fit, of every service."""
    found = []
    for database in asked:
        async with connected(database) as connection:
            found += [Found(database, item) async for item in view.kind.everything(connection, wanted)]
    return found


async def _with_id(view: View[I, F], places: Sequence[Database], item_id: str) -> Any:
    for database in places:
        async with connected(database) as connection:
            item = await view.kind.find(connection, item_id)
        if item is not None:
            yield Found(database, item)


async def _page(view: View[I, F], database: Database, wanted: F, limit: int) -> list[Found[I]]:
    async with connected(database) as connection:
        page = await view.kind.page(connection, wanted, limit=limit)
    return [Found(database, item) for item in page.items]


async def _opened(view: View[I, F], found: Found[I]) -> BaseModel:
    async with connected(found.database) as connection:
        try:
            return await view.in_full(connection, found.item)
        except LookupError:
            typer.echo(f"{found.id}: {view.none}.", err=True)
            raise typer.Exit(1) from None

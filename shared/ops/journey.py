"""One order's whole story: what every database and the topics know of it, in the order in which it happened."""

import asyncio
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Annotated
from uuid import UUID

import typer
from rich.text import Text

from shared.ops.chapters import CHAPTERS
from shared.ops.contributed import contributions
from shared.ops.records import Reading, tell_of_records
from shared.ops.servers import CANNOT, AsJson, Database, Given, MaybeKafka, Prefix, databases, finish
from shared.ops.shown import console, print_json, print_table, printable
from shared.ops.story import Entry, Told, tell

BEFORE = timedelta(days=1)
"""How long before its first trace in a database an order's commands are looked for on the topics."""
EVER = datetime(2000, 1, 1, tzinfo=UTC)

Order = Annotated[UUID, typer.Argument(metavar="ORDER", help="The order's id.")]
Topics = Annotated[
    bool, typer.Option("--topics/--no-topics", help="Read the topics too; they need --kafka. Without: databases only.")
]
Since = Annotated[
    datetime | None,
    typer.Option(help="In UTC.", show_default="a day before the first that the databases know; else all that is kept"),
]
Seconds = Annotated[float, typer.Option("--seconds", min=1, help="How long each topic is read at most.")]
Everywhere = Annotated[
    bool,
    typer.Option(
        "--all-partitions",
        help="Read all partitions: for writers whose client puts keys elsewhere than Kafka's own does.",
    ),
]


@dataclass(frozen=True)
class Journey:
    """How things stand, what happened, and what could not be asked."""

    standing: list[Entry]
    story: list[Entry]
    missing: list[str]


def journey(
    order: Order,
    given: Given,
    kafka: MaybeKafka = None,
    prefix: Prefix = "",
    *,
    topics: Topics = True,
    since: Since = None,
    seconds: Seconds = 30.0,
    everywhere: Everywhere = False,
    as_json: AsJson = False,
) -> None:
    """Tell one order's whole story, from the databases of the services and the topics, in the order of time.

    Personal fields are masked. Times are UTC, each by its own server's clock. Exit code 1 where nobody knows the order,
    3 where something could not be asked; what could be is shown all the same.
    """
    if topics and kafka is None:
        raise typer.BadParameter("give --kafka, or --no-topics", param_hint="--kafka")
    reading = Reading(kafka or "", prefix, since.replace(tzinfo=UTC) if since else None, seconds, everywhere)
    told = finish(_ask(str(order), databases(given), reading if topics else None, reading.since))
    if as_json:
        print_json({"order": str(order), **asdict(told)})
    else:
        _print(told, str(order))
    if told.missing:
        raise typer.Exit(CANNOT)
    if not told.standing and not told.story:
        raise typer.Exit(1)


async def _ask(order: str, asked: list[Database], reading: Reading | None, since: datetime | None) -> Journey:
    chapters = [*CHAPTERS, *(chapter for added in contributions() for chapter in added.chapters)]
    indexed = [chapter for chapter in chapters if not chapter.bounded]
    large = [chapter for chapter in chapters if chapter.bounded]
    heard = await asyncio.gather(*(tell(database, order, indexed, since) for database in asked))
    since = since or _first(heard)
    reached = [database for database, told in zip(asked, heard, strict=True) if not told.missing]
    heard += await asyncio.gather(*(tell(database, order, large, since or EVER) for database in reached))
    if reading is not None:
        heard.append(await tell_of_records(order, replace(reading, since=since)))
    entries = [entry for told in heard for entry in told.entries]
    story = sorted((entry for entry in entries if entry.at), key=lambda entry: entry.at or EVER)
    return Journey([e for e in entries if not e.at], story, [sentence for told in heard for sentence in told.missing])


def _first(heard: list[Told]) -> datetime | None:
    times = [entry.at for told in heard for entry in told.entries if entry.at]
    return min(times) - BEFORE if times else None


def _print(told: Journey, order: str) -> None:
    if not told.standing and not told.story:
        typer.echo(f"Nobody who was asked knows the order {order}.", err=True)
    if told.story:
        story = [(entry.at, entry.where, *_cells(entry)) for entry in told.story]
        print_table(("time (UTC)", "where", "what", ""), story, title=f"What happened to {order}")
    if told.standing:
        standing = [(entry.where, *_cells(entry)) for entry in told.standing]
        print_table(("where", "what", ""), standing, title="How it stands")
    wrong = sum(entry.wrong for entry in [*told.standing, *told.story])
    if wrong:
        console().print(Text(f"{wrong} of these need somebody: they are red, and marked with !", style="bold red"))
    for sentence in told.missing:
        typer.echo(f"Not asked: {sentence}", err=True)


def _cells(entry: Entry) -> tuple[Text, Text]:
    style = "red" if entry.wrong else ""
    text = f"! {entry.text}" if entry.wrong else entry.text
    return Text(printable(entry.what), style=style), Text(printable(text), style=style)

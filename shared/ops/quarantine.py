"""What was not understood, as it may be shown; the bytes themselves only to one who asks for them."""

import json
import re
from base64 import b64decode
from typing import Annotated, Any

import asyncpg
import typer

from shared.messaging.trouble import QuarantinedRecord, RecordFilter, quarantined
from shared.messaging.wanted import TakeAgain
from shared.ops.asking import Actor, All, DryRun, Ids, Reason, Wait, Yes, carry_out, choose, operator_of
from shared.ops.servers import AsJson, Database, Given, Of, connected, databases, finish, one_database
from shared.ops.shown import print_json, print_table, printable
from shared.ops.troubles import Since, TopicName, View, Words, asked_for
from shared.runtime.masking import masked_bytes, masked_record, masked_text
from shared.runtime.trouble_shown import header_name, quarantined_in_full

app = typer.Typer(no_args_is_help=True, help="Records that no service could understand; each is kept as it came.")

VIEW: View[QuarantinedRecord, RecordFilter] = View(
    quarantined,
    {"since (UTC)": "at", "topic": "topic", "partition": "partition", "offset": "offset", "error": "error"},
    quarantined_in_full,
    "nothing is quarantined",
)
POSITION = re.compile(r"(?:([a-z][a-z0-9-]*)/)?([0-9]{1,18})")
LIST = """
select position, topic, partition, "offset", reason, at, length(value) as bytes from quarantine
where $1::text is null or topic = $1 order by position desc limit $2
"""
FIND = "select * from quarantine where position = $1"

Position = Annotated[str, typer.Argument(metavar="POSITION", help="As `quarantine list` shows it: orders/17, or 17.")]
Limit = Annotated[int, typer.Option(min=1, max=10_000, help="At most so many of each service, the latest first.")]
Raw = Annotated[bool, typer.Option("--raw", help="The bytes as they came, escaped; personal data is not masked.")]


@app.command("list")
def list_(given: Given, topic: TopicName = None, limit: Limit = 50, *, as_json: AsJson = False) -> None:
    """List quarantined records, the latest first: where each came from, and why it was not understood."""
    rows = [row for database in databases(given) for row in finish(_list(database, topic, limit))]
    if as_json:
        print_json(rows)
    elif rows:
        print_table(("position", "at (UTC)", "topic", "partition/offset", "bytes", "reason"), map(_cells, rows))
    else:
        typer.echo("nothing is quarantined")


@app.command()
def show(position: Position, given: Given, *, raw: Raw = False, as_json: AsJson = False) -> None:
    """Show a quarantined record: why, from where, and what stands in it. Exit code 1 where there is none."""
    parts = POSITION.fullmatch(position)
    if parts is None:
        raise typer.BadParameter("expected a number, or a service and a number: orders/17", param_hint="POSITION")
    database = one_database(given, parts[1])
    row = finish(_find(database, int(parts[2])))
    if row is None:
        typer.echo(f"{database} has nothing quarantined at {parts[2]}.", err=True)
        raise typer.Exit(1)
    document = _opened(database, row, raw=raw)
    if as_json:
        print_json(document)
        return
    headers, value = document.pop("headers"), document.pop("value")
    print_table(("", ""), [*document.items(), *((f"header {name}", text) for name, text in headers)])
    if value is None or isinstance(value, str):
        typer.echo("the record has no value" if value is None else value)
    else:
        print_json(value)


@app.command("re-ingest")
def re_ingest(
    given: Given,
    ids: Ids = None,
    topic: TopicName = None,
    since: Since = None,
    error: Words = None,
    reason: Reason = "",
    actor: Actor = "operator",
    wait: Wait = 30.0,
    service: Of = None,
    *,
    everything: All = False,
    dry_run: DryRun = False,
    yes: Yes = False,
) -> None:
    """Read quarantined records again, as if they had just come: for what a newer version understands.

    What is taken in leaves the quarantine; what is still not understood stays, with the reason of now.
    """
    wanted = asked_for(VIEW, topic=topic, since=since, error=error)
    operator = operator_of(actor, reason)
    found = choose(VIEW, given, ids, wanted, everything=everything, service=service)
    carry_out(
        VIEW,
        found,
        "re-ingest",
        lambda item: TakeAgain(position=int(item.id)),
        operator,
        dry_run=dry_run,
        sure=yes or bool(ids),
        patience=wait,
    )


def _cells(row: dict[str, Any]) -> tuple[object, ...]:
    place = f"{row['partition']}/{row['offset']}"
    return (row["position"], row["at"], row["topic"], place, row["bytes"], row["reason"])


async def _list(database: Database, topic: str | None, limit: int) -> list[dict[str, Any]]:
    async with connected(database) as connection:
        rows = await connection.fetch(LIST, topic, limit)
    return [
        {**row, "position": f"{database.service}/{row['position']}", "reason": masked_text(row["reason"])}
        for row in rows
    ]


async def _find(database: Database, position: int) -> asyncpg.Record | None:
    async with connected(database) as connection:
        return await connection.fetchrow(FIND, position)


def _opened(database: Database, row: asyncpg.Record, *, raw: bool) -> dict[str, Any]:
    headers = [(name, None if value is None else b64decode(value)) for name, value in json.loads(row["headers"])]
    seen = escaped if raw else masked_bytes
    return {
        "position": f"{database.service}/{row['position']}",
        "at": row["at"],
        "topic": row["topic"],
        "partition": row["partition"],
        "offset": row["offset"],
        "reason": row["reason"] if raw else masked_text(row["reason"]),
        "key": seen(row["key"]),
        "headers": [(printable(header_name(name)), seen(value)) for name, value in headers],
        "value": seen(row["value"]) if raw else masked_record(row["value"]),
    }


def escaped(value: bytes | None) -> str | None:
    r"""Bytes as text: printable ASCII as it is, everything else as `\xc3`."""
    if value is None:
        return None
    return "".join(chr(byte) if 32 <= byte < 127 and byte != 92 else f"\\x{byte:02x}" for byte in value)  # noqa: PLR2004 - printable ASCII, without the backslash

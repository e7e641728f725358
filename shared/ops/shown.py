"""How an operator sees it: in tables or JSON, with nothing in it that a terminal would obey."""

import json
import re
import sys
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

import typer
from rich import box
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

WIDTH_OF_A_FILE = 200
"""Columns, where the output is no terminal."""
UNPRINTABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def print_json(document: Any) -> None:
    """Print a JSON document, its letters as they are."""
    text = json.dumps(document, ensure_ascii=False, indent=2, default=_plain)
    typer.echo(UNPRINTABLE.sub(lambda found: f"\\u{ord(found[0]):04x}", text))


def print_table(columns: Sequence[str], rows: Iterable[Sequence[Any]], title: str | None = None) -> None:
    """Print a table; its cells are taken as they are, never as markup."""
    table = Table(*columns, title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, pad_edge=False)
    for row in rows:
        table.add_row(*map(cell, row))
    console().print(table)


def console() -> Console:
    """The terminal, or the file that stands for it."""
    return Console(file=sys.stdout, width=None if sys.stdout.isatty() else WIDTH_OF_A_FILE)


def progress() -> Progress:
    """A bar on the terminal, as long as it takes; nothing where there is none."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    return Progress(*columns, console=Console(file=sys.stderr), transient=True, disable=not sys.stderr.isatty())


def cell(value: Any) -> Text:
    """A value as it stands in a table."""
    if isinstance(value, Text):
        return value
    if isinstance(value, datetime):
        return Text(moment(value))
    return Text("" if value is None else printable(str(value)))


def moment(at: datetime) -> str:
    """A time in UTC, to the millisecond."""
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S}.{at.microsecond // 1000:03d}"


def age(seconds: float) -> str:
    """A length of time in its two largest units: `3 h 12 min`."""
    whole = int(seconds)
    for size, unit, smaller, small in ((86400, "d", 3600, "h"), (3600, "h", 60, "min"), (60, "min", 1, "s")):
        if whole >= size:
            return f"{whole // size} {unit} {whole % size // smaller} {small}"
    return f"{seconds:.1f} s" if seconds < 1 else f"{whole} s"


def counted(number: int, noun: str) -> str:
    """`1 record`, `3 records`."""
    return f"{number} {noun}" if number == 1 else f"{number:,} {noun}s"


def printable(text: str) -> str:
    """The text with what moves a cursor or turns writing around written as `\\x1b`."""
    return UNPRINTABLE.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    return str(value)

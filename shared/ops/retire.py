"""A type goes when nobody writes it any more and nothing of it waits anywhere, else its last records mean nothing."""

import ast
import inspect
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from shared.contracts.asyncapi import writers_of
from shared.contracts.catalogue import contract_of
from shared.contracts.documents import EXAMPLES, SCHEMAS
from shared.contracts.message import Message
from shared.contracts.topics import DAY_MS
from shared.messaging.behind import places, taken
from shared.ops.contract_files import ROOT
from shared.ops.servers import Database, Given, MaybeKafka, Prefix, connected, databases, finish, kafka_at
from shared.ops.shown import counted

WRITERS = ("services", "shared")
NAMED_IN = (*WRITERS, "tests", "deploy", "benchmarks", "examples")
WAITING = """
select 'received and not handled', count(*) from message where type = $1 union all
select 'passed over by an older version', count(*) from passed where type = $1 union all
select 'held for an earlier one', count(*) from held where type = $1 union all
select 'due later', count(*) from timer where type = $1 union all
select 'not published yet', count(*) from outbox where type = $1
"""

Type = Annotated[str, typer.Argument(metavar="TYPE", help="For example order.placed.v1.")]


@dataclass(frozen=True)
class Named:
    """Where the code names the contract; `writes` where it makes one."""

    file: Path
    line: int
    writes: bool

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


def retire(type_: Type, given: Given, kafka: MaybeKafka = None, prefix: Prefix = "") -> None:
    """See whether a type can go, and say which files and lines go with it; nothing is deleted here.

    Refuses, with exit code 1, while code can still write it, a process is told to (`<SERVICE>_EMITS` here in the
    environment), or one of the databases has something of it: give those of all services. With --kafka also while
    records of its topic are unread.
    """
    try:
        contract = contract_of(type_)
    except LookupError as error:
        raise typer.BadParameter(str(error)) from None
    named = list(where_named(contract, ROOT))
    reasons = [f"{each} can write it" for each in named if each.writes and each.file.parts[0] in WRITERS]
    reasons += emitted(type_)
    reasons += finish(_in_use(databases(given), contract, kafka, prefix))
    for reason in reasons:
        typer.echo(reason, err=True)
    if reasons:
        typer.echo(f"{type_} cannot go yet.", err=True)
        raise typer.Exit(1)
    _say_what_goes(contract, named)
    others = [writer for writer in writers_of(contract) if not (ROOT / "services" / writer).is_dir()]
    if others:
        typer.echo(f"Ask first those who write it from elsewhere: {', '.join(others)}.", err=True)
    if kafka is None:
        typer.echo("Not asked: Kafka. With --kafka it is seen whether all its records are read.", err=True)


def where_named(contract: type[Message], root: Path) -> Iterator[Named]:
    """Every line of the code below `root` that names the contract, its own class left out."""
    declared = Path(inspect.getsourcefile(contract) or "")
    for file in sorted(path for folder in NAMED_IN for path in (root / folder).rglob("*.py")):
        text = file.read_text("utf-8")
        if contract.__name__ not in text:
            continue
        for node in ast.walk(ast.parse(text)):
            yield from _named(node, contract.__name__, file.relative_to(root), own=file.resolve() == declared.resolve())


def _named(node: ast.AST, name: str, file: Path, *, own: bool) -> Iterator[Named]:
    writes = isinstance(node, ast.Call) and name in _names_of(node.func)
    imports = isinstance(node, ast.ImportFrom | ast.Import) and name in {each.name for each in node.names}
    mentions = isinstance(node, ast.Name | ast.Attribute) and name in _names_of(node) and not own
    if isinstance(node, ast.expr | ast.stmt) and (writes or imports or mentions):
        yield Named(file, node.lineno, writes)


def _names_of(node: ast.AST) -> list[str]:
    """Of `OrderPlaced` and `OrderPlaced.model_validate` both have its name in them."""
    if isinstance(node, ast.Attribute):
        return [node.attr, *_names_of(node.value)]
    return [node.id] if isinstance(node, ast.Name) else []


def emitted(type_: str) -> list[str]:
    """A sentence for each setting in the environment that switches the type on."""
    return [
        f"{name} names it: that process would not start without it"
        for name, value in sorted(os.environ.items())
        if name.endswith("_EMITS") and type_ in [each.strip() for each in value.split(",")]
    ]


async def _in_use(asked: Sequence[Database], contract: type[Message], kafka: str | None, prefix: str) -> list[str]:
    reasons, wanted = [], []
    for database in asked:
        async with connected(database) as connection:
            for where, count in await connection.fetch(WAITING, contract.type):
                if count:
                    reasons.append(f"{database}: {counted(count, 'record')} {where}")
            read = await taken(connection, contract.topic.name)
        wanted += [(database.service, *key, following) for key, following in read.items()]
    if kafka is not None:
        async with kafka_at(kafka):
            behind = await places(kafka, prefix, wanted)
        reasons += [
            f"{each.service}: {counted(each.unread, 'record')} of {each.topic} {each.partition} unread"
            for each in behind
            if each.unread
        ]
    return reasons


def _say_what_goes(contract: type[Message], named: Sequence[Named]) -> None:
    _, line = inspect.getsourcelines(contract)
    file = Path(inspect.getsourcefile(contract) or "").resolve().relative_to(ROOT)
    typer.echo(f"{contract.type} can go. Delete:")
    for path in (SCHEMAS / f"{contract.type}.json", EXAMPLES / f"{contract.type}.json"):
        typer.echo(f"  {path.relative_to(ROOT)}")
    typer.echo(f"  class {contract.__name__} in {file}:{line}")
    lines = sorted({(each.file, each.line) for each in named})
    if lines:
        typer.echo("and what names it:")
        for path, number in lines:
            typer.echo(f"  {path}:{number}")
    typer.echo(
        f"then `contracts write`, and until the next release `contracts check --new-type {contract.type}`. "
        f"{contract.topic.name} has records of it for {contract.topic.retention_ms // DAY_MS} days after the last "
        "was written: whoever reads it anew until then passes them over."
    )

"""What a developer types about contracts: show one, check what is committed, write it anew."""

import inspect
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated

import typer

from shared.contracts.asyncapi import writers_of
from shared.contracts.catalogue import all_contracts, contract_of
from shared.contracts.documents import EXAMPLES, as_text, example_of, schema_of
from shared.contracts.message import NotUnderstood
from shared.ops.contract_files import (
    ASYNCAPI,
    ROOT,
    asyncapi_text,
    broken_promises,
    example_text,
    left_over,
    published_schemas,
    schema_texts,
)
from shared.ops.retire import retire

app = typer.Typer(no_args_is_help=True, help="The messages of the system: their schemas, examples and promises.")

Unpublished = Annotated[
    list[str] | None,
    typer.Option("--new-type", help="A type that nobody has read yet: it may change, or go. Can be given repeatedly."),
]
Against = Annotated[
    str | None,
    typer.Option(help="The git reference whose schemas count as published.", show_default="the last release, or HEAD"),
]


@app.command("list")
def list_contracts() -> None:
    """List every type, its topic and who writes it."""
    for contract in all_contracts():
        typer.echo(f"{contract.type:<34} {contract.topic.name:<17} {', '.join(writers_of(contract))}")


@app.command()
def show(
    type_: Annotated[str, typer.Argument(metavar="TYPE", help="For example order.placed.v1.")],
    *,
    schema: Annotated[bool, typer.Option("--schema", help="Its JSON schema instead of its example.")] = False,
) -> None:
    """Show what a type means, and an example of its records as they stand on the topic."""
    try:
        contract = contract_of(type_)
    except LookupError as error:
        raise typer.BadParameter(str(error)) from None
    typer.echo(f"# {inspect.getdoc(contract)}", err=True)
    typer.echo(f"# On {contract.topic.name}, written by {', '.join(writers_of(contract))}.", err=True)
    typer.echo(as_text(schema_of(contract) if schema else example_of(contract)), nl=False)


@app.command()
def check(new_type: Unpublished = None, against: Against = None) -> None:
    """Fail where committed files differ from the code, or a published type has changed so that a reader breaks."""
    _stop_on([*_differences(), *_broken(new_type, against)])
    typer.echo(f"{len(all_contracts())} contracts: schemas, examples and the AsyncAPI document are as the code says.")


@app.command()
def write(new_type: Unpublished = None, against: Against = None) -> None:
    """Write schemas, examples (a first one for a new type) and the AsyncAPI document as the code says.

    Writes nothing where a published type has changed so that a reader would break.
    """
    _stop_on(_broken(new_type, against))
    for file in left_over():
        file.unlink()
    examples, mistakes = _examples()
    _stop_on(mistakes)
    for file, text in (schema_texts() | examples).items():
        _write(file, text)
    _write(ASYNCAPI, asyncapi_text())


def _examples() -> tuple[dict[Path, str], list[str]]:
    """The text of each example as its contract writes it, and a sentence for each that its contract cannot read."""
    texts, mistakes = {}, []
    for contract in all_contracts():
        file = EXAMPLES / f"{contract.type}.json"
        try:
            texts[file] = example_text(contract)
        except (NotUnderstood, LookupError) as error:
            mistakes.append(f"{_shown(file)}: does not fit its contract: {error}")
    return texts, mistakes


def _differences() -> Iterator[str]:
    examples, mistakes = _examples()
    yield from mistakes
    for file in left_over():
        yield f"{_shown(file)}: there is no contract of this type"
    texts = schema_texts() | examples
    for file, text in texts.items():
        if not file.exists():
            yield f"{_shown(file)}: missing; `contracts write` makes it"
        elif file.read_text("utf-8") != text:
            yield f"{_shown(file)}: differs from the code; `contracts write` writes it anew"
    complete = all(file.exists() for file in examples) and not mistakes
    if (
        ASYNCAPI.parent.exists()
        and complete
        and (not ASYNCAPI.exists() or ASYNCAPI.read_text("utf-8") != asyncapi_text())
    ):
        yield f"{_shown(ASYNCAPI)}: differs from the code; `contracts write` writes it anew"


def _broken(new_types: list[str] | None, against: str | None) -> list[str]:
    try:
        where, published = published_schemas(against)
    except LookupError as error:
        raise typer.BadParameter(str(error)) from None
    broken = list(broken_promises(published, new_types or ()))
    hint = f"(published: {where}) Make a new type instead, or say --new-type where nobody has read this one yet."
    return [*broken, hint] if broken else []


def _stop_on(sentences: Iterable[str]) -> None:
    found = list(sentences)
    for sentence in found:
        typer.echo(sentence, err=True)
    if found:
        raise typer.Exit(1)


def _write(file: Path, text: str) -> None:
    if not file.exists() or file.read_text("utf-8") != text:
        file.parent.mkdir(exist_ok=True)
        file.write_text(text, "utf-8")
        typer.echo(f"wrote {_shown(file)}")


def _shown(file: Path) -> str:
    return str(file.relative_to(ROOT))


app.command()(retire)

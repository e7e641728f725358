"""What is committed of the contracts and must equal what the code says: schemas, examples, the AsyncAPI document."""

import json
import subprocess
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

import shared
from shared.contracts.asyncapi import asyncapi_document
from shared.contracts.catalogue import all_contracts
from shared.contracts.documents import EXAMPLES, SCHEMAS, as_text, schema_of
from shared.contracts.message import Message, read_envelope, read_message, write_record
from shared.ops.compatibility import Schema, breaking_changes
from shared.ops.example_stub import stub_of

ROOT = Path(shared.__file__).parents[1]
ASYNCAPI = ROOT / "docs" / "asyncapi.json"


def schema_texts() -> dict[Path, str]:
    """The schema of every contract, by the file that it belongs into."""
    return {SCHEMAS / f"{contract.type}.json": as_text(schema_of(contract)) for contract in all_contracts()}


def example_text(contract: type[Message]) -> str:
    """The committed example as the contract writes it; a stub where none is committed.

    Raises NotUnderstood where the contract cannot read it, LookupError where no stub can be made.
    """
    file = EXAMPLES / f"{contract.type}.json"
    record = file.read_bytes() if file.exists() else json.dumps(stub_of(contract)).encode()
    message = read_message(read_envelope(record))
    return as_text(json.loads(write_record(message, message.meta)))


def asyncapi_text() -> str:
    """The AsyncAPI document as it is committed. Raises FileNotFoundError while an example is missing."""
    return as_text(asyncapi_document())


def left_over() -> list[Path]:
    """Committed files of types that no contract has."""
    known = {f"{contract.type}.json" for contract in all_contracts()}
    return sorted(file for folder in (SCHEMAS, EXAMPLES) for file in folder.glob("*.json") if file.name not in known)


def published_schemas(against: str | None = None) -> tuple[str, dict[str, Schema]]:
    """Where published schemas are found, and those schemas by type.

    That is the git reference asked for, else the last release, else HEAD; outside a checkout the files as they are.
    Raises LookupError for a reference that git does not know.
    """
    folder = SCHEMAS.relative_to(ROOT).as_posix()
    where = against or _git("describe", "--tags", "--abbrev=0", "--match", "v*") or "HEAD"
    listed = _git("ls-tree", "--name-only", where, f"{folder}/")
    if listed is None and against is not None:
        raise LookupError(f"git knows no {against} here")
    if listed is None:
        return "the files here", {file.stem: json.loads(file.read_text("utf-8")) for file in SCHEMAS.glob("*.json")}
    names = [name for name in listed.splitlines() if name.endswith(".json")]
    return where, {Path(name).stem: json.loads(_git("show", f"{where}:{name}") or "{}") for name in names}


def broken_promises(published: dict[str, Schema], unpublished: Collection[str] = ()) -> Iterator[str]:
    """One sentence for each change of a published type that breaks its readers; `unpublished` types may change."""
    present: dict[str, Any] = {contract.type: schema_of(contract) for contract in all_contracts()}
    for type_, old in sorted(published.items()):
        if type_ in unpublished:
            continue
        if type_ not in present:
            yield f"{type_}: the contract is gone; its records are kept for as long as its topic keeps them"
            continue
        for change in breaking_changes(old, present[type_]):
            yield f"{type_}: {change}"


def _git(*arguments: str) -> str | None:
    """What git prints; None where there is no git, no repository or no such object."""
    try:
        done = subprocess.run(  # noqa: S603 - its arguments are ours
            ["git", "-C", str(ROOT), *arguments],  # noqa: S607 - whichever git the machine has
            capture_output=True,
            text=True,
            check=False,
        )
    except FileNotFoundError:
        return None
    return done.stdout.strip() if done.returncode == 0 else None

"""Named queries: a query missing from its file, or one that nobody declares, is found when the file is read."""

import re
from dataclasses import fields
from pathlib import Path
from typing import Any, TypeVar

NAME = re.compile(r"^--\s*name:[ \t]*(\S*)[ \t]*$", re.MULTILINE)

Q = TypeVar("Q")


class QueriesDoNotMatch(Exception):
    """The names in a queries file are not those that the code declares."""


def load_queries(into: type[Q], path: Path) -> Q:
    """Fill the frozen dataclass `into`, whose fields are all `str`, with the `-- name: x` blocks of `path`.

    Raises QueriesDoNotMatch when a field has no block, a block no field, or a name stands twice.
    """
    declared = {field.name for field in fields(into)}  # type: ignore[arg-type]
    found = named_blocks(path)
    missing, unused = sorted(declared - found.keys()), sorted(found.keys() - declared)
    if missing or unused:
        raise QueriesDoNotMatch(f"{path.name} and {into.__name__} differ: missing {missing}, unused {unused}")
    arguments: dict[str, Any] = found
    return into(**arguments)


def named_blocks(path: Path) -> dict[str, str]:
    """Split a file at its `-- name: x` lines; what stands before the first one is a heading and left out."""
    _, *parts = NAME.split(path.read_text(encoding="utf-8"))
    blocks: dict[str, str] = {}
    for name, text in zip(parts[::2], parts[1::2], strict=True):
        if name in blocks or not name.isidentifier():
            raise QueriesDoNotMatch(f"{path.name}: the name {name!r} stands twice or is no identifier")
        blocks[name] = text.strip().removesuffix(";")
    return blocks

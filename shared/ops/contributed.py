"""What services add to the command line: one that has something to add says so in its module `ops`, as `contribution`.

Nothing shared names a service; what only one service owns is told and changed by that service's own code.
"""

import importlib
import importlib.util
import pkgutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import typer

from shared.ops.story import Chapter

PLACE = "services"


@dataclass(frozen=True)
class Contribution:
    """Groups of commands by name, and what the service's own tables tell of an order."""

    commands: Mapping[str, typer.Typer] = field(default_factory=dict)
    chapters: Sequence[Chapter] = ()


def contributions(place: str = PLACE) -> list[Contribution]:
    """What each service in that package adds, by the services' names; nothing where there is no such package."""
    if importlib.util.find_spec(place) is None:
        return []
    found = pkgutil.iter_modules(importlib.import_module(place).__path__, f"{place}.")
    modules = (f"{service.name}.ops" for service in found if service.ispkg)
    return [importlib.import_module(name).contribution for name in modules if importlib.util.find_spec(name)]

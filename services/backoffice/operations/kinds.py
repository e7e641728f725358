"""What operators see and put right, kind by kind, as the API offers it, and what commands call it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from pydantic import BaseModel

from shared.messaging.trouble import Item
from shared.runtime.operator_sections import SECTIONS, Action, SaysWhy, Section

NOTHING: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True)
class Deed:
    """One way out, as people choose it; several may be one action of the API, with different answers."""

    name: str
    action: str
    said: Mapping[str, Any] = field(default_factory=lambda: NOTHING)
    options: tuple[str, ...] = ()
    seen: tuple[str, ...] = ()
    """Fields of the item that are said back with it: it is done to what was shown, or not at all."""
    final: bool = False
    """Whether nothing can take it back."""


DEEDS: Mapping[str, tuple[Deed, ...]] = MappingProxyType(
    {
        "dead": (Deed("retry", "retry"), Deed("skip", "skip", final=True)),
        "waiting": (),
        "unknown": (
            Deed("happened", "settle", {"happened": True}, ("--happened",), final=True),
            Deed("again", "settle", {"happened": False, "again": True}, ("--did-not-happen",)),
            Deed(
                "give-up",
                "settle",
                {"happened": False, "again": False},
                ("--did-not-happen", "--give-up"),
                final=True,
            ),
        ),
        "quarantined": (Deed("re-ingest", "re-ingest"),),
        "held": (Deed("accept-gap", "accept-gap", seen=("incarnation", "first", "last"), final=True),),
        "parked": (Deed("release", "release"),),
    }
)
COMMANDS: Mapping[str, str] = MappingProxyType(
    {"dead": "dead", "unknown": "unknown", "quarantined": "quarantine", "held": "held", "parked": "parked"}
)
"""What each kind is called on the command line; what is tried again by itself has no command."""


@dataclass(frozen=True)
class Kind:
    """One kind of trouble, with its ways out."""

    section: Section
    deeds: tuple[Deed, ...]

    @property
    def name(self) -> str:
        """As in addresses."""
        return self.section.kind.name

    @property
    def command(self) -> str:
        """What it is called on the command line; nothing where it has no commands."""
        return COMMANDS.get(self.name, "")

    @property
    def filters(self) -> list[str]:
        """What its list is narrowed by."""
        return list(self.section.kind.filter.model_fields)

    def deed(self, name: str) -> Deed | None:
        """The way out of this name."""
        return next((deed for deed in self.deeds if deed.name == name), None)

    def needs_reason(self, deed: Deed) -> bool:
        """Whether the API wants to know why."""
        return issubclass(self.action(deed).body, SaysWhy)

    def action(self, deed: Deed) -> Action:
        """What the API calls it."""
        return next(action for action in self.section.actions if action.name == deed.action)

    def item(self, said: Any) -> Item:
        """An item as a service lists it."""
        found: Item = self.section.kind.item.model_validate(said)
        return found

    def full(self, said: Any) -> BaseModel:
        """An item as a service shows it in full."""
        return self.section.full.model_validate(said)

    def body(self, deed: Deed, reason: str, seen: Mapping[str, int]) -> dict[str, Any]:
        """What is sent to have it done to one."""
        return {**deed.said, **{name: seen[name] for name in deed.seen}, "reason": reason}


KINDS: Mapping[str, Kind] = MappingProxyType(
    {section.kind.name: Kind(section, DEEDS[section.kind.name]) for section in SECTIONS}
)

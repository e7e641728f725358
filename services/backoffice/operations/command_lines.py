"""The command line that does what a form of these pages does, ready to be typed; `ops` is `python -m shared.ops`."""

import shlex
from collections.abc import Mapping

from services.backoffice.operations.kinds import Deed, Kind

OPS = "ops"


def for_one(kind: Kind, deed: Deed, service: str, item_id: str, *, reason: str, actor: str) -> str:
    """To do it to one item."""
    return _line(kind.command, deed.action, f"{service}/{item_id}", *deed.options, *_who(reason, actor))


def for_many(kind: Kind, deed: Deed, service: str, fields: Mapping[str, str], *, reason: str, actor: str) -> str:
    """To do it to all of a service that a filter chooses; it asks before."""
    chosen = [word for name, value in fields.items() for word in (f"--{name}", value)] or ["--all"]
    return _line(kind.command, deed.action, "--service", service, *chosen, *deed.options, *_who(reason, actor))


def to_show(kind: Kind, service: str, item_id: str) -> str:
    """To see one item in full."""
    return _line(kind.command, "show", f"{service}/{item_id}") if kind.command else ""


def to_withdraw(service: str, position: int) -> str:
    """To take back what was asked and not done yet."""
    return _line("repairs", "withdraw", str(position), "--service", service)


def of_journey(order: str) -> str:
    """To see the whole story of an order."""
    return _line("journey", order)


def _who(reason: str, actor: str) -> list[str]:
    return [*(["--reason", reason] if reason else []), "--actor", actor]


def _line(*words: str) -> str:
    return shlex.join([OPS, *words])

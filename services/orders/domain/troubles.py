"""What stands open on an order's log and needs a person (R205): it follows from the log alone, entry by entry."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Literal

from services.orders.domain.promises import AUTHORIZE, cause_of, what_of
from shared.contracts.order_events import RepairRequested
from shared.contracts.order_log import (
    DocumentFailed,
    EffectSettled,
    EffectUnknown,
    ErpFailed,
    LogEntry,
    MessageFailed,
    OrderNoted,
    PaymentDeclined,
    PromiseOverdue,
    ReactionDead,
    ReactionWaiting,
    RepairMade,
    RepairRefused,
    ShipmentFailed,
)

Kind = Literal["given-up", "waiting", "unknown", "failed", "overdue"]

KINDS: Mapping[type[LogEntry], Kind] = {
    ReactionDead: "given-up",
    ReactionWaiting: "waiting",
    EffectUnknown: "unknown",
    MessageFailed: "failed",
    DocumentFailed: "failed",
    PaymentDeclined: "failed",
    ShipmentFailed: "failed",
    ErpFailed: "failed",
    PromiseOverdue: "overdue",
}
BY_ITSELF: Kind = "waiting"
"""What nobody need look at yet."""
OUTCOMES = {"done", "failed", "unknown"}


@dataclass(frozen=True)
class Trouble:
    """An entry that tells of something that is not as it should be, while nothing later tells that it is."""

    kind: Kind
    entry: LogEntry
    asked: bool = False
    """Whether somebody has asked for its repair, and the answer is not there yet."""

    @property
    def id(self) -> str:
        """The entry's."""
        return self.entry.meta.id

    def after(self, entry: LogEntry) -> "Trouble | None":
        """As it stands after a later entry of the log; None where it is over."""
        match entry:
            case OrderNoted(event_type=RepairRequested.type):
                return replace(self, asked=True) if entry.parameters.get("entry") == self.id else self
            case RepairRefused(entry_id=self.id):
                return None if entry.gone else replace(self, asked=False)
            case RepairMade(entry_id=self.id):
                return None
        return None if OVER[self.kind](self.entry, entry) else self


def troubles_of(entries: Iterable[LogEntry]) -> dict[str, Trouble]:
    """What stands open, by the ids of the entries that tell of it, of a log from its beginning on."""
    found: dict[str, Trouble] = {}
    for entry in entries:
        found = {name: left for name, trouble in found.items() if (left := trouble.after(entry)) is not None}
        if type(entry) in KINDS:
            found[entry.meta.id] = Trouble(KINDS[type(entry)], entry)
    return found


def reasons_in(troubles: Iterable[Trouble]) -> list[str]:
    """Why a person should look at the order, in single words."""
    return sorted({trouble.kind for trouble in troubles} - {BY_ITSELF})


def _reaction_over(told: LogEntry, later: LogEntry) -> bool:
    """It was tried again or skipped, ended some other way since, or has said what came of it."""
    if not isinstance(told, ReactionDead | ReactionWaiting):
        return False
    if isinstance(later, RepairMade | ReactionDead | ReactionWaiting):
        return (later.group, later.message_id) == (told.group, told.message_id)
    answers = (later.meta.source, later.meta.causationid) == (told.meta.source, told.message_id)
    return answers and what_of(later) is not None


def _unknown_over(told: LogEntry, later: LogEntry) -> bool:
    if not isinstance(told, EffectUnknown):
        return False
    if isinstance(later, EffectSettled | EffectUnknown):
        return later.key == told.key
    same = (later.meta.source, later.meta.causationid) == (told.meta.source, told.meta.causationid)
    return same and what_of(later) == what_of(told)


def _failed_over(told: LogEntry, later: LogEntry) -> bool:
    """It was done after all, or failed anew: whoever asks for it again then asks for that one."""
    if isinstance(later, EffectUnknown) or what_of(later) is None or what_of(later) != what_of(told):
        return False
    return amount_of(later) >= amount_of(told)


def _overdue_over(told: LogEntry, later: LogEntry) -> bool:
    """There is a word about it, be it that it was given up."""
    if not isinstance(told, PromiseOverdue):
        return False
    if isinstance(later, ReactionDead):
        return later.message_id == told.event_id and service_of(later) == told.by
    if what_of(later) != told.promise or later.outcome not in OUTCOMES:
        return False
    return told.promise == AUTHORIZE or cause_of(later, told.promise) == told.event_id


OVER: Mapping[Kind, Callable[[LogEntry, LogEntry], bool]] = {
    "given-up": _reaction_over,
    "waiting": _reaction_over,
    "unknown": _unknown_over,
    "failed": _failed_over,
    "overdue": _overdue_over,
}
"""Whether what the first entry tells of is over with the second, later one."""


def amount_of(entry: LogEntry) -> int:
    """How much money it is about, in minor units; 0 where it is about none."""
    amount = entry.parameters.get("amount", 0)
    return amount if isinstance(amount, int) else 0


def service_of(entry: LogEntry) -> str:
    """Which service has written it: `integrations` of `/integrations/payment`."""
    return entry.meta.source.strip("/").partition("/")[0]

"""For each crash point the member that passes it, and which of its passings end that member."""

from collections.abc import Sequence
from dataclasses import dataclass

from tests.faults.fleet import EVERYTHING, Member
from tests.faults.plan import Step

PASSINGS = (1, 10, 100)
ONCE = (1,)
"""A process stops once."""

MEMBERS = (
    Member("orders", 0, EVERYTHING),
    Member("notifications", 0, EVERYTHING),
    Member("payer", 0, EVERYTHING),
    Member("payer", 1, "work"),
)


@dataclass(frozen=True)
class Case:
    """A crash point, who is ended there, and at which passings."""

    point: str
    member: str
    passings: Sequence[int] = PASSINGS


CASES = (
    Case("relay.acknowledged", "orders-0"),
    Case("relay.forgotten", "orders-0"),
    Case("inside.handled", "orders-0"),
    Case("inside.appended", "orders-0"),
    Case("inside.settled", "orders-0"),
    Case("inside.committed", "orders-0"),
    Case("command.handled", "orders-0"),
    Case("command.appended", "orders-0"),
    Case("command.committed", "orders-0"),
    Case("ingest.received", "orders-0"),
    Case("ingest.committed", "orders-0"),
    Case("stop.begun", "orders-0", ONCE),
    Case("relay.sent", "notifications-0"),
    Case("ingest.stored", "notifications-0"),
    Case("lanes.claimed", "notifications-0"),
    Case("outside.handled", "notifications-0"),
    Case("finish.appended", "notifications-0"),
    Case("finish.settled", "notifications-0"),
    Case("stop.finished", "notifications-0", ONCE),
    Case("relay.read", "payer-0"),
    Case("lanes.read", "payer-0"),
    Case("finish.committed", "payer-0"),
    Case("effects.started", "payer-0"),
    Case("effects.called", "payer-0"),
    Case("effects.recorded", "payer-0"),
    Case("effects.looked-up", "payer-0"),
    Case("timers.taken", "payer-1"),
    Case("timers.moved", "payer-1"),
)


def crashes(cases: Sequence[Case] = CASES) -> list[Step]:
    """Each member is ended at its points one after the other, all members at the same time."""
    return [Step(0.0, "crash", case.member, at=f"{case.point}:{nth}") for case in cases for nth in case.passings]

"""Twelve bugs, each planted in a copy of the tree, and the smallest run in which the oracle names what it does."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.faults.chaos import Chaos, ProviderChaos
from tests.faults.fleet import Member
from tests.faults.plan import Step
from tests.faults.rig import Scenario
from tests.faults.tree import PLANTED
from tests.faults.verdict import Class

SEED = 5
THREE = (Member("orders", 0), Member("notifications", 0), Member("payer", 0))
TWO_PAYERS = (*THREE, Member("payer", 1, "work"))


@dataclass(frozen=True)
class Bug:
    """A patch under `planted/`, and where it shows: the run of a scenario, or a test that forces the interleaving."""

    name: str
    says: Class
    """What the oracle must say, among other things; with a forced interleaving, what it would."""
    scenario: Scenario | None = None
    forced: str = ""
    """The test, as pytest names it."""

    @property
    def patch(self) -> Path:
        return PLANTED / f"{self.name}.patch"

    @property
    def shown_by(self) -> str:
        """In words."""
        if self.scenario is None:
            return self.forced.rpartition("::")[2].replace("_", " ")
        faults = [f"{step.what} {step.target} {step.at}".strip() for step in self.scenario.steps]
        return "; ".join(faults) or "nothing but load"


def scenario(
    steps: Sequence[Step] = (),
    *,
    orders: int = 500,
    steady: float = 4.0,
    members: Sequence[Member] = THREE,
    charges: ProviderChaos | None = None,
    keyless: bool = False,
    thinks: float = 0.0,
    poison: int = 0,
    longest: float = 40.0,
) -> Scenario:
    """A small run with outside parties that behave well, where it is not said otherwise."""
    return Scenario(
        "planted",
        orders,
        SEED,
        steps,
        charges or ProviderChaos(seed=SEED),
        Chaos(seed=SEED),
        keyless=keyless,
        thinks=thinks,
        poison=poison,
        steady=steady,
        members=members,
        longest=longest,
        taciturn=True,
    )


def crash(member: str, *points: str) -> list[Step]:
    """One after the other."""
    return [Step(0.0, "crash", member, at=point) for point in points]


BUGS = (
    Bug(
        "01-offsets-before-the-work",
        Class.LOST,
        scenario(crash("orders-0", "ingest.stored:3", "ingest.stored:9")),
    ),
    Bug(
        "02-no-deduplication",
        Class.DOUBLED,
        scenario(crash("orders-0", "relay.acknowledged:5", "relay.acknowledged:9")),
    ),
    Bug(
        "03-position-cursor",
        Class.LOST,
        scenario([Step(1.0, "slow down", "orders/outbox", 8.0)], steady=12.0),
    ),
    Bug(
        "04-no-lane-token",
        Class.DOUBLED,
        scenario([Step(4.0, "halt", "payer-0", 20.0)], orders=45, steady=1.5, members=TWO_PAYERS, thinks=2.0),
    ),
    Bug(
        "05-max-plus-one",
        Class.DOUBLED,
        scenario(orders=30, steady=0.0),
    ),
    Bug(
        "06-skipping-unknown-types",
        Class.LOST,
        scenario([Step(2.0, "go back", "orders-0", 10.0)]),
    ),
    Bug(
        "07-deleting-what-was-acknowledged",
        Class.REORDERED,
        forced="tests/integration/test_kit_relay.py::"
        "test_what_follows_an_unacknowledged_record_of_its_key_is_not_forgotten",
    ),
    Bug(
        "08-started-read-as-crashed",
        Class.UNEXPLAINED,
        scenario(
            [Step(4.0, "steal lanes", "payer"), Step(15.0, "steal lanes", "payer")],
            orders=45,
            steady=1.5,
            members=TWO_PAYERS,
            charges=ProviderChaos(seed=SEED, takes=2.0),
            keyless=True,
        ),
    ),
    Bug(
        "09-attempts-counted-in-except",
        Class.STUCK,
        scenario(orders=10, steady=0.0, poison=1, longest=90.0),
    ),
    Bug(
        "10-offsets-from-kafka-only",
        Class.LOST,
        scenario([Step(3.0, "reset offsets", "payer/orders.events", at="latest")], steady=2.0),
    ),
    Bug(
        "11-idled-by-exists",
        Class.STUCK,
        scenario([Step(1.0, "slow down", f"{service}/consumed", 12.0) for service in ("orders", "payer")], steady=8.0),
    ),
    Bug(
        "12-key-with-the-attempt",
        Class.DOUBLED,
        scenario(crash("payer-0", "effects.called:5")),
    ),
)

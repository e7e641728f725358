"""What will be done to the system, drawn from a seed before anything is done: the same seed, the same plan."""

import random
from collections.abc import Sequence
from dataclasses import dataclass

from tests.faults.fleet import Member

BEYOND_EVERY_LEASE = 35.0
"""Seconds: the relay's lease is 10, a lane's 15, a consumer's session 30."""


@dataclass(frozen=True)
class Step:
    """After so many seconds do something to a target; what holds on, holds on for `seconds`."""

    after: float
    what: str
    target: str
    seconds: float = 0.0
    at: str = ""
    """Of a crash: the crash point and which passing of it, `relay.sent:10`; of offsets: `earliest` or `latest`."""


def kills(members: Sequence[Member], count: int, seed: int, apart: float = 3.5) -> list[Step]:
    """So many SIGKILLs of random members, on average `apart` seconds from each other; a fifth of them in pairs."""
    dice = random.Random(f"kills {seed}")
    steps: list[Step] = []
    while len(steps) < count:
        targets = dice.sample(list(members), 2 if dice.random() < 0.2 else 1)
        steps += [
            Step(dice.uniform(0.3, 1.7) * apart if nth == 0 else 0.0, "kill", member.name, dice.uniform(0.0, 2.0))
            for nth, member in enumerate(targets)
        ]
    return steps[:count]


def zombies(members: Sequence[Member], count: int, seed: int) -> list[Step]:
    """So many members are halted for longer than every lease and go on, one or two at a time."""
    dice = random.Random(f"zombies {seed}")
    names = [member.name for member in members]
    order = [name for _ in range(count // len(names) + 1) for name in dice.sample(names, len(names))]
    return [
        Step(0.0 if nth % 2 else dice.uniform(2.0, 4.0) + (BEYOND_EVERY_LEASE if nth else 0.0), "halt", name, seconds)
        for nth, (name, seconds) in enumerate(
            (name, dice.uniform(BEYOND_EVERY_LEASE, BEYOND_EVERY_LEASE + 5.0)) for name in order[:count]
        )
    ]


def server_away(name: str, seed: int, away: float) -> list[Step]:
    """A server is stopped for `away` seconds, later killed and started again at once, then halted for a while."""
    dice = random.Random(f"{name} {seed}")
    return [
        Step(dice.uniform(4.0, 8.0), "stop server", name, away),
        Step(away + dice.uniform(15.0, 20.0), "kill server", name, dice.uniform(0.0, 2.0)),
        Step(dice.uniform(20.0, 25.0), "halt server", name, 12.0),
    ]


def odd_days(services: Sequence[str], seed: int) -> list[Step]:
    """What is rarer than a crash: full disks, lost answers to COMMIT, a lease emptied by hand, topics read again."""
    dice = random.Random(f"odd days {seed}")
    steps = [Step(dice.uniform(2.0, 4.0), "eat commits", "postgres", 20.0)]
    for service in services:
        steps.append(Step(dice.uniform(3.0, 5.0), "fill disk", service, dice.uniform(4.0, 8.0)))
        steps.append(Step(dice.uniform(2.0, 4.0), "empty leases", service, 3.0))
        steps.append(Step(dice.uniform(2.0, 4.0), "forget offsets", service))
    steps.append(Step(5.0, "reset offsets", "notifications/orders.events"))
    return steps


def roll_out(service: str, seed: int) -> list[Step]:
    """Both members of a service go back to its older version and return, one later than the other."""
    dice = random.Random(f"roll-out {seed}")
    return [
        Step(dice.uniform(3.0, 5.0), "go back", f"{service}-0", dice.uniform(25.0, 30.0)),
        Step(dice.uniform(3.0, 5.0), "go back", f"{service}-1", dice.uniform(10.0, 15.0)),
    ]


def length(steps: Sequence[Step]) -> float:
    """Seconds from the beginning to the end of the last step."""
    at, end = 0.0, 0.0
    for step in steps:
        at += step.after
        end = max(end, at + step.seconds)
    return end

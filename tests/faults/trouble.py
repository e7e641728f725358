"""Carries a plan out: each step in its time, without waiting for the one before, and each in the journal."""

import asyncio
from collections import defaultdict
from collections.abc import Sequence

from deploy.local.failure import ChildEndedError
from tests.faults.deeds import DEEDS, Ground
from tests.faults.fleet import Member
from tests.faults.journal import BY_ITSELF
from tests.faults.plan import Step

LOOK_EVERY = 0.2


class Trouble:
    """What happens on one ground; `done` counts the steps that are over, and it `lasts` until all are.

    Steps with one target take turns.
    """

    def __init__(self, ground: Ground) -> None:
        self.done, self.lasts = 0, True
        self._ground = ground
        self._turns: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def carry_out(self, steps: Sequence[Step]) -> None:
        """Returns when every step is over and everything runs again."""
        fleet = self._ground.world.fleet
        async with asyncio.TaskGroup() as tasks:
            for step in steps:
                await asyncio.sleep(step.after)
                tasks.create_task(self._in_its_turn(step))
        await asyncio.gather(*(self._until_ready(member) for member in fleet.members))
        self.lasts = False

    async def start_again_who_ends(self) -> None:
        """Until it is cancelled: a member that ended by itself is written down and started again."""
        fleet = self._ground.world.fleet
        while True:
            for member in fleet.ended():
                if not self._in_somebodys_hands(member.name):
                    code = fleet.processes[member.name].exit_code()
                    with self._ground.world.journal.writing_down(f"{BY_ITSELF}, exit code {code}", member.name):
                        fleet.launch(member)
            await asyncio.sleep(LOOK_EVERY)

    async def _until_ready(self, member: Member) -> None:
        """However often it ends by itself before."""
        ended = True
        while ended:
            ended = False
            try:
                await self._ground.world.fleet.ready(member)
            except ChildEndedError:
                ended = True
                await asyncio.sleep(2 * LOOK_EVERY)

    def _in_somebodys_hands(self, name: str) -> bool:
        service = name.rpartition("-")[0]
        return any(turn.locked() and target.split("/")[0] in {name, service} for target, turn in self._turns.items())

    async def _in_its_turn(self, step: Step) -> None:
        async with self._turns[step.target]:
            await DEEDS[step.what](self._ground, step)
        self.done += 1

"""Carries a plan out: each step in its time, without waiting for the one before, and each in the journal."""

import asyncio
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any

from tests.faults.fleet import Member
from tests.faults.journal import BY_ITSELF
from tests.faults.plan import Step
from tests.faults.servers import Server
from tests.faults.world import World

LOOK_EVERY = 0.2


class Trouble:
    """What happens to one world; `done` counts the steps that are over."""

    def __init__(self, world: World, servers: Mapping[str, Server]) -> None:
        self.done = 0
        self._world, self._servers = world, servers
        self._members = {member.name: member for member in world.fleet.members}
        self._turns = {name: asyncio.Lock() for name in (*self._members, *servers)}

    async def carry_out(self, steps: Sequence[Step]) -> None:
        """Returns when every step is over and everything runs again."""
        async with asyncio.TaskGroup() as tasks:
            for step in steps:
                await asyncio.sleep(step.after)
                tasks.create_task(self._in_its_turn(step))
        await asyncio.gather(*(self._world.fleet.ready(member) for member in self._world.fleet.members))

    async def start_again_who_ends(self) -> None:
        """Until it is cancelled: a member that ended by itself is written down and started again."""
        fleet = self._world.fleet
        while True:
            for member in fleet.ended():
                turn = self._turns[member.name]
                if not turn.locked():
                    async with turn:
                        code = fleet.processes[member.name].exit_code()
                        with self._world.journal.writing_down(f"{BY_ITSELF}, exit code {code}", member.name):
                            fleet.launch(member)
            await asyncio.sleep(LOOK_EVERY)

    async def _in_its_turn(self, step: Step) -> None:
        async with self._turns[step.target]:
            await self._deed(step)()
        self.done += 1

    def _deed(self, step: Step) -> Callable[[], Coroutine[Any, Any, None]]:
        if step.target in self._servers:
            return lambda: self._server(step, self._servers[step.target])
        member = self._members[step.target]
        return (lambda: self._kill(step, member)) if step.what == "kill" else (lambda: self._halt(step, member))

    async def _kill(self, step: Step, member: Member) -> None:
        """The member is started again after a while, as an orchestrator does, whether or not it gets ready."""
        fleet = self._world.fleet
        with self._world.journal.writing_down("kill", member.name):
            await fleet.kill(member)
        await asyncio.sleep(step.seconds)
        fleet.launch(member)

    async def _halt(self, step: Step, member: Member) -> None:
        with self._world.journal.writing_down("halt", member.name):
            self._world.fleet.halt(member)
            await asyncio.sleep(step.seconds)
            self._world.fleet.go_on(member)

    async def _server(self, step: Step, server: Server) -> None:
        with self._world.journal.writing_down(step.what, server.name):
            await (server.kill() if step.what == "kill" else server.stop())
            await asyncio.sleep(step.seconds)
            await server.start()

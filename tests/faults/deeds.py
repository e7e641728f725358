"""Whatever can be done to a running system, by name; each deed leaves everything running when it is over."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

import asyncpg

from deploy.local import kafka
from tests.faults.commit_eater import CommitEater
from tests.faults.fleet import Member
from tests.faults.plan import Step
from tests.faults.servers import Server
from tests.faults.world import World

FULL = """
create or replace function no_space() returns trigger language plpgsql as $$
begin raise exception 'could not extend file: No space left on device' using errcode = '53100'; end $$;
create trigger no_space before insert on outbox for each statement execute function no_space()
"""
SPACE = "drop trigger no_space on outbox"
EMPTY_LEASES = "update relay set token = null, until = '-infinity'"
FORGET_OFFSETS = "delete from consumed"
RESET_WITHIN = 90.0
"""Seconds: a group can be reset when the sessions of its killed members have run out."""


@dataclass
class Ground:
    """What deeds are done on."""

    world: World
    servers: Mapping[str, Server] = field(default_factory=dict)
    eater: CommitEater | None = None

    def member(self, name: str) -> Member:
        return next(member for member in self.world.fleet.members if member.name == name)

    async def tell_database(self, service: str, statement: str) -> None:
        """Runs a statement on the service's database, past everything that is in the way."""
        connection = await asyncpg.connect(self.world.place.databases[service])
        try:
            await connection.execute(statement)
        finally:
            await connection.close()


async def kill(ground: Ground, step: Step) -> None:
    """SIGKILL; started again after a while, as an orchestrator does, whether or not it gets ready."""
    fleet, member = ground.world.fleet, ground.member(step.target)
    with ground.world.journal.writing_down("kill", step.target):
        await fleet.kill(member)
    await asyncio.sleep(step.seconds)
    fleet.launch(member)


async def go_back(ground: Ground, step: Step) -> None:
    """The member is replaced by one of the older version, and after a while by one of the newer one again."""
    fleet, member = ground.world.fleet, ground.member(step.target)
    with ground.world.journal.writing_down("older version", step.target):
        await fleet.end(member)
        fleet.older.add(member.name)
        fleet.launch(member)
        await asyncio.sleep(step.seconds)
        await fleet.end(member)
        fleet.older.discard(member.name)
        fleet.launch(member)


async def halt(ground: Ground, step: Step) -> None:
    """SIGSTOP, and after a while SIGCONT."""
    fleet, member = ground.world.fleet, ground.member(step.target)
    with ground.world.journal.writing_down("halt", step.target):
        fleet.halt(member)
        await asyncio.sleep(step.seconds)
        fleet.go_on(member)


async def stop_server(ground: Ground, step: Step) -> None:
    """As an operator does; it is away for a while."""
    server = ground.servers[step.target]
    with ground.world.journal.writing_down("stop", step.target):
        await server.stop()
        await asyncio.sleep(step.seconds)
        await server.start()


async def kill_server(ground: Ground, step: Step) -> None:
    """As a power cut does."""
    server = ground.servers[step.target]
    with ground.world.journal.writing_down("kill", step.target):
        await server.kill()
        await asyncio.sleep(step.seconds)
        await server.start()


async def halt_server(ground: Ground, step: Step) -> None:
    """It keeps its connections and answers nothing for a while."""
    server = ground.servers[step.target]
    with ground.world.journal.writing_down("halt", step.target):
        server.halt()
        await asyncio.sleep(step.seconds)
        server.go_on()


async def fill_disk(ground: Ground, step: Step) -> None:
    """The outbox of a service takes no rows for a while."""
    with ground.world.journal.writing_down("disk full", f"{step.target} database"):
        await ground.tell_database(step.target, FULL)
        await asyncio.sleep(step.seconds)
        await ground.tell_database(step.target, SPACE)


async def eat_commits(ground: Ground, step: Step) -> None:
    """A tenth of the answers to COMMIT are lost for a while, in all services."""
    assert ground.eater is not None
    with ground.world.journal.writing_down("answers to COMMIT eaten", "postgres"):
        ground.eater.share = 0.1
        await asyncio.sleep(step.seconds)
        ground.eater.share = 0.0


async def empty_leases(ground: Ground, step: Step) -> None:
    """Somebody takes the relay's lease away by hand, again and again."""
    with ground.world.journal.writing_down("lease emptied", f"{step.target} database"):
        for _ in range(max(1, int(step.seconds))):
            await ground.tell_database(step.target, EMPTY_LEASES)
            await asyncio.sleep(1.0)


async def forget_offsets(ground: Ground, step: Step) -> None:
    """The service forgets what it has read, and begins its topics anew."""
    fleet = ground.world.fleet
    readers = fleet.with_role("ingest", step.target)
    for member in readers:
        with ground.world.journal.writing_down("kill", member.name):
            await fleet.kill(member)
    with ground.world.journal.writing_down("offsets forgotten", f"{step.target} database"):
        await ground.tell_database(step.target, FORGET_OFFSETS)
    for member in readers:
        fleet.launch(member)


async def reset_offsets(ground: Ground, step: Step) -> None:
    """An operator sets a group back to its topic's beginning by the stock tool, which wants the group to be empty."""
    fleet = ground.world.fleet
    service, _, topic = step.target.partition("/")
    readers = fleet.with_role("ingest", service)
    for member in readers:
        with ground.world.journal.writing_down("kill", member.name):
            await fleet.kill(member)
    with ground.world.journal.writing_down("offsets reset", f"{service} database"):
        await reset_by_tool(ground.world, f"{service}.{topic}", topic)
    for member in readers:
        fleet.launch(member)


async def reset_by_tool(world: World, group: str, topic: str) -> None:
    """Tries until the tool says that it has done it."""
    prefix = world.place.prefix
    words = ["--group", prefix + group, "--topic", prefix + topic, "--reset-offsets", "--to-earliest", "--execute"]
    command = kafka.tool_command("kafka-consumer-groups", words, world.place.kafka)
    async with asyncio.timeout(RESET_WITHIN):
        said = b""
        while b"NEW-OFFSET" not in said:
            tool = await asyncio.create_subprocess_exec(
                *map(str, command), stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
            )
            said, _ = await tool.communicate()


DEEDS: Mapping[str, Callable[[Ground, Step], Awaitable[None]]] = {
    "kill": kill,
    "halt": halt,
    "go back": go_back,
    "stop server": stop_server,
    "kill server": kill_server,
    "halt server": halt_server,
    "fill disk": fill_disk,
    "eat commits": eat_commits,
    "empty leases": empty_leases,
    "forget offsets": forget_offsets,
    "reset offsets": reset_offsets,
}

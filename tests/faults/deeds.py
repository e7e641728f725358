"""Whatever can be done to a running system, by name; each deed leaves everything running when it is over."""

import asyncio
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import asyncpg

from deploy.local import kafka
from shared.messaging.database import Connection
from tests.faults.commit_eater import CommitEater
from tests.faults.fleet import Member
from tests.faults.journal import NEVER_PASSED
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
STEAL_LANES = "update lane set due = clock_timestamp() where state = 'leased'"
SLOWLY = """
create or replace function slowly() returns trigger language plpgsql as $$
begin perform pg_sleep({seconds}) where random() < {share}; return null; end $$;
create trigger slowly after insert on {table} for each statement execute function slowly()
"""
SLOW = {
    "outbox": SLOWLY.format(table="outbox", share=0.2, seconds=0.3),
    "consumed": SLOWLY.format(table="consumed", share=0.8, seconds=0.1),
}
FORGET_OFFSETS = "delete from consumed"
IN_FLIGHT = "select key from effect where state = 'started'"
IN_HAND_AGAIN = """select "group", subject from lane where state = 'leased' and crashes > 0"""
STILL_SUSPECT = """
select exists (
  select from lane join unnest($1::text[], $2::text[]) k(g, s) on "group" = k.g and subject = k.s where crashes > 0)
"""
ONE_STATEMENT = 0.3
"""Seconds in which the server ends the statement that a process sent last."""
PASSES_WITHIN = 240.0
"""Seconds."""
CALM_WITHIN = 240.0
"""Seconds: the leases of two dead workers, a look-up or two, and whatever has become due before."""
RESET_WITHIN = 90.0
"""Seconds: a group can be reset when the sessions of its killed members have run out."""


@dataclass
class Ground:
    """What deeds are done on."""

    world: World
    servers: Mapping[str, Server] = field(default_factory=dict)
    eater: CommitEater | None = None
    suspects: dict[str, set[tuple[str, str]]] = field(default_factory=dict)

    def member(self, name: str) -> Member:
        return next(member for member in self.world.fleet.members if member.name == name)

    async def in_flight(self, member: Member) -> tuple[str, ...] | None:
        """The effects of the member's service that are on their way now, whoever makes the calls.

        None where the member makes none, or its database does not answer.
        """
        if not member.has("work"):
            return None
        keys: set[str] = set()
        try:
            async with self.database(member.service) as connection:
                for pause in (0.0, ONE_STATEMENT):
                    await asyncio.sleep(pause)
                    keys |= {row["key"] for row in await connection.fetch(IN_FLIGHT)}
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
            return None
        return tuple(sorted(keys))

    async def remember_suspects(self, service: str) -> None:
        """The lanes that were in hand in two crashes in a row, after the second."""
        async with self.database(service) as connection:
            rows = await connection.fetch(IN_HAND_AGAIN)
        self.suspects.setdefault(service, set()).update((row["group"], row["subject"]) for row in rows)

    async def until_nothing_is_suspect(self, service: str) -> None:
        """After a third crash they would be given up, which is right, and not what is looked for."""
        suspects, still = self.suspects.get(service, set()), True
        columns = [group for group, _ in suspects], [subject for _, subject in suspects]
        async with asyncio.timeout(CALM_WITHIN), self.database(service) as connection:
            while still:
                still = await connection.fetchval(STILL_SUSPECT, *columns)
                await asyncio.sleep(0.1)
        self.suspects.pop(service, None)

    @asynccontextmanager
    async def database(self, service: str) -> AsyncIterator[Connection]:
        """A connection of our own to the service's database, past everything that is in the way."""
        connection = await asyncpg.connect(self.world.place.databases[service])
        try:
            yield connection
        finally:
            await connection.close()

    async def tell_database(self, service: str, statement: str) -> None:
        """Runs a statement on the service's database, past everything that is in the way."""
        async with self.database(service) as connection:
            await connection.execute(statement)


async def kill(ground: Ground, step: Step) -> None:
    """SIGKILL; started again after a while, as an orchestrator does, whether or not it gets ready."""
    fleet, member = ground.world.fleet, ground.member(step.target)
    with ground.world.journal.writing_down("kill", step.target) as note:
        await fleet.kill(member)
        note.in_flight = await ground.in_flight(member)
    await asyncio.sleep(step.seconds)
    fleet.launch(member)


async def crash(ground: Ground, step: Step) -> None:
    """The member is replaced by one that ends itself by SIGKILL at a crash point, and that by one that does not."""
    fleet, member = ground.world.fleet, ground.member(step.target)
    await ground.until_nothing_is_suspect(member.service)
    await fleet.end(member)
    process = fleet.launch(member, crash_at=step.at)
    if step.at.startswith("stop."):
        await fleet.ready(member)
        process.send(signal.SIGTERM)
    passed = await process.ended(PASSES_WITHIN) and process.exit_code() == -signal.SIGKILL
    with ground.world.journal.writing_down("crash" if passed else NEVER_PASSED, step.target, step.at) as note:
        await fleet.kill(member)
        note.in_flight = await ground.in_flight(member)
    await ground.remember_suspects(member.service)
    fleet.launch(member)
    await fleet.ready(member)


async def go_back(ground: Ground, step: Step) -> None:
    """The member is replaced by one of the older version, and after a while by one of the newer one again."""
    fleet, member = ground.world.fleet, ground.member(step.target)
    with ground.world.journal.writing_down("older version", step.target):
        await fleet.end(member)
        fleet.older.add(member.name)
        fleet.launch(member)
        await fleet.ready(member)
        await asyncio.sleep(step.seconds)
        await fleet.end(member)
        fleet.older.discard(member.name)
        fleet.launch(member)


async def halt(ground: Ground, step: Step) -> None:
    """SIGSTOP, and after a while SIGCONT."""
    fleet, member = ground.world.fleet, ground.member(step.target)
    with ground.world.journal.writing_down("halt", step.target) as note:
        fleet.halt(member)
        note.in_flight = await ground.in_flight(member)
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
        with ground.world.journal.writing_down("kill", member.name) as note:
            await fleet.kill(member)
            note.in_flight = await ground.in_flight(member)
    with ground.world.journal.writing_down("offsets forgotten", f"{step.target} database"):
        await ground.tell_database(step.target, FORGET_OFFSETS)
    for member in readers:
        fleet.launch(member)


async def steal_lanes(ground: Ground, step: Step) -> None:
    """Somebody ends all leases of a service's lanes by hand, while their workers go on."""
    with ground.world.journal.writing_down("lanes stolen", f"lanes of {step.target}"):
        await ground.tell_database(step.target, STEAL_LANES)


async def slow_down(ground: Ground, step: Step) -> None:
    """Transactions that write to a table of the service stay open for a moment after that, for a while."""
    service, _, table = step.target.partition("/")
    with ground.world.journal.writing_down("slowed down", f"{service} {table}"):
        await ground.tell_database(service, SLOW[table])
        await asyncio.sleep(step.seconds)
        await ground.tell_database(service, f"drop trigger slowly on {table}")


async def reset_offsets(ground: Ground, step: Step) -> None:
    """An operator moves a group to its topic's beginning, or end, by the stock tool, which wants it to be empty."""
    fleet = ground.world.fleet
    service, _, topic = step.target.partition("/")
    readers = fleet.with_role("ingest", service)
    for member in readers:
        with ground.world.journal.writing_down("kill", member.name) as note:
            await fleet.kill(member)
            note.in_flight = await ground.in_flight(member)
    with ground.world.journal.writing_down("offsets reset", f"{service} database"):
        await reset_by_tool(ground.world, f"{service}.{topic}", topic, step.at or "earliest")
    for member in readers:
        fleet.launch(member)


async def reset_by_tool(world: World, group: str, topic: str, where: str) -> None:
    """Tries until the tool says that it has done it."""
    prefix = world.place.prefix
    words = ["--group", prefix + group, "--topic", prefix + topic, "--reset-offsets", f"--to-{where}", "--execute"]
    command = kafka.tool_command("kafka-consumer-groups", words, world.place.kafka)
    async with asyncio.timeout(RESET_WITHIN):
        said = b"Error"
        while b"Error" in said or topic.encode() not in said:  # a refusal is followed by a table without rows
            tool = await asyncio.create_subprocess_exec(
                *map(str, command), stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
            )
            said, _ = await tool.communicate()


DEEDS: Mapping[str, Callable[[Ground, Step], Awaitable[None]]] = {
    "kill": kill,
    "crash": crash,
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
    "steal lanes": steal_lanes,
    "slow down": slow_down,
}

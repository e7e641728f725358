"""The processes of one run. A member that was killed is started again as an orchestrator would, with the same place."""

import asyncio
import signal
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from deploy.local.ports import HOST, take_port
from deploy.local.processes import Process, start_process, until_it_answers
from shared.messaging.crash_points import VARIABLE
from tests.faults.tree import ROOT, imported_from

READY_WITHIN = 90.0
STOPS_WITHIN = 25.0
"""Seconds; a process gives itself 20."""
EVERYTHING = "api,ingest,work,relay"


@dataclass(frozen=True)
class Member:
    """A process that belongs to the fleet: which service, in which roles, and its stable number among its kind."""

    service: str
    instance: int
    roles: str = EVERYTHING

    @property
    def name(self) -> str:
        return f"{self.service}-{self.instance}"

    def has(self, role: str) -> bool:
        """Whether it runs this role."""
        return role in self.roles.split(",")


MODULES = {
    "orders": "tests.faults.orders",
    "notifications": "services.notifications.app",
    "payer": "tests.faults.payer.app",
    "documents": "services.documents.app",
    "integrations": "services.integrations.app",
}
BEFORE = {"orders": "services.orders.app"}
"""An older version of a service: this one does not know the payer's entries yet."""
LAYOUT = (
    Member("orders", 0),
    Member("orders", 1),
    Member("notifications", 0, "ingest,relay"),
    Member("notifications", 1, "work"),
    Member("notifications", 2, "work,relay"),
    Member("payer", 0),
    Member("payer", 1, "ingest,work"),
)
"""Whole ones, split ones, and two of each role somewhere."""


@dataclass
class Fleet:
    """Starts, kills and halts the members; `settings` are the environment of each service, without its prefix."""

    folder: Path
    settings: Mapping[str, Mapping[str, str]]
    members: Sequence[Member] = LAYOUT
    code: Path = ROOT
    """The tree whose code the members run."""
    ports: dict[str, int] = field(default_factory=dict)
    processes: dict[str, Process] = field(default_factory=dict)
    older: set[str] = field(default_factory=set)
    """The members that run the older version of their service."""
    modules: Mapping[str, str] = field(default_factory=lambda: MODULES)
    """What is run of each service."""

    def url(self, member: Member) -> str:
        """Where it serves HTTP."""
        return f"http://{HOST}:{self.ports[member.name]}"

    def log(self, member: Member) -> Path:
        """Where it writes."""
        return self.folder / "logs" / f"{member.name}.log"

    def with_role(self, role: str, service: str = "") -> list[Member]:
        """The members that run it, of one service or of all."""
        return [member for member in self.members if member.has(role) and service in {"", member.service}]

    def launch(self, member: Member, crash_at: str = "") -> Process:
        """Starts it and waits for nothing. `crash_at`, a crash point and a number, ends it at that passing."""
        self.ports.setdefault(member.name, take_port())
        known = {
            "PORT": str(self.ports[member.name]),
            "ROLES": member.roles,
            "INSTANCE": str(member.instance),
            "LOG_LEVEL": "info",
            "REQUESTS_PER_SECOND": "0",
        }
        settings = {**known, **self.settings[member.service]}
        env = {f"{member.service.upper()}_{name}": value for name, value in settings.items()}
        env |= imported_from(self.code)
        if crash_at:
            env[VARIABLE] = crash_at
        module = (BEFORE if member.name in self.older else self.modules)[member.service]
        words = [sys.executable, "-m", module]
        process = start_process(member.name, words, self.log(member), env)
        self.processes[member.name] = process
        return process

    async def ready(self, member: Member, within: float = READY_WITHIN) -> None:
        """Waits until it says that it is. Raises LocalStackError when it does not, or has ended."""
        await until_it_answers(self.processes[member.name], f"{self.url(member)}/readyz", within)

    async def start(self) -> None:
        """Starts all members; returns when they are ready."""
        for member in self.members:
            self.launch(member)
        await asyncio.gather(*(self.ready(member) for member in self.members))

    async def kill(self, member: Member) -> None:
        """SIGKILL, for the process and for what it started."""
        await self.processes[member.name].stop(signal.SIGKILL)

    async def end(self, member: Member) -> None:
        """SIGTERM, as an orchestrator that replaces it."""
        await self.processes[member.name].stop(signal.SIGTERM, within=STOPS_WITHIN)

    def halt(self, member: Member) -> None:
        """SIGSTOP: it believes that no time passes."""
        self.processes[member.name].send(signal.SIGSTOP)

    def go_on(self, member: Member) -> None:
        """SIGCONT."""
        self.processes[member.name].send(signal.SIGCONT)

    def ended(self) -> list[Member]:
        """The members that run no longer."""
        return [member for member in self.members if not self.processes[member.name].alive()]

    async def stop(self) -> None:
        """Ends all members, as an orchestrator does."""
        for member in self.members:
            if member.name in self.processes:
                self.go_on(member)
        await asyncio.gather(*(process.stop(signal.SIGTERM) for process in self.processes.values()))

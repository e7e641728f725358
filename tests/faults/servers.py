"""PostgreSQL and Kafka of one run: they keep their ports and their data over whatever is done to them."""

import contextlib
import signal
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import psutil

from deploy.local import kafka, postgres
from deploy.local.kafka.server import Kafka
from deploy.local.ports import HOST, take_port
from deploy.local.postgres import Postgres
from deploy.local.processes import Process


class Server(Protocol):
    """A server that can be ended, well or badly, and started again."""

    name: str

    async def start(self) -> None:
        """Returns when it can be used."""

    async def stop(self) -> None:
        """As an operator does."""

    async def kill(self) -> None:
        """As a power cut does."""

    def halt(self) -> None:
        """It believes that no time passes."""

    def go_on(self) -> None:
        """The end of that."""


@dataclass
class OwnPostgres:
    """A PostgreSQL for one run alone."""

    folder: Path
    port: int = field(default_factory=take_port)
    name: str = "postgres"
    running: Postgres | None = None

    def url(self, database: str = postgres.ADMIN) -> str:
        """The address of a database."""
        return postgres.url(self.port, database)

    async def start(self) -> None:
        self.running = await postgres.start(self.folder / "postgres", self.port, self.folder / "logs" / "postgres.log")

    async def stop(self) -> None:
        if self.running is not None:
            await self.running.stop()

    async def kill(self) -> None:
        # Its children are sessions of their own, and a new server refuses to start while one of them lives.
        if self.running is not None:
            await kill_with_children(self.running.process)

    def halt(self) -> None:
        if self.running is not None:
            send_with_children(self.running.process, signal.SIGSTOP)

    def go_on(self) -> None:
        if self.running is not None:
            send_with_children(self.running.process, signal.SIGCONT)

    async def forget(self) -> None:
        """Deletes its data."""
        await postgres.forget(self.folder / "postgres")


@dataclass
class OwnKafka:
    """A broker for one run alone."""

    folder: Path
    port: int = field(default_factory=take_port)
    controller_port: int = field(default_factory=take_port)
    name: str = "kafka"
    running: Kafka | None = None

    @property
    def address(self) -> str:
        """Its address, `host:port`."""
        return f"{HOST}:{self.port}"

    async def start(self) -> None:
        log = self.folder / "logs" / "kafka.log"
        self.running = await kafka.start(self.folder / "kafka", self.port, self.controller_port, log, heap="512m")

    async def stop(self) -> None:
        if self.running is not None:
            await self.running.stop()

    async def kill(self) -> None:
        if self.running is not None:
            await kill_with_children(self.running.process)

    def halt(self) -> None:
        if self.running is not None:
            send_with_children(self.running.process, signal.SIGSTOP)

    def go_on(self) -> None:
        if self.running is not None:
            send_with_children(self.running.process, signal.SIGCONT)

    async def forget(self) -> None:
        """Deletes its data."""
        await kafka.forget(self.folder / "kafka")


async def kill_with_children(process: Process) -> None:
    """SIGKILL for the process and for everything that it has started, each by its pid."""
    with contextlib.suppress(psutil.NoSuchProcess):
        children = psutil.Process(process.pid).children(recursive=True)
        await process.stop(signal.SIGKILL)
        for child in children:
            with contextlib.suppress(psutil.NoSuchProcess):
                child.kill()
        psutil.wait_procs(children, timeout=5)


def send_with_children(process: Process, number: signal.Signals) -> None:
    """A signal for the process and for everything that it has started, each by its pid."""
    with contextlib.suppress(psutil.NoSuchProcess):
        for one in (psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)):
            with contextlib.suppress(psutil.NoSuchProcess):
                one.send_signal(number)

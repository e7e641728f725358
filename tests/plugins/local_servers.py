"""Test sessions of one machine share one PostgreSQL and one Kafka: the first in need starts it, the last out stops it.

Their data is new at every start, so nothing that a killed run left behind can reach a later one.
"""

import asyncio
import fcntl
import signal
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import IO, Any

from deploy.local import kafka, postgres
from deploy.local.folders import cache_folder, locked
from deploy.local.ports import take_port
from deploy.local.processes import Process, recall, remember

Starter = Callable[[Path, Path], Coroutine[Any, Any, tuple[Process, str]]]


class LocalServers:
    """The servers in one folder, as one test session sees them."""

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder or cache_folder() / "test-servers"
        self._membership: IO[str] | None = None

    def join(self) -> None:
        """Say that this session may use the servers: from now on nobody stops them. Starts nothing."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self._membership = (self.folder / "sessions.lock").open("a")
        fcntl.flock(self._membership, fcntl.LOCK_SH)

    def leave(self) -> None:
        """Say that this session is done; stops the servers if no other session is there."""
        if self._membership is None:
            return
        with self._membership as membership:
            try:
                fcntl.flock(membership, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return
            asyncio.run(self._stop())

    def postgres_url(self) -> str:
        """The address of PostgreSQL's own database; starts the server if nobody has."""
        return self._address_of("postgres", _start_postgres)

    def kafka(self) -> str:
        """Kafka's address, `host:port`; starts the broker if nobody has."""
        return self._address_of("kafka", _start_kafka)

    def _address_of(self, name: str, starter: Starter) -> str:
        record, address = self.folder / f"{name}.json", self.folder / f"{name}.address"
        with locked(self.folder / f"{name}.lock"):
            if recall(record) is None:
                log = self.folder / f"{name}.log"
                log.unlink(missing_ok=True)
                address.unlink(missing_ok=True)
                process, said = asyncio.run(starter(self.folder / name, log))
                remember(process, record)
                address.write_text(said)
            return address.read_text()

    async def _stop(self) -> None:
        for name, number in (("kafka", signal.SIGTERM), ("postgres", signal.SIGINT)):
            running = recall(self.folder / f"{name}.json")
            if running is not None:
                await running.stop(number)


async def _start_postgres(folder: Path, log: Path) -> tuple[Process, str]:
    await postgres.forget(folder)
    started = await postgres.start(folder, take_port(), log)
    return started.process, started.url()


async def _start_kafka(folder: Path, log: Path) -> tuple[Process, str]:
    await kafka.forget(folder)
    taken: set[int] = set()
    started = await kafka.start(folder, take_port(taken=taken), take_port(taken=taken), log, heap="512m")
    return started.process, started.bootstrap

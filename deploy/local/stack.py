"""Whatever the stack starts, it stops, by its pid and in the right order: services first, then what they stand on.

A run that was killed is found by the next one, which ends what is left of it; the data stay until `reset`.
"""

import asyncio
import contextlib
import shutil
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from deploy.local import kafka, postgres, system
from deploy.local.failure import InterruptedStartError, LocalStackError
from deploy.local.folders import locked_or_busy
from deploy.local.ports import HOST, RememberedPorts
from deploy.local.processes import Process, recall, remember, start_process, until_it_answers

_WATCH_EVERY = 0.2
_SERVICE_STOPS_WITHIN = 25.0


def default_folder() -> Path:
    """The folder of this checkout's own stack."""
    return Path(__file__).parents[2] / ".local"


def _tell(words: str) -> None:
    print(words, file=sys.stderr, flush=True)  # noqa: T201 - the terminal is where it is read


class Stack:
    """PostgreSQL, Kafka, a mailbox, and the services given to it, all on the loopback address.

    `async with Stack(folder) as stack:` starts the servers and stops everything at the end. Its body is cancelled when
    a child ends by itself (the block then raises ChildEndedError) and at SIGINT or SIGTERM (the block then ends in
    silence, and `interrupted` is true). A second signal kills what has not stopped yet.
    """

    def __init__(self, folder: Path | None = None, tell: Callable[[str], None] = _tell) -> None:
        self.folder = (folder or default_folder()).absolute()
        self.logs = self.folder / "logs"
        self.interrupted = False
        self._tell = tell
        self._ports = RememberedPorts(self.folder / "ports.json", tell)
        self._held = contextlib.ExitStack()
        self._servers: list[Process] = []
        self._services: list[Process] = []
        self._ended: Process | None = None
        self._body: asyncio.Task[object] | None = None
        self._cancels = 0
        self._stopping = False

    @property
    def kafka(self) -> str:
        """Kafka's address, `host:port`."""
        return f"{HOST}:{self._ports.of('kafka')}"

    @property
    def smtp_port(self) -> int:
        """The port that takes mail, on the loopback address."""
        return self._ports.of("smtp")

    @property
    def mailbox_url(self) -> str:
        """The page that shows the mails."""
        return f"http://{HOST}:{self._ports.of('mailbox')}"

    def postgres_url(self, database: str = postgres.ADMIN) -> str:
        """The address of a database."""
        return postgres.url(self._ports.of("postgres"), database)

    def inside(self, name: str, port: int) -> str:
        """Where the services find something of that name which listens at this port."""
        del name
        return f"http://{HOST}:{port}"

    def port(self, name: str, preferred: int) -> int:
        """A free port for something of that name: the one it had in the last run where it can be had again."""
        return self._ports.take(name, preferred)

    async def create_database(self, name: str) -> str:
        """Create the database if it is not there yet; returns its address."""
        await postgres.create_database(self.postgres_url(), name)
        return self.postgres_url(name)

    async def start_service(
        self,
        name: str,
        module: str,
        env: Mapping[str, str],
        ready_url: str | None = None,
        within: float = 90.0,
        arguments: Sequence[str] = (),
    ) -> Process:
        """Run `python -m module <arguments>`, its output in `logs/<name>.log`; returns when `ready_url` answers 200.

        Raises ChildEndedError when it ends before that, LocalStackError when it is not ready in time.
        """
        process = self._start_python(name, ["-m", module, *arguments], env)
        async with contextlib.AsyncExitStack() as undo:
            undo.push_async_callback(process.stop)
            if ready_url is not None:
                await until_it_answers(process, ready_url, within)
            undo.pop_all()
        self._services.append(process)
        return process

    def check(self) -> None:
        """Raises ChildEndedError if a child has ended by itself."""
        ended = self._first_ended()
        if ended is not None:
            raise ended.ended_early()

    async def wait(self) -> None:
        """Wait for as long as everything runs and nobody interrupts."""
        await asyncio.Event().wait()

    async def __aenter__(self) -> Self:
        self._body = asyncio.current_task()
        self._held.enter_context(locked_or_busy(self.folder / "stack.lock"))
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, self._interrupt)
        async with contextlib.AsyncExitStack() as undo:
            undo.push_async_callback(self._stop_whatever_happens)
            try:
                await self._start_servers()
            except asyncio.CancelledError:
                if self.interrupted:
                    raise InterruptedStartError from None
                raise
            undo.pop_all()
        self._watcher = asyncio.create_task(self._watch())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> bool:
        self._watcher.cancel()
        await self._stop_whatever_happens()
        if self._ended is not None and not isinstance(problem, LocalStackError):
            raise self._ended.ended_early() from None
        return self.interrupted and isinstance(problem, asyncio.CancelledError)

    async def _start_servers(self) -> None:
        await end_leftovers(self.folder, self._tell)
        await asyncio.to_thread(_have_programs)
        mailbox = self._start_mailbox()
        taken = [self.port("postgres", 15432), self.port("kafka", 19092), self.port("kafka-controller", 19093)]
        database = await postgres.start(self.folder / "postgres", taken[0], self.logs / "postgres.log")
        self._servers.append(database.process)
        broker = await kafka.start(self.folder / "kafka", taken[1], taken[2], self.logs / "kafka.log")
        self._servers.append(broker.process)
        await until_it_answers(mailbox, f"{self.mailbox_url}/api/messages?limit=1", 30.0)

    def _start_mailbox(self) -> Process:
        ports = ["--smtp-port", str(self.port("smtp", 11025)), "--http-port", str(self.port("mailbox", 18025))]
        words = ["-m", "deploy.local.mailbox", "--folder", str(self.folder / "mails"), *ports]
        process = self._start_python("mailbox", words, {})
        self._servers.append(process)
        return process

    def _start_python(self, name: str, words: list[str], env: Mapping[str, str]) -> Process:
        process = start_process(name, [sys.executable, *words], self.logs / f"{name}.log", env)
        remember(process, self.folder / "processes" / f"{name}.json")
        return process

    def _first_ended(self) -> Process | None:
        return next((child for child in (*self._services, *self._servers) if not child.alive()), None)

    def _interrupt(self) -> None:
        if self.interrupted and self._stopping:
            for child in (*self._services, *self._servers):
                child.send(signal.SIGKILL)
        self.interrupted = True
        if not self._stopping:
            self._cancel_body()

    def _cancel_body(self) -> None:
        if self._body is not None:
            self._cancels += 1
            self._body.cancel()

    async def _watch(self) -> None:
        while self._ended is None:
            await asyncio.sleep(_WATCH_EVERY)
            self._ended = self._first_ended()
        self._cancel_body()

    async def _stop_whatever_happens(self) -> None:
        self._stopping = True
        stopping = asyncio.create_task(self._stop())
        while not stopping.done():
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.shield(stopping)
        if self._body is not None:
            for _ in range(self._cancels):
                self._body.uncancel()
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().remove_signal_handler(number)
        self._ports.release()
        self._held.close()
        stopping.result()

    async def _stop(self) -> None:
        await asyncio.gather(*(service.stop(within=_SERVICE_STOPS_WITHIN) for service in self._services))
        await asyncio.gather(*(server.stop(_stop_signal(server), within=30.0) for server in self._servers))


def _have_programs() -> None:
    """Install and fetch what is missing before any port is chosen: it may take minutes."""
    system.find_postgres()
    kafka.jars_folder()


def _stop_signal(server: Process) -> signal.Signals:
    return postgres.STOP_SIGNAL if server.name == postgres.NAME else signal.SIGTERM


async def end_leftovers(folder: Path, tell: Callable[[str], None] = _tell) -> None:
    """End what a killed run left running: services and mailbox by their records, then the two servers."""
    records = sorted((folder / "processes").glob("*.json"))
    leftovers = [recall(record) for record in records]
    leftovers += [kafka.leftover(folder / "kafka"), postgres.leftover(folder / "postgres")]
    for process in leftovers:
        if process is not None:
            tell(f"Ending {process.name} (pid {process.pid}), left over from an earlier run.")
            await process.stop(_stop_signal(process), within=_SERVICE_STOPS_WITHIN)
    for record in records:
        record.unlink(missing_ok=True)


async def reset(folder: Path) -> None:
    """Forget everything: data, mails, logs, ports. Raises LocalStackError while the stack runs."""
    with locked_or_busy(folder / "stack.lock"):
        await end_leftovers(folder)
        await postgres.forget(folder / "postgres")
        await kafka.forget(folder / "kafka")
        await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)

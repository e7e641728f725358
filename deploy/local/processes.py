"""A process is known by its pid, its start and its command line together, so that a pid used anew is never hit."""

import asyncio
import contextlib
import os
import pwd
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from json import JSONDecodeError, dumps, loads
from pathlib import Path

import httpx2
import psutil

from deploy.local.failure import ChildEndedError, LocalStackError

_POLL = 0.02
_CLOCK_STEP = 2.0
_own: dict[int, subprocess.Popen[bytes]] = {}


@dataclass(frozen=True)
class Process:
    """A running (or ended) process: what it is called, how it is recognised, and where it writes."""

    name: str
    pid: int
    began: float
    command: list[str]
    log: str

    @classmethod
    def by_pid(cls, name: str, pid: int) -> "Process | None":
        """The process that has this pid now, whoever started it; None when there is none."""
        if pid <= 0:
            return None
        try:
            found = psutil.Process(pid)
            return cls(name, pid, found.create_time(), found.cmdline(), os.devnull)
        except psutil.Error:
            return None

    def alive(self) -> bool:
        """Whether exactly this process still runs."""
        own = _own.get(self.pid)
        if own is not None:
            return own.poll() is None
        try:
            found = psutil.Process(self.pid)
            same = abs(found.create_time() - self.began) < _CLOCK_STEP and found.cmdline() == self.command
            return same and found.status() != psutil.STATUS_ZOMBIE
        except psutil.Error:
            return False

    def listens_on(self, port: int) -> bool:
        """Whether it is this process that takes connections on the port, and not another one that came first.

        True as well where the system does not let us look (root in a container, at a process of another user).
        """
        try:
            open_ports = psutil.Process(self.pid).net_connections("tcp")
        except psutil.AccessDenied:
            return True
        except psutil.NoSuchProcess:
            return False
        return any(one.status == psutil.CONN_LISTEN and one.laddr.port == port for one in open_ports)

    def exit_code(self) -> int | None:
        """The exit code of a child of this Python process; None while it runs or when it is another's child."""
        own = _own.get(self.pid)
        return None if own is None else own.poll()

    def tail(self, lines: int = 15) -> str:
        """The last lines of the log."""
        with contextlib.suppress(FileNotFoundError):
            return "\n".join(Path(self.log).read_text(errors="replace").splitlines()[-lines:])
        return ""

    def send(self, number: signal.Signals) -> None:
        """Send a signal to this process alone; one that has ended is passed over."""
        if self.alive():
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    async def stop(self, number: signal.Signals = signal.SIGTERM, within: float = 20.0) -> None:
        """Ask the process to end with `number`; kill it and its group when `within` seconds have passed."""
        self.send(number)
        if not await self.ended(within):
            self.send(signal.SIGKILL)
            await self.ended(5.0)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)

    async def ended(self, within: float) -> bool:
        """Wait until the process has ended; False when it still runs after `within` seconds."""
        deadline = time.monotonic() + within
        while self.alive():
            if time.monotonic() > deadline:
                return False
            await asyncio.sleep(_POLL)
        return True

    def ended_early(self) -> ChildEndedError:
        """The failure to raise when this process has ended though nobody asked it to."""
        code = self.exit_code()
        said = f" with exit code {code}" if code is not None else ""
        return ChildEndedError(f"{self.name} has ended{said}. The last lines of {self.log}:\n{self.tail()}")


def start_process(
    name: str, command: Sequence[str | Path], log: Path, env: Mapping[str, str] | None = None, user: str | None = None
) -> Process:
    """Start `command` in a session of its own, all its output appended to `log`; `user` needs root."""
    log.parent.mkdir(parents=True, exist_ok=True)
    words = [str(word) for word in command]
    with log.open("ab") as output:
        child = subprocess.Popen(
            words,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=None if env is None else {**os.environ, **env},
            user=user,
            group=_group_of(user),
            extra_groups=None if user is None else [],
            start_new_session=True,
        )
    _own[child.pid] = child
    return Process(name, child.pid, psutil.Process(child.pid).create_time(), words, str(log))


def _group_of(user: str | None) -> int | None:
    if user is None:
        return None
    return pwd.getpwnam(user).pw_gid


async def until_it_answers(process: Process, url: str, within: float) -> None:
    """Wait until `url` answers with success; raises LocalStackError with its last answer after `within` seconds."""
    deadline = time.monotonic() + within
    async with httpx2.AsyncClient(timeout=5.0) as http:
        while True:
            try:
                answer = await http.get(url)
                said = f"it says {answer.status_code}: {answer.text[:500]}"
            except httpx2.TransportError as problem:
                answer, said = None, f"{type(problem).__name__} {problem}".strip()
            if answer is not None and answer.is_success:
                return
            if not process.alive():
                raise process.ended_early()
            if time.monotonic() > deadline:
                raise LocalStackError(
                    f"{process.name} was not ready in {within:.0f} s ({said}). Its log: {process.log}"
                )
            await asyncio.sleep(_POLL)


def remember(process: Process, path: Path) -> None:
    """Write down how `process` is recognised, so that a later run can find it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(dumps(asdict(process)))


def recall(path: Path) -> Process | None:
    """The process written down in `path`, if it still runs."""
    with contextlib.suppress(FileNotFoundError, JSONDecodeError, TypeError):
        process = Process(**loads(path.read_text()))
        return process if process.alive() else None
    return None

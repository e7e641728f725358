"""A port is ours if it can be bound now and no other process has reserved it: two stacks that start together differ."""

import contextlib
import fcntl
import json
import os
import secrets
import socket
from collections.abc import Callable
from pathlib import Path

from deploy.local.failure import LocalStackError
from deploy.local.folders import cache_folder

HOST = "127.0.0.1"
_BELOW_EPHEMERAL = range(20000, 30000)
_reserved: dict[int, int] = {}


def is_free(port: int) -> bool:
    """Whether a server could listen on `port` of the loopback address at this moment."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def _reserve(port: int) -> bool:
    folder = cache_folder() / "ports"
    folder.mkdir(exist_ok=True)
    lock = os.open(folder / str(port), os.O_CREAT | os.O_RDWR | os.O_CLOEXEC)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        return False
    if not is_free(port):
        os.close(lock)
        return False
    _reserved[port] = lock
    return True


def release_port(port: int) -> None:
    """Let others take the port again."""
    lock = _reserved.pop(port, None)
    if lock is not None:
        os.close(lock)


def take_port(preferred: int | None = None, taken: set[int] | None = None) -> int:
    """A free port: `preferred`, else one of the next hundred, else any below the system's own range.

    It is reserved for this process until `release_port` or its end, though nothing listens yet; the answer is added
    to `taken`, and no port in it is taken.
    """
    promised = set() if taken is None else taken
    near = range(preferred, preferred + 100) if preferred else range(0)
    anywhere = [secrets.choice(_BELOW_EPHEMERAL) for _ in range(1000)]
    candidates: list[int] = [*near, *anywhere]
    for port in candidates:
        if port not in promised and _reserve(port):
            promised.add(port)
            return port
    raise OSError("no free port was found on the loopback address")


class RememberedPorts:
    """The ports of one stack by what uses them; the same ones in the next run, where they can be had."""

    def __init__(self, path: Path, tell: Callable[[str], None]) -> None:
        self._path = path
        self._tell = tell
        self._ports: dict[str, int] = {}

    def of(self, name: str) -> int:
        """The port that was taken for `name`."""
        return self._ports[name]

    def release(self) -> None:
        """Let others take them again; for the end of the stack."""
        for port in self._ports.values():
            release_port(port)

    def take(self, name: str, preferred: int) -> int:
        """Take a port for `name`: the last run's, else the preferred one, else another, and say so."""
        remembered = _read(self._path)
        wanted = remembered.get(name, preferred)
        port = take_port(wanted)
        if port != wanted:
            self._tell(f"Port {wanted} is in use: {name} takes {port}.")
        self._ports[name] = port
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._path.write_text(json.dumps({**remembered, name: port}, indent=2))
        return port


def remembered_port(path: Path, name: str) -> int:
    """The port that the last run took for `name`; raises LocalStackError where there was no run."""
    ports = _read(path)
    if name not in ports:
        raise LocalStackError(f"No stack has run here yet ({path}): start one with make demo.")
    return ports[name]


def _read(path: Path) -> dict[str, int]:
    with contextlib.suppress(FileNotFoundError, json.JSONDecodeError):
        found = json.loads(path.read_text())
        if isinstance(found, dict):
            return {name: port for name, port in found.items() if isinstance(port, int)}
    return {}

"""A port is ours only if nothing answers on it and it can be bound now; otherwise another one is taken."""

import contextlib
import json
import secrets
import socket
from collections.abc import Callable
from pathlib import Path

from deploy.local.failure import LocalStackError

HOST = "127.0.0.1"
_BELOW_EPHEMERAL = range(20000, 30000)


def is_free(port: int) -> bool:
    """Whether a server could listen on `port` of the loopback address at this moment."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def take_port(preferred: int | None = None, taken: set[int] | None = None) -> int:
    """A free port: `preferred`, else one of the next hundred, else any below the system's own range.

    `taken` holds ports promised to servers that do not listen yet; the answer is added to it.
    """
    promised = set() if taken is None else taken
    near = range(preferred, preferred + 100) if preferred else range(0)
    anywhere = [secrets.choice(_BELOW_EPHEMERAL) for _ in range(1000)]
    candidates: list[int] = [*near, *anywhere]
    for port in candidates:
        if port not in promised and is_free(port):
            promised.add(port)
            return port
    raise OSError("no free port was found on the loopback address")


class RememberedPorts:
    """The ports of one stack by what uses them; the same ones in the next run, where they can be had."""

    def __init__(self, path: Path, tell: Callable[[str], None]) -> None:
        self._path = path
        self._tell = tell
        self._taken: set[int] = set()
        self._ports: dict[str, int] = {}

    def of(self, name: str) -> int:
        """The port that was taken for `name`."""
        return self._ports[name]

    def take(self, name: str, preferred: int) -> int:
        """Take a port for `name`: the last run's, else the preferred one, else another, and say so."""
        remembered = _read(self._path)
        wanted = remembered.get(name, preferred)
        port = take_port(wanted, self._taken)
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

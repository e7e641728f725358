"""A port is ours only if nothing answers on it and it can be bound now; otherwise another one is taken."""

import secrets
import socket

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

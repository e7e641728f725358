"""What a child process does: it answers one request after the other, has little, and ends itself when one takes long.

Requests are frames on its standard input, answers frames on its standard output; the end of the input is its end.
"""

import resource
import signal
import sys
from collections.abc import Callable

from shared.runtime.frames import frame, read_frame

MEMORY = 1024 * 1024 * 1024
"""Bytes of address space."""
READY = b"ready"
MADE, FAULT = b"+", b"-"
"""The first byte of an answer: what was asked for follows, or one line on what was wrong."""


class Fault(Exception):
    """What was asked for cannot be made; the reason is in the message."""


def serve(make: Callable[[bytes], bytes], seconds: float) -> None:
    """Answers until the input ends; a single answer has `seconds` to be made, or the process dies.

    Where `make` raises Fault, its message is the answer; anything else is a fault of the program and ends it.
    """
    _say(READY)
    while (request := read_frame(sys.stdin.buffer)) is not None:
        # Without a handler SIGALRM kills, even in the middle of C code, and even when the parent is gone.
        signal.setitimer(signal.ITIMER_REAL, seconds)
        try:
            answer = MADE + make(request)
        except Fault as fault:
            answer = FAULT + str(fault)[:500].encode("utf-8", "replace")
        signal.setitimer(signal.ITIMER_REAL, 0)
        _say(answer)


def have_little(memory: int = MEMORY) -> None:
    """Takes away what is never needed: much memory, writing files, core dumps."""
    for what, limit in (
        (resource.RLIMIT_AS, memory),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(what, (limit, limit))


def _say(body: bytes) -> None:
    sys.stdout.buffer.write(frame(body))
    sys.stdout.buffer.flush()

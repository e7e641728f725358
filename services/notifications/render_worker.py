"""The process that renders templates: it knows no secrets, has little memory, and ends itself when it takes too long.

Requests and answers are frames of JSON on its standard input and output; the end of the input is its end.
"""

import json
import resource
import signal
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from jinja2 import TemplateError

from services.notifications.frames import frame, read_frame
from services.notifications.rendering import Rendering, RenderRequest
from services.notifications.texts import TextsIncomplete

MEMORY = 1024 * 1024 * 1024
"""Bytes of address space."""
READY = b"ready"

TEMPLATE_FAULTS = (
    TemplateError,
    TextsIncomplete,
    ArithmeticError,
    AttributeError,
    LookupError,
    MemoryError,
    OSError,
    RecursionError,
    TypeError,
    ValueError,
)
"""What a template, or what it was given, can do wrong; anything else is a fault of this program and ends it."""


def work(folder: Path, seconds: float) -> None:
    """Renders what is asked until the input ends; a single letter has `seconds` to be done, or the process dies."""
    rendering = Rendering(folder)
    _say(READY)
    while (request := read_frame(sys.stdin.buffer)) is not None:
        # Without a handler SIGALRM kills, even in the middle of C code, and even when the parent is gone.
        signal.setitimer(signal.ITIMER_REAL, seconds)
        answer = answer_to(rendering, request)
        signal.setitimer(signal.ITIMER_REAL, 0)
        _say(json.dumps(answer).encode())


def answer_to(rendering: Rendering, request: bytes) -> dict[str, Any]:
    """The letter's fields, or `fault`: one line on what was wrong."""
    try:
        return asdict(rendering.letter(RenderRequest.model_validate_json(request)))
    except TEMPLATE_FAULTS as error:
        return {"fault": f"{type(error).__name__}: {error}"[:500]}


def have_little() -> None:
    """Takes away what templates never need: much memory, writing files, core dumps."""
    for what, limit in (
        (resource.RLIMIT_AS, MEMORY),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(what, (limit, limit))


def _say(body: bytes) -> None:
    sys.stdout.buffer.write(frame(body))
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    have_little()
    work(Path(sys.argv[1]), float(sys.argv[2]))

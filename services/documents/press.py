"""Documents come from warm child processes, so that no template can stop the service or see its secrets."""

import json
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

from services.documents import metrics
from services.documents.typesetting import TEMPLATES, PrintRequest
from shared.runtime.child import MEMORY
from shared.runtime.children import Children
from shared.runtime.frames import read_frame

KEEPS = MEMORY * 6 // 10
"""Bytes after which a process is replaced: Typst keeps what it has set, 70 MB of an order of a thousand lines."""


@dataclass(frozen=True)
class Printed:
    """A PDF and what it is called when it is saved."""

    name: str
    content: bytes


class Press:
    """Prints in `presses` processes, each one document at a time."""

    def __init__(self, *, seconds: float, presses: int = 1, folder: Path = TEMPLATES) -> None:
        self._children = Children(
            "services.documents.print_worker",
            str(folder),
            seconds=seconds,
            count=presses,
            keeps=KEEPS,
            started=metrics.presses_started.inc,
        )

    async def print(self, request: PrintRequest) -> Printed:
        """The document. Raises Fault where it cannot be set, NotMade when it took too long or its process died."""
        answer = BytesIO(await self._children.make(request.model_dump_json().encode()))
        return Printed(json.loads(read_frame(answer) or b""), answer.read())

    async def close(self) -> None:
        """Ends the processes."""
        await self._children.close()

"""Letters come from a warm child process that is killed, and started anew, when one takes too long: no template can
stop the service, and none sees its secrets, because the child inherits no environment.
"""

import asyncio
import contextlib
import json
import os
import sys
from asyncio.subprocess import PIPE, Process
from pathlib import Path

from services.notifications import metrics
from services.notifications.frames import HEAD, frame
from services.notifications.rendering import TEMPLATES, Letter, RenderRequest

START_WITHIN = 60.0
"""Seconds from the start of the child until it is ready."""
LARGEST = 64 * 1024 * 1024
"""Bytes of an answer; a child that announces more is not believed."""


class RenderingFailed(Exception):
    """No letter came of it; the reason is in the message."""


class Renderer:
    """Renders one letter at a time in a child process of its own, which it starts when it is first needed."""

    def __init__(self, *, seconds: float, folder: Path = TEMPLATES) -> None:
        self._seconds = seconds
        self._folder = folder
        self._child: Process | None = None
        self._turn = asyncio.Lock()

    async def render(self, request: RenderRequest) -> Letter:
        """The letter. Raises RenderingFailed when the template is wrong, takes too long or kills its process."""
        async with self._turn:
            child = await self._ready()
            answer = await self._exchange(child, request.model_dump_json().encode(), self._seconds)
        if "fault" in answer:
            raise RenderingFailed(f"{request.kind}: {answer['fault']}")
        return Letter(**answer)

    async def close(self) -> None:
        """Ends the child."""
        async with self._turn:
            await self._kill()

    async def _ready(self) -> Process:
        if self._child is not None and self._child.returncode is not None:
            await self._kill()
        if self._child is None:
            metrics.renderers_started.inc()
            self._child = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "services.notifications.render_worker"),
                *(str(self._folder), str(self._seconds + 1)),
                stdin=PIPE,
                stdout=PIPE,
                env={"PYTHONPATH": os.pathsep.join(path or "." for path in sys.path), "PYTHONUTF8": "1"},
                start_new_session=True,
            )
            await self._answer(self._child, START_WITHIN)
        return self._child

    async def _exchange(self, child: Process, request: bytes, seconds: float) -> dict[str, str]:
        assert child.stdin is not None  # noqa: S101 - it was started with a pipe
        child.stdin.write(frame(request))
        answer: dict[str, str] = json.loads(await self._answer(child, seconds))
        return answer

    async def _answer(self, child: Process, seconds: float) -> bytes:
        """What the child says next; if it does not, it is killed, so that no late answer is taken for another's."""
        assert child.stdout is not None  # noqa: S101 - it was started with a pipe
        answer = None
        try:
            async with asyncio.timeout(seconds):
                (length,) = HEAD.unpack(await child.stdout.readexactly(HEAD.size))
                if length <= LARGEST:
                    answer = await child.stdout.readexactly(length)
        except TimeoutError:
            raise RenderingFailed(f"not rendered within {seconds:g} s") from None
        except asyncio.IncompleteReadError:
            raise RenderingFailed("the rendering process died") from None
        finally:
            if answer is None:
                await self._kill()
        if answer is None:
            raise RenderingFailed(f"an answer of {length} bytes is too large")
        return answer

    async def _kill(self) -> None:
        child, self._child = self._child, None
        if child is None:
            return
        with contextlib.suppress(ProcessLookupError):
            child.kill()
        if child.stdin is not None:
            child.stdin.close()
        await child.wait()

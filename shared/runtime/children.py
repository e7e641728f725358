"""What may hang or eat memory is made in warm child processes; one that takes too long is killed and started anew.

None of them can stop the service or sees its secrets, because a child inherits no environment.
"""

import asyncio
import contextlib
import os
import resource
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Callable
from pathlib import Path

from shared.runtime.child import MADE, Fault
from shared.runtime.frames import HEAD, frame

START_WITHIN = 60.0
"""Seconds from the start of a child until it is ready."""
LARGEST = 64 * 1024 * 1024
"""Bytes of an answer; a child that announces more is not believed."""


class NotMade(Exception):
    """Nothing came of it this time: it took too long, or its process died."""


class Children:
    """Makes things in at most `count` processes, each one at a time, started when they are first needed.

    A child is `python -m <module> <arguments> <seconds>` and serves as `shared.runtime.child` does. `started` is called
    for each one that is started. A child that has taken more than `keeps` bytes of addresses is replaced after its
    answer, before it reaches its limit.
    """

    def __init__(
        self,
        module: str,
        *arguments: str,
        seconds: float,
        count: int = 1,
        keeps: int | None = None,
        started: Callable[[], None],
    ) -> None:
        self._command = (sys.executable, "-m", module, *arguments, str(seconds + 1))
        self._seconds, self._count, self._keeps, self._started = seconds, count, keeps, started
        self._turns = asyncio.Semaphore(count)
        self._idle = [_Child() for _ in range(count)]

    async def make(self, request: bytes) -> bytes:
        """What a child made. Raises Fault with what it found wrong, and NotMade when it took too long or died."""
        async with self._turns:
            child = self._idle.pop()
            try:
                await self._ready(child)
                answer = await child.exchange(request, self._seconds)
                if self._keeps is not None and child.taken() > self._keeps:
                    await child.kill()
            finally:
                self._idle.append(child)
        if not answer.startswith(MADE):
            raise Fault(answer[1:].decode())
        return answer[1:]

    async def close(self) -> None:
        """Ends the children, each when it has made what it is making."""
        for _ in range(self._count):
            await self._turns.acquire()
        for child in self._idle:
            await child.kill()

    async def _ready(self, child: "_Child") -> None:
        if child.dead:
            await child.kill()
        if not child.running:
            self._started()
            await child.start(self._command)


class _Child:
    """One process, or none yet."""

    def __init__(self) -> None:
        self._process: Process | None = None

    @property
    def running(self) -> bool:
        return self._process is not None

    @property
    def dead(self) -> bool:
        return self._process is not None and self._process.returncode is not None

    def taken(self) -> int:
        """Bytes of its address space; 0 where the system does not say."""
        if self._process is None:
            return 0
        try:
            pages = Path(f"/proc/{self._process.pid}/statm").read_text().split()[0]
        except OSError:
            return 0
        return int(pages) * resource.getpagesize()

    async def start(self, command: tuple[str, ...]) -> None:
        self._process = await asyncio.create_subprocess_exec(
            *command,
            stdin=PIPE,
            stdout=PIPE,
            env={"PYTHONPATH": os.pathsep.join(path or "." for path in sys.path), "PYTHONUTF8": "1"},
            start_new_session=True,
        )
        await self._answer(self._process, START_WITHIN)

    async def exchange(self, request: bytes, seconds: float) -> bytes:
        process = self._process
        assert process is not None  # noqa: S101 - it was started
        assert process.stdin is not None  # noqa: S101 - it was started with a pipe
        process.stdin.write(frame(request))
        return await self._answer(process, seconds)

    async def _answer(self, process: Process, seconds: float) -> bytes:
        """What it says next; if it does not, it is killed, so that no late answer is taken for another's."""
        assert process.stdout is not None  # noqa: S101 - it was started with a pipe
        answer = None
        try:
            async with asyncio.timeout(seconds):
                (length,) = HEAD.unpack(await process.stdout.readexactly(HEAD.size))
                if length <= LARGEST:
                    answer = await process.stdout.readexactly(length)
        except TimeoutError:
            raise NotMade(f"not made within {seconds:g} s") from None
        except asyncio.IncompleteReadError:
            raise NotMade("the process that makes it died") from None
        finally:
            if answer is None:
                await self.kill()
        if answer is None:
            raise NotMade(f"an answer of {length} bytes is too large")
        return answer

    async def kill(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        if process.stdin is not None:
            process.stdin.close()
        await process.wait()

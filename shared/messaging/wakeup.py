"""Wake-ups within one process; what a ring does not reach is found by polling."""

import asyncio
import contextlib
from typing import Any


class Bell:
    """Rung after a commit; whoever waits looks at once. Each waiter has a bell of its own."""

    def __init__(self) -> None:
        self._rung = asyncio.Event()
        self._others: list[Bell] = []

    def another(self) -> "Bell":
        """A bell that rings whenever this one does, for one more waiter."""
        bell = Bell()
        self.add(bell)
        return bell

    def add(self, bell: "Bell") -> None:
        """Lets that bell ring whenever this one does."""
        self._others.append(bell)

    def ring(self) -> None:
        """Wakes who waits, or lets the next wait return at once."""
        self._rung.set()
        for bell in self._others:
            bell.ring()

    async def wait(self, seconds: float) -> None:
        """Returns at the next ring, or after so many seconds; a ring since the last wait counts."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._rung.wait()
        self._rung.clear()


async def pause(seconds: float, stopping: asyncio.Event, bell: Bell | None = None) -> None:
    """Waits so many seconds, or until it is time to stop, or until the bell rings."""
    waits: list[asyncio.Task[Any]] = [asyncio.create_task(stopping.wait())]
    if bell is not None:
        waits.append(asyncio.create_task(bell.wait(seconds)))
    try:
        await asyncio.wait(waits, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()

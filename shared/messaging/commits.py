"""Group commit: whoever wants something written at the same moment shares one transaction."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

from shared.messaging.failures import Failure, attempt

T = TypeVar("T")
R = TypeVar("R")

MOST = 200


class GroupCommit(Generic[T, R]):
    """One task writes whatever is queued, and never waits for more; each submitter gets its own result.

    `write` gives a result for each item, in order. Where it fails, each item is written alone, so that one cannot
    spoil the others; what fails alone is raised to its submitter.
    """

    def __init__(self, write: Callable[[Sequence[T]], Awaitable[Sequence[R]]]) -> None:
        self._write = write
        self._queue: list[tuple[T, asyncio.Future[R]]] = []
        self._task: asyncio.Task[None] | None = None

    async def submit(self, item: T) -> R:
        """Returns when the item is written."""
        future: asyncio.Future[R] = asyncio.get_running_loop().create_future()
        self._queue.append((item, future))
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run())
        return await future

    async def _run(self) -> None:
        while self._queue:
            batch, self._queue = self._queue[:MOST], self._queue[MOST:]
            outcome = await attempt(lambda items=[item for item, _ in batch]: self._write(items))  # type: ignore[misc]
            if not isinstance(outcome, Failure):
                for (_, future), result in zip(batch, outcome, strict=True):
                    _settle(future, result)
            elif len(batch) == 1:
                _settle(batch[0][1], outcome)
            else:
                for item, future in batch:
                    alone = await attempt(lambda item=item: self._write([item]))  # type: ignore[misc]
                    _settle(future, alone if isinstance(alone, Failure) else alone[0])


def _settle(future: "asyncio.Future[R]", result: R | Failure) -> None:
    if future.done():
        return
    if isinstance(result, Failure):
        future.set_exception(result.error)
    else:
        future.set_result(result)

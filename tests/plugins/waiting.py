"""A test waits for what must become true, never for a length of time."""
# ruff: noqa: ASYNC109 - with asyncio.timeout the failure could not show the last answer

import asyncio
import inspect
import time
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar, overload

T = TypeVar("T")


@overload
async def eventually(
    predicate: Callable[[], Coroutine[Any, Any, T | None]],
    timeout: float = ...,
    every: float = ...,
    waiting_for: str = ...,
) -> T: ...
@overload
async def eventually(
    predicate: Callable[[], T], timeout: float = ..., every: float = ..., waiting_for: str = ...
) -> T: ...
async def eventually(
    predicate: Callable[[], Any],
    timeout: float = 30.0,
    every: float = 0.02,
    waiting_for: str = "",
) -> Any:
    """Call `predicate` (plain or async) until it returns something true, and return that.

    An AssertionError from it counts as "not yet". After `timeout` seconds the test fails and shows the last answer.
    """
    deadline = time.monotonic() + timeout
    while True:
        last: object
        try:
            answer = predicate()
            value = await answer if inspect.isawaitable(answer) else answer
            if value:
                return value
            last = value
        except AssertionError as not_yet:
            last = not_yet
        if time.monotonic() > deadline:
            what = waiting_for or getattr(predicate, "__qualname__", repr(predicate))
            raise AssertionError(f"not true within {timeout:g} s: {what}; the last answer was: {last!r}")
        await asyncio.sleep(every)

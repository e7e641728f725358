"""What can go wrong with a message; the only place that may catch broadly."""

import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar

T = TypeVar("T")

STEPS = (1, 5, 30, 120, 600, 900)
"""Seconds before the next try, the last one again and again."""
GIVE_UP_AFTER = timedelta(hours=24)


class Retry(Exception):
    """Not now; try again later: after so many seconds where `after` says so, because nothing was tried, else by the
    steps.
    """

    def __init__(self, reason: str, *, after: float | None = None) -> None:
        super().__init__(reason)
        self.after = after


class Reject(Exception):
    """This message can never be handled."""


class LaneLost(Exception):
    """The lane was claimed by another worker meanwhile; nothing of this attempt may be written."""


@dataclass(frozen=True)
class Failure:
    """An exception that a handler ended with."""

    error: Exception

    def __str__(self) -> str:
        return f"{type(self.error).__name__}: {self.error}"[:1000]


def delay(attempts: int) -> float:
    """Seconds until the next try after so many attempts, with a spread of 20 % either way."""
    step = STEPS[min(attempts, len(STEPS)) - 1]
    return step * random.uniform(0.8, 1.2)  # noqa: S311 - a spread, not a secret


async def attempt(work: Callable[[], Awaitable[T]]) -> T | Failure:
    """The outcome of the work, whatever it is; only cancellation and the end of the process pass through."""
    try:
        return await work()
    except Exception as error:
        return Failure(error)

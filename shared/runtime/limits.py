"""How much one token may ask, and how many wrong tokens one address may try: counted in this process alone."""

import math
import time
from collections import OrderedDict
from dataclasses import dataclass, field

from prometheus_client import Counter

from shared.runtime.problems import Problem

MOST = 10_000
"""Buckets that are kept of one kind. The one that was not used for longest is forgotten, and so is full again."""

limited = Counter("http_limited", "Requests that were refused because there were too many.", ["why"])


class Buckets:
    """A bucket for each key, of `burst` drops; one comes back every 1/`per_second` seconds. None where that is 0."""

    def __init__(self, per_second: float, burst: int, *, most: int = MOST) -> None:
        self._per_second, self.burst, self._most = per_second, burst, most
        self._kept: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def wait(self, key: str) -> float:
        """Seconds until there is a drop; 0 where there is one."""
        if not self._per_second:
            return 0.0
        left, _ = self._now(key)
        return 0.0 if left >= 1 else (1 - left) / self._per_second

    def take(self, key: str) -> float:
        """Take a drop and give 0; where there is none, the seconds until there is one."""
        if not self._per_second:
            return 0.0
        left, now = self._now(key)
        if left < 1:
            return (1 - left) / self._per_second
        self._kept[key] = left - 1, now
        self._kept.move_to_end(key)
        if len(self._kept) > self._most:
            self._kept.popitem(last=False)
        return 0.0

    def policy(self) -> str:
        """What the header RateLimit-Policy says of it: so many in so many seconds."""
        return f"q={self.burst};w={math.ceil(self.burst / self._per_second)}"

    def _now(self, key: str) -> tuple[float, float]:
        now = time.monotonic()
        left, at = self._kept.get(key, (float(self.burst), now))
        return min(float(self.burst), left + (now - at) * self._per_second), now


def unlimited() -> Buckets:
    """Buckets that are never empty."""
    return Buckets(0, 1)


@dataclass(frozen=True)
class Limits:
    """What a service allows."""

    requests: Buckets = field(default_factory=unlimited)
    """By the token's id."""
    wrong_tokens: Buckets = field(default_factory=unlimited)
    """By the address of who tries them."""

    def count_request(self, token_id: str) -> None:
        """One more request with this token. Raises a 429 Problem where it is one too many."""
        wait = self.requests.take(token_id)
        if wait:
            limited.labels("requests").inc()
            raise too_many("too-many-requests", "The token asks too much at a time.", wait, self.requests)

    def refuse_guessing(self, address: str) -> None:
        """Raise a 429 Problem where too many tokens from there were wrong."""
        wait = self.wrong_tokens.wait(address)
        if wait:
            limited.labels("wrong tokens").inc()
            title = "Too many tokens from this address were wrong."
            raise too_many("too-many-wrong-tokens", title, wait, self.wrong_tokens)

    def count_wrong_token(self, address: str) -> None:
        """One more wrong token from there."""
        self.wrong_tokens.take(address)


def too_many(slug: str, title: str, wait: float, buckets: Buckets) -> Problem:
    """Refuse, saying when to come again, as RFC 9110 and draft-ietf-httpapi-ratelimit-headers-10 have it."""
    seconds = str(math.ceil(wait))
    headers = {
        "Retry-After": seconds,
        "RateLimit": f'"{slug}";r=0;t={seconds}',
        "RateLimit-Policy": f'"{slug}";{buckets.policy()}',
    }
    return Problem(429, slug, title, headers=headers)

"""Passwords are kept as argon2id hashes, and a wrong name takes as long to refuse as a wrong password."""

import asyncio

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

SHORTEST, LONGEST = 10, 200
AT_ONCE = 2
"""Hashes that are computed at a time, each with 64 MiB: guessing must not take the machine's memory."""


class TooShort(ValueError):
    """A password of fewer than ten characters."""


class Passwords:
    """Hashes and checks, beside the event loop."""

    def __init__(self) -> None:
        self._hasher = PasswordHasher()
        self._nobodys = self._hasher.hash("the password of nobody at all")
        self._hands = asyncio.Semaphore(AT_ONCE)

    async def hashed(self, password: str) -> str:
        """What is kept of a password. Raises TooShort."""
        if not SHORTEST <= len(password) <= LONGEST:
            raise TooShort(f"expected {SHORTEST} to {LONGEST} characters")
        async with self._hands:
            return await asyncio.to_thread(self._hasher.hash, password)

    async def fits(self, password: str, kept: str | None) -> bool:
        """Whether this is the password; for nobody's (`None`) it takes as long."""
        async with self._hands:
            right = await asyncio.to_thread(self._fits, password[:LONGEST], kept or self._nobodys)
        return right and kept is not None

    def outdated(self, kept: str) -> bool:
        """Whether the hash was made with weaker parameters than those of today."""
        return self._hasher.check_needs_rehash(kept)

    def _fits(self, password: str, kept: str) -> bool:
        try:
            return self._hasher.verify(kept, password)
        except (VerificationError, InvalidHashError):
            return False

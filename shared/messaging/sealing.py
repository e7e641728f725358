"""What is kept of a call to the outside is sealed at rest: a dump or a backup of the database does not show it."""

from collections.abc import Sequence
from typing import Self

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from pydantic import SecretStr


class CannotOpen(Exception):
    """It was sealed with a key that is not among those given."""


class Seal:
    """Seals with the first key and opens with any (Fernet: AES-128-CBC with HMAC-SHA256)."""

    def __init__(self, keys: Sequence[str]) -> None:
        """Each key is 32 bytes in url-safe base64. Raises ValueError for anything else."""
        self._keys = MultiFernet([Fernet(key) for key in keys])

    @classmethod
    def from_setting(cls, keys: SecretStr | None) -> Self | None:
        """From keys with commas between them, the newest first; None where there are none."""
        given = [key.strip() for key in keys.get_secret_value().split(",") if key.strip()] if keys else []
        return cls(given) if given else None

    def seal(self, content: bytes) -> bytes:
        """The content, sealed."""
        return self._keys.encrypt(content)

    def open(self, sealed: bytes) -> bytes:
        """What was sealed. Raises CannotOpen."""
        try:
            return self._keys.decrypt(sealed)
        except InvalidToken:
            raise CannotOpen("no key fits") from None

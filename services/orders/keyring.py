"""Named keys: each sealed thing says which key it needs, so that a key can be replaced and its last use be known."""

import hashlib
import hmac
import re
from base64 import urlsafe_b64decode
from collections.abc import Mapping, Sequence
from typing import Self

from pydantic import SecretStr

from shared.messaging.sealing import CannotOpen, Seal

NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}")
EXPECTED = "expected name:key, or several with commas between them, each key 32 bytes in url-safe base64"


class MissingKey(CannotOpen):
    """It was sealed with a key that is not among those given."""

    def __init__(self, name: str) -> None:
        super().__init__(f"there is no key {name}")
        self.name = name


class Keyring:
    """Seals with the first key, opens with the one that is named; the first is the newest."""

    def __init__(self, keys: Mapping[str, str]) -> None:
        """Each key is 32 bytes in url-safe base64. Raises ValueError for anything else, or where there is none."""
        if not keys:
            raise ValueError(EXPECTED)
        self._seals = {name: Seal([key]) for name, key in keys.items()}
        self._hashing = [hmac.digest(urlsafe_b64decode(key), b"hashes of requests", "sha256") for key in keys.values()]
        self.newest = next(iter(keys))

    @classmethod
    def from_setting(cls, setting: SecretStr | None) -> Self | None:
        """From `2026-11:BASE64,2026-05:BASE64`, the newest first; None where it is empty. Raises ValueError."""
        parts = [part.strip() for part in setting.get_secret_value().split(",") if part.strip()] if setting else []
        keys: dict[str, str] = {}
        for part in parts:
            name, _, key = part.partition(":")
            if NAME.fullmatch(name) is None or name in keys:
                raise ValueError(EXPECTED)
            keys[name] = key
        try:
            return cls(keys) if keys else None
        except ValueError:
            raise ValueError(EXPECTED) from None

    @property
    def names(self) -> Sequence[str]:
        """What the keys are called, the newest first."""
        return list(self._seals)

    def seal(self, content: bytes) -> tuple[str, bytes]:
        """The newest key's name, and the content sealed with it."""
        return self.newest, self._seals[self.newest].seal(content)

    def open(self, name: str, sealed: bytes) -> bytes:
        """What was sealed with this key. Raises MissingKey, or CannotOpen for what was not sealed with it."""
        if name not in self._seals:
            raise MissingKey(name)
        return self._seals[name].open(sealed)

    def hashes(self, content: bytes) -> list[bytes]:
        """A hash for each key, the newest key's first: without the keys nobody finds out the content by trying."""
        return [hmac.digest(key, content, hashlib.sha256) for key in self._hashing]

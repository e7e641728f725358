"""The hash chain of an order's timeline: no entry can be changed, removed or put in between without breaking it (R206).

The first entry's link is its digest; each later one is the digest of the link before it and its own digest.
"""

import hashlib
import json
from collections.abc import Iterable
from typing import Any


def digest(entry: dict[str, Any]) -> bytes:
    """SHA-256 of an entry in canonical form: JSON in ASCII, names sorted, no blanks."""
    return hashlib.sha256(json.dumps(entry, sort_keys=True, separators=(",", ":")).encode()).digest()


def link(previous: bytes | None, digest_of_entry: bytes) -> bytes:
    """The link of an entry that follows `previous`, or begins its chain."""
    return hashlib.sha256(previous + digest_of_entry).digest() if previous else digest_of_entry


def first_broken(entries: Iterable[tuple[int, dict[str, Any], bytes]]) -> int | None:
    """The number of the first entry that is not what was recorded, of (number, entry, link) in order; None if all are.

    Numbers count 1, 2, 3: one that is missing breaks the chain at its place.
    """
    previous: bytes | None = None
    for expected, (number, entry, recorded) in enumerate(entries, start=1):
        if number != expected or link(previous, digest(entry)) != recorded:
            return expected
        previous = recorded
    return None

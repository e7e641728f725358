"""Webhooks are believed only if they are signed as Standard Webhooks has it, over the bytes as they came."""

import base64
import binascii
import hashlib
import hmac
import time
from collections.abc import Mapping

PREFIX = "whsec_"
TOLERANCE = 300.0
"""Seconds that the sender's clock may differ from ours, and that a signed webhook may be under way."""


class NotGenuine(Exception):
    """It does not come from whom it says; the message says why, and so does `reason`, a stable word."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


def verify(secret: str, headers: Mapping[str, str], body: bytes, *, at: float | None = None) -> str:
    """The webhook's id. Raises NotGenuine. `secret` is `whsec_<base64>`; names of headers are lower-case."""
    webhook_id, stamp = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    if not webhook_id or not stamp.isascii() or not stamp.isdigit():
        raise NotGenuine("no-headers", "webhook-id or webhook-timestamp is missing")
    if abs((time.time() if at is None else at) - int(stamp)) > TOLERANCE:
        raise NotGenuine("wrong-time", "webhook-timestamp is too old, or ahead")
    try:
        key = base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    except binascii.Error:
        raise NotGenuine("no-usable-secret", "the connection's webhook secret cannot be used") from None
    digest = hmac.digest(key, f"{webhook_id}.{stamp}.".encode() + body, hashlib.sha256)
    expected = b"v1," + base64.b64encode(digest)
    given = headers.get("webhook-signature", "").encode()
    if not key or not any(hmac.compare_digest(expected, each) for each in given.split()):
        raise NotGenuine("wrong-signature", "no signature fits")
    return webhook_id[:200]

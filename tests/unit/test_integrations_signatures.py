"""A webhook is believed only if it was signed, not long ago, over these bytes."""

import base64
import hashlib
import hmac

import pytest

from services.integrations.reasons import reason_of
from services.integrations.signatures import TOLERANCE, NotGenuine, verify

SECRET = "whsec_dGhlIHNlY3JldA=="
AT = 1_795_600_000
BODY = b'{"type": "x"}'


def signed(body: bytes = BODY, at: int = AT, secret: str = SECRET) -> dict[str, str]:
    key = base64.b64decode(secret.removeprefix("whsec_"))
    digest = hmac.new(key, f"msg_1.{at}.".encode() + body, hashlib.sha256).digest()
    signature = "v1," + base64.b64encode(digest).decode()
    return {"webhook-id": "msg_1", "webhook-timestamp": str(at), "webhook-signature": signature}


def test_a_signed_webhook_is_believed_also_among_other_signatures() -> None:
    headers = signed()
    assert verify(SECRET, headers, BODY, at=AT) == "msg_1"
    headers["webhook-signature"] = f"v1,AAAA v2,xx {headers['webhook-signature']}"
    assert verify(SECRET, headers, BODY, at=AT + TOLERANCE) == "msg_1"


def test_the_example_of_the_specification_is_believed() -> None:
    # https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
    headers = {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }
    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    assert verify(secret, headers, b'{"test": 2432232314}', at=1614265330)


@pytest.mark.parametrize(
    ("headers", "body", "at"),
    [
        (signed(), BODY + b" ", AT),
        (signed(secret="whsec_b3RoZXI="), BODY, AT),
        (signed(), BODY, AT + TOLERANCE + 1),
        (signed(), BODY, AT - TOLERANCE - 1),
        (signed() | {"webhook-id": "msg_2"}, BODY, AT),
        (signed() | {"webhook-id": ""}, BODY, AT),
        (signed() | {"webhook-timestamp": "²"}, BODY, AT),
        (signed() | {"webhook-timestamp": "-1"}, BODY, AT),
        (signed() | {"webhook-signature": ""}, BODY, AT),
        (signed() | {"webhook-signature": "v1,é"}, BODY, AT),
        ({}, BODY, AT),
    ],
)
def test_anything_else_is_not(headers: dict[str, str], body: bytes, at: float) -> None:
    with pytest.raises(NotGenuine):
        verify(SECRET, headers, body, at=at)


@pytest.mark.parametrize("secret", ["", "whsec_", "whsec_?"])
def test_a_connection_without_a_secret_believes_nothing(secret: str) -> None:
    empty = signed(secret="whsec_")
    with pytest.raises(NotGenuine):
        verify(secret, empty, BODY, at=AT)


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("UnknownArticle", "unknown-article"),
        ("card_expired", "card-expired"),
        ("COUNTRY_NOT_SERVED", "country-not-served"),
        ("", "refused"),
        ("4711", "refused"),
        ("é", "refused"),
        ("x" * 100, "x" * 64),
    ],
)
def test_a_providers_word_becomes_a_reason(code: str, reason: str) -> None:
    assert reason_of(code) == reason

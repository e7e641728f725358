"""An actor token is believed when one of the known keys has signed it for this service, for five minutes, no other."""

import hmac
import json
import time
from base64 import urlsafe_b64encode
from collections.abc import Callable
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from joserfc import jwt
from joserfc.jwk import ECKey, OKPKey

from shared.runtime.actors import LIFETIME, Actors, PersonRole, Signer, new_key, public_key_of, read_key

KEY = new_key()
PUBLIC = public_key_of(KEY)
PRIVATE = OKPKey.import_key(Ed25519PrivateKey.from_private_bytes(read_key(KEY)))
KID = PRIVATE.thumbprint()
HEADER = {"alg": "Ed25519", "typ": "actor+jwt", "kid": KID}

Claims = dict[str, Any]


def believed(token: str) -> bool:
    return Actors("orders", [PUBLIC]).caller(token) is not None


def claims(**changes: Any) -> Claims:
    moment = int(time.time())
    said = {
        "iss": "backoffice",
        "aud": "orders",
        "sub": "person/7",
        "shop": "nordic-tea",
        "roles": ["handler"],
        "iat": moment,
        "exp": moment + LIFETIME,
    }
    return said | changes


def signed(said: Claims, key: Any = PRIVATE, **header: Any) -> str:
    made = HEADER | header
    return jwt.encode(made, said, key, algorithms=[made["alg"]])


def raw(header: Any, said: Any, signature: bytes | None = None) -> str:
    """A token of any bytes, signed by our key where no signature is given."""
    parts = [urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=") for part in (header, said)]
    sealed = b".".join(parts)
    if signature is None:
        signature = Ed25519PrivateKey.from_private_bytes(read_key(KEY)).sign(sealed)
    return (sealed + b"." + urlsafe_b64encode(signature).rstrip(b"=")).decode()


def test_what_was_signed_is_believed_with_the_scopes_of_the_role() -> None:
    found = Actors("orders", [PUBLIC]).caller(Signer(KEY).sign("orders", "7", "nordic-tea", ["handler"]))
    assert found is not None
    assert (found.shop, found.actor, found.token_id) == ("nordic-tea", "person/7", "")
    assert found.may("orders:read")
    assert found.may("orders:write")
    assert not found.may("shop:write")


@pytest.mark.parametrize(
    ("role", "may", "may_not"),
    [
        (
            "viewer",
            {"orders:read", "documents:read", "payments:read"},
            {"orders:write", "payments:write", "connections:read", "shop:write", "operator"},
        ),
        (
            "handler",
            {"orders:read", "orders:write", "payments:read", "payments:write"},
            {"shop:write", "tokens:write", "users:write", "connections:read", "connections:write", "operator"},
        ),
        (
            "administrator",
            {"orders:write", "shop:write", "tokens:write", "users:write", "connections:read", "connections:write"},
            {"operator"},
        ),
        ("operator", {"operator", "orders:write", "shop:write"}, set()),
        ("a-role-of-a-later-version", set(), {"orders:read", "operator"}),
    ],
)
@pytest.mark.requirement("R083")
def test_a_role_may_what_it_may(role: str, may: set[str], may_not: set[str]) -> None:
    found = Actors("orders", [PUBLIC]).caller(signed(claims(roles=[role])))
    assert found is not None
    assert all(found.may(scope) for scope in may)
    assert not any(found.may(scope) for scope in may_not)


def test_only_an_operator_is_of_all_shops() -> None:
    assert believed(signed(claims(shop="*", roles=["operator"])))
    assert not believed(signed(claims(shop="*", roles=["administrator"])))


def test_keys_are_changed_without_a_pause() -> None:
    newer = new_key()
    both = Actors("orders", [public_key_of(newer), PUBLIC])
    for key in (KEY, newer):
        assert both.caller(Signer(key).sign("orders", "7", "nordic-tea", ["viewer"])) is not None
    assert Actors("orders", [public_key_of(newer)]).caller(signed(claims())) is None


def test_where_no_key_is_known_nobody_is_believed() -> None:
    assert Actors("orders", []).caller(signed(claims())) is None


WRONG: dict[str, Callable[[], Claims]] = {
    "another audience": lambda: claims(aud="documents"),
    "several audiences": lambda: claims(aud=["orders", "documents"]),
    "no audience": lambda: claims(aud=None),
    "another issuer": lambda: claims(iss="somebody"),
    "expired": lambda: claims(iat=int(time.time()) - 301, exp=int(time.time()) - 1),
    "not yet": lambda: claims(iat=int(time.time()) + 60, exp=int(time.time()) + 120),
    "too long": lambda: claims(exp=int(time.time()) + LIFETIME + 60),
    "backwards": lambda: claims(iat=int(time.time()), exp=int(time.time()) - 5),
    "for ever": lambda: {name: value for name, value in claims().items() if name != "exp"},
    "never begun": lambda: {name: value for name, value in claims().items() if name != "iat"},
    "times that are no numbers": lambda: claims(iat="now", exp="later"),
    "times that are true": lambda: claims(iat=True, exp=True),
    "no person": lambda: claims(sub="token/7"),
    "a person with a blank": lambda: claims(sub="person/7 8"),
    "a person that is a list": lambda: claims(sub=["person/7"]),
    "no shop": lambda: claims(shop=None),
    "a shop that is none": lambda: claims(shop="Nordic Tea"),
    "roles that are no list": lambda: claims(roles="operator"),
}


@pytest.mark.parametrize("wrong", WRONG, ids=str)
def test_what_is_not_wholly_as_it_should_be_is_nobodys(wrong: str) -> None:
    assert not believed(signed(WRONG[wrong]()))


def test_the_audience_of_one_service_is_not_that_of_another() -> None:
    token = Signer(KEY).sign("orders", "7", "nordic-tea", ["handler"])
    assert Actors("documents", [PUBLIC]).caller(token) is None


def test_another_key_has_signed_in_vain_whatever_it_calls_itself() -> None:
    other = OKPKey.import_key(Ed25519PrivateKey.generate())
    assert not believed(signed(claims(), other))
    assert not believed(signed(claims(), other, kid=other.thumbprint()))
    assert not believed(signed(claims(), other, jwk=other.as_dict(private=False)))


def test_another_algorithm_is_refused_also_with_our_own_public_key_as_its_secret() -> None:
    public = Ed25519PublicKey.from_public_bytes(read_key(PUBLIC))
    pem = public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    for secret in (pem, read_key(PUBLIC), PUBLIC.encode()):
        sealed, _, _ = raw(HEADER | {"alg": "HS256"}, claims(), b"").rpartition(".")
        signature = hmac.digest(secret, sealed.encode(), "sha256")
        assert not believed(f"{sealed}.{urlsafe_b64encode(signature).rstrip(b'=').decode()}")
    token = jwt.encode(HEADER | {"alg": "ES256"}, claims(), ECKey.generate_key("P-256"), algorithms=["ES256"])
    assert not believed(token)


@pytest.mark.parametrize("algorithm", ["none", "None", "NONE", "", None, "EdDSA"])
def test_no_algorithm_is_no_signature(algorithm: str | None) -> None:
    assert not believed(raw(HEADER | {"alg": algorithm}, claims(), b""))
    assert not believed(raw(HEADER | {"alg": algorithm}, claims()))


@pytest.mark.parametrize(
    "header",
    [
        {"typ": "JWT"},
        {"kid": "nobody"},
        {"kid": ["x"]},
        {"kid": None},
        {"crit": ["exp"]},
        {"b64": False, "crit": ["b64"]},
    ],
)
def test_a_header_that_says_something_else_is_refused(header: Claims) -> None:
    assert not believed(raw(HEADER | header, claims()))


@pytest.mark.parametrize(
    "token",
    [
        "",
        ".",
        "..",
        "a.b.c",
        "a.b.c.d.e",
        "\x00",
        "ö.ö.ö",
        raw(HEADER, claims(), b"x" * 64),
        raw(HEADER, [1, 2]),
        raw(HEADER, "text"),
        raw([1], claims()),
        "x" * 5_000,
        urlsafe_b64encode(b"[" * 1_100).decode() + ".e30.e30",
    ],
)
def test_nonsense_is_nobodys(token: str) -> None:
    assert not believed(token)


def test_a_token_that_was_changed_is_nobodys() -> None:
    head, body, signature = signed(claims()).split(".")
    other = signed(claims(shop="other-shop")).split(".")[1]
    assert believed(f"{head}.{body}.{signature}")
    assert not believed(f"{head}.{other}.{signature}")
    assert not believed(f"{head}.{body}.{signature[:-2]}")


def test_what_was_checked_is_kept_no_longer_than_it_is_good() -> None:
    moment = time.time()
    actors, token = Actors("orders", [PUBLIC], clock=lambda: moment), signed(claims())
    assert actors.caller(token) is actors.caller(token)
    moment += LIFETIME + 1
    assert actors.caller(token) is None


def test_what_is_kept_in_memory_is_bounded() -> None:
    actors = Actors("orders", [PUBLIC], most=2)
    for person in range(5):
        assert actors.caller(signed(claims(sub=f"person/{person}")))
    assert len(actors._known) == 2  # noqa: SLF001 - its size shows nowhere else


def test_a_signer_gives_the_same_token_while_half_its_time_is_left() -> None:
    signer, moment = Signer(KEY), time.time()
    first = signer.sign("orders", "7", "nordic-tea", ["viewer"], at=moment - LIFETIME / 2 - 5)
    second = signer.sign("orders", "7", "nordic-tea", ["viewer"])
    assert first != second
    assert signer.sign("orders", "7", "nordic-tea", ["viewer"]) == second
    assert signer.sign("documents", "7", "nordic-tea", ["viewer"]) != second
    assert signer.sign("orders", "7", "nordic-tea", [PersonRole.HANDLER]) != second


@pytest.mark.parametrize("key", ["", "x", "AAAA", "ö" * 43, "A" * 44 + "=" * 3])
def test_a_key_of_another_length_is_refused(key: str) -> None:
    with pytest.raises(ValueError, match=r"32 bytes|ascii|ASCII|base64"):
        read_key(key)

"""Actor tokens: the back office says who sits in front of it, for five minutes, and signs that; nobody else can.

A token is a JWT signed with Ed25519 (RFC 8037, RFC 9864), made for one service. It is believed only with a key that
this service was told, so that another's key, another algorithm or none at all is worth nothing, whatever its header
says.
"""

import re
import time
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterable, Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import OKPKey
from joserfc.jws import JWSRegistry
from pydantic import TypeAdapter, ValidationError

from shared.contracts.values import ShopId
from shared.runtime.tokens import ANY_SHOP, OPERATOR, Caller

ALGORITHM = "Ed25519"
ISSUER = "backoffice"
TYPE = "actor+jwt"
LIFETIME = 300
"""Seconds that a token is good for; one that claims more is refused."""
SKEW = 10
"""Seconds by which clocks may differ."""
LONGEST = 2_000
KEY_BYTES = 32
PERSON = re.compile(r"\Aperson/[0-9A-Za-z-]{1,64}\Z")
SHOP = TypeAdapter(ShopId)


class PersonRole(StrEnum):
    """What a person is in a shop; an operator is one of the platform."""

    VIEWER = "viewer"
    HANDLER = "handler"
    ADMINISTRATOR = "administrator"
    OPERATOR = "operator"


_READ = frozenset({"orders:read", "documents:read", "messages:read", "payments:read"})
_HANDLE = _READ | {"orders:write", "payments:write"}
_ADMINISTER = frozenset(
    {
        "connections:read",
        "connections:write",
        "orders:reveal",
        "shop:audit",
        "shop:write",
        "tokens:write",
        "users:write",
    }
)
SCOPES: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        PersonRole.VIEWER: _READ,
        PersonRole.HANDLER: _HANDLE,
        PersonRole.ADMINISTRATOR: _HANDLE | _ADMINISTER,
        PersonRole.OPERATOR: frozenset({OPERATOR}),
    }
)
"""The one place that says what a role may do."""


def scopes_of(roles: Iterable[str]) -> frozenset[str]:
    """What these roles may do together; one that this version does not know may do nothing."""
    return frozenset().union(*(SCOPES.get(role, frozenset()) for role in roles))


def new_key() -> str:
    """A new private key, as a setting has it."""
    return written(Ed25519PrivateKey.generate().private_bytes_raw())


def public_key_of(private: str) -> str:
    """What the other services are told of a private key. Raises ValueError."""
    return written(Ed25519PrivateKey.from_private_bytes(read_key(private)).public_key().public_bytes_raw())


def read_key(key: str) -> bytes:
    """The 32 bytes of a key in url-safe base64. Raises ValueError."""
    found = urlsafe_b64decode(key + "=" * (-len(key) % 4))
    if len(found) != KEY_BYTES:
        raise ValueError("expected 32 bytes in url-safe base64")
    return found


def written(key: bytes) -> str:
    """A key as settings have it."""
    return urlsafe_b64encode(key).rstrip(b"=").decode()


class Signer:
    """Signs for whoever has signed in; a token that is still good for half its time is given again."""

    def __init__(self, private: str) -> None:
        self._key = OKPKey.import_key(Ed25519PrivateKey.from_private_bytes(read_key(private)))
        self._header = {"alg": ALGORITHM, "typ": TYPE, "kid": self._key.thumbprint()}
        self._signed: OrderedDict[tuple[str, ...], tuple[float, str]] = OrderedDict()

    def sign(self, service: str, person_id: str, shop: str, roles: Collection[str], *, at: float | None = None) -> str:
        """A token for one service, that this person may do in this shop what these roles may."""
        moment = time.time() if at is None else at
        asked = (service, person_id, shop, *sorted(roles))
        until, token = self._signed.get(asked, (0.0, ""))
        if at is not None or until - moment < LIFETIME / 2:
            token = self._make(service, person_id, shop, roles, int(moment))
            self._signed[asked] = (int(moment) + LIFETIME, token)
            while len(self._signed) > LONGEST:
                self._signed.popitem(last=False)
        return token

    def _make(self, service: str, person_id: str, shop: str, roles: Collection[str], moment: int) -> str:
        claims = {
            "iss": ISSUER,
            "aud": service,
            "sub": f"person/{person_id}",
            "shop": shop,
            "roles": sorted(roles),
            "iat": moment,
            "exp": moment + LIFETIME,
        }
        return jwt.encode(self._header, claims, self._key, algorithms=[ALGORITHM])


class Actors:
    """Believes what one of these public keys has signed for this service; what was checked is kept while it is good."""

    def __init__(
        self, service: str, keys: Iterable[str], *, most: int = 2_000, clock: Callable[[], float] = time.time
    ) -> None:
        found = (OKPKey.import_key(Ed25519PublicKey.from_public_bytes(read_key(key))) for key in keys)
        self._keys = {key.thumbprint(): key for key in found}
        self._service = service
        self._registry = JWSRegistry(algorithms=[ALGORITHM])
        self._most, self._clock = most, clock
        self._known: OrderedDict[str, tuple[float, Caller]] = OrderedDict()

    def caller(self, token: str) -> Caller | None:
        """Who this is; None for a token that is not wholly as it should be."""
        moment = self._clock()
        until, known = self._known.get(token, (0.0, None))
        if known is not None and moment < until:
            return known
        self._known.pop(token, None)
        claims = self._claims(token)
        found = self._believed(claims, moment) if claims is not None else None
        if claims is not None and found is not None:
            self._known[token] = (claims["exp"], found)
            while len(self._known) > self._most:
                self._known.popitem(last=False)
        return found

    def _claims(self, token: str) -> dict[str, Any] | None:
        """What the token claims, where one of the keys has signed it."""
        if not self._keys or len(token) > LONGEST:
            return None
        try:
            read = jwt.decode(token, self._key_of, registry=self._registry)
        except (JoseError, ValueError, KeyError, TypeError, RecursionError):
            return None
        return read.claims if read.header.get("typ") == TYPE else None

    def _key_of(self, given: Any) -> OKPKey:
        return self._keys[given.headers()["kid"]]

    def _believed(self, claims: dict[str, Any], moment: float) -> Caller | None:
        begins, ends, roles = claims.get("iat"), claims.get("exp"), claims.get("roles")
        if type(begins) is not int or type(ends) is not int or not isinstance(roles, list):
            return None
        in_time = begins - SKEW <= moment < ends and 0 < ends - begins <= LIFETIME
        for_us = claims.get("iss") == ISSUER and claims.get("aud") == self._service
        person, shop = str(claims.get("sub")), str(claims.get("shop"))
        if not (in_time and for_us and PERSON.match(person)):
            return None
        if not (is_shop(shop) or (shop == ANY_SHOP and PersonRole.OPERATOR in roles)):
            return None
        return Caller(shop, "", person, scopes_of(role for role in roles if isinstance(role, str)))


def is_shop(value: str) -> bool:
    """Whether it is the name of one shop."""
    try:
        SHOP.validate_python(value, strict=True)
    except ValidationError:
        return False
    return True

"""API tokens: only their hashes are kept, each belongs to one shop, and a revoked one stops working within seconds.

Whoever has none may have an actor token (`actors.py`) instead: every route that takes the one takes the other.
"""

import asyncio
import hashlib
import hmac
import re
import secrets
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from fastapi import Request

from shared.runtime.database import Connection, Pool, connected
from shared.runtime.limits import Limits
from shared.runtime.problems import AWAY, Problem

ANY_SHOP = "*"
OPERATOR = "operator"
"""The scope of a token for any shop; it includes every other scope."""

API_TOKEN = "ot_"  # noqa: S105 - what every one begins with
TOKEN = re.compile(r"\Aot_([0-9a-f]{16})_([A-Za-z0-9_-]{43})\Z")
SCOPE = re.compile(r"\A[a-z][a-z0-9:.-]{0,63}\Z")
LONGEST = 128

INSERT = "insert into api_token (id, shop, name, scopes, hash, made_by) values ($1, $2, $3, $4, $5, $6)"
LIST = """
select id, shop, name, scopes, created_at, made_by, revoked_at, revoked_by, last_used_at
from api_token where $1::text is null or shop = $1 order by shop, created_at, id
"""
REVOKE = """
update api_token set revoked_at = clock_timestamp(), revoked_by = $2 where id = $1 and revoked_at is null returning id
"""
FIND = """
select id, shop, scopes, hash, coalesce(last_used_at < clock_timestamp() - interval '1 minute', true) as stale
from api_token where id = $1 and revoked_at is null
"""
TOUCH = "update api_token set last_used_at = clock_timestamp() where id = $1"


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls: a token of one shop (or of any, `*`), and what it may do."""

    shop: str
    token_id: str
    """Empty for a person."""
    actor: str
    scopes: frozenset[str]

    def may(self, scope: str) -> bool:
        """Say whether the token has the scope; an operator's has all."""
        return scope in self.scopes or OPERATOR in self.scopes


@dataclass(frozen=True)
class TokenRow:
    """What is known of a token; the token itself is not."""

    id: str
    shop: str
    name: str
    scopes: tuple[str, ...]
    created_at: datetime
    made_by: str
    """Empty for one from before that was kept."""
    revoked_at: datetime | None
    revoked_by: str | None
    last_used_at: datetime | None


async def make_token(connection: Connection, shop: str, name: str, scopes: Iterable[str], actor: str = OPERATOR) -> str:
    """Store a new token and return it, `ot_<id>_<secret>`: it is shown this once and never again.

    A token for any shop (`*`) is one with the scope `operator`, and the other way round. ValueError for what is
    neither, for an empty or overlong shop or name, and for a scope that is not lower-case words with `:`, `.`, `-`.
    """
    wanted = sorted(set(scopes))
    if not wanted or not all(SCOPE.match(scope) for scope in wanted):
        raise ValueError("expected at least one scope, each like orders:write")
    if (shop == ANY_SHOP) != (OPERATOR in wanted):
        raise ValueError("a token for any shop (*) has the scope operator, and no other token has it")
    if not (0 < len(shop) <= LONGEST and 0 < len(name) <= LONGEST):
        raise ValueError(f"expected a shop and a name of 1 to {LONGEST} characters")
    token_id, secret = secrets.token_hex(8), secrets.token_urlsafe(32)
    await connection.execute(INSERT, token_id, shop, name, wanted, digest(secret), actor)
    return f"ot_{token_id}_{secret}"


async def list_tokens(connection: Connection, shop: str | None = None) -> list[TokenRow]:
    """List the tokens of a shop, or all, revoked ones too."""
    rows = await connection.fetch(LIST, shop)
    return [TokenRow(**{**row, "scopes": tuple(row["scopes"])}) for row in rows]


async def revoke_token(connection: Connection, token_id: str, actor: str = OPERATOR) -> bool:
    """Revoke a token by its id; False when there is none that still worked."""
    return await connection.fetchval(REVOKE, token_id, actor) is not None


def digest(secret: str) -> bytes:
    """Hash a secret; 256 random bits need no salt and no slow hash."""
    return hashlib.sha256(secret.encode("ascii")).digest()


@dataclass(frozen=True, slots=True)
class Known:
    """A token read from the database and how long, by the monotonic clock, that may be believed."""

    caller: Caller
    hash: bytes
    until: float


class Tokens:
    """Checks tokens; keeps what it read for `keep` seconds, so that a revoked token works no longer than that."""

    def __init__(
        self,
        pool: Pool,
        *,
        keep: float = 3.0,
        most: int = 10_000,
        wait: float = 5.0,
        limits: Limits | None = None,
    ) -> None:
        self.limits = limits or Limits()
        self._pool = pool
        self._keep = keep
        self._most = most
        self._wait = wait
        self._known: OrderedDict[str, Known] = OrderedDict()
        self._asked: dict[str, asyncio.Task[Known | None]] = {}

    async def caller(self, token: str) -> Caller | None:
        """Say whose token this is; None for one that is malformed, unknown, revoked or has another secret."""
        parts = TOKEN.match(token)
        if parts is None:
            return None
        known = self._known.get(parts[1])
        if known is None or known.until < time.monotonic():
            known = await self._ask_once(parts[1], digest(parts[2]))
        if known is None or not hmac.compare_digest(known.hash, digest(parts[2])):
            return None
        return known.caller

    def has_worked(self, token: str) -> bool:
        """Say whether this token has worked here before, however long ago that was."""
        parts = TOKEN.match(token)
        known = self._known.get(parts[1]) if parts else None
        return parts is not None and known is not None and hmac.compare_digest(known.hash, digest(parts[2]))

    async def _ask_once(self, token_id: str, given: bytes) -> Known | None:
        task = self._asked.get(token_id)
        if task is None:
            task = asyncio.create_task(self._ask(token_id, given))
            self._asked[token_id] = task
            task.add_done_callback(lambda _done: self._asked.pop(token_id, None))
        return await asyncio.shield(task)

    async def _ask(self, token_id: str, given: bytes) -> Known | None:
        until = time.monotonic() + self._keep
        self._known.pop(token_id, None)
        async with connected(self._pool, wait=self._wait) as connection:
            row = await connection.fetchrow(FIND, token_id)
            if row is None:
                return None
            if row["stale"] and hmac.compare_digest(row["hash"], given):
                await connection.execute(TOUCH, token_id)
        scopes = frozenset(row["scopes"])
        known = Known(Caller(row["shop"], token_id, f"token/{token_id}", scopes), row["hash"], until)
        self._known[token_id] = known
        while len(self._known) > self._most:
            self._known.popitem(last=False)
        return known


class Believes(Protocol):
    """Says whose token this is that is no API token."""

    def caller(self, token: str) -> Caller | None:
        """None where it is nobody's."""


def authenticated(scope: str) -> Callable[..., Awaitable[Caller]]:
    """Make a dependency that gives the Caller; 401 without a working token, 403 without the scope, 429 beyond limits.

    Where too many tokens from an address were wrong, no others are tried than those that have worked here: whoever
    guesses behind a proxy does not shut out the shops behind it. Needs `app.state.tokens`, a Tokens, and takes actor
    tokens where there is `app.state.actors`. It reads the header itself, since every dependency of a dependency takes
    time.
    """

    async def caller(request: Request) -> Caller:
        given = given_token(request)
        found = await found_with(request, given) if given is not None else None
        if found is None:
            raise unauthorized(given=given is not None)
        limits: Limits = request.app.state.tokens.limits
        limits.count_request(found.token_id or found.actor)
        if not found.may(scope):
            raise Problem(403, "missing-scope", "The token does not have the scope that this needs.", scope=scope)
        return found

    caller.needs_token = scope  # type: ignore[attr-defined]
    return caller


async def whose(request: Request, token: str) -> Caller | None:
    """Whose token this is, of either kind."""
    if token.startswith(API_TOKEN):
        tokens: Tokens = request.app.state.tokens
        return await tokens.caller(token)
    actors: Believes | None = getattr(request.app.state, "actors", None)
    return actors.caller(token) if actors is not None else None


def of_one_shop(caller: Caller) -> Caller:
    """The caller, if its token is a shop's; a 403 Problem for one of any shop, where nothing is about all shops."""
    if caller.shop == ANY_SHOP:
        raise Problem(403, "no-single-shop", "The token is for no single shop.")
    return caller


async def found_with(request: Request, token: str) -> Caller | None:
    """Look a token up, unless too many wrong ones have come from its address; nobody guesses one that is signed."""
    tokens: Tokens = request.app.state.tokens
    address = request.client.host if request.client else ""
    signed = not token.startswith(API_TOKEN)
    found = await whose(request, token) if signed else None
    if found is None and tokens.limits.wrong_tokens.wait(address) and not tokens.has_worked(token):
        tokens.limits.refuse_guessing(address)
    if not signed:
        found = await tokens.caller(token)
    if found is None:
        tokens.limits.count_wrong_token(address)
    return found


def given_token(request: Request) -> str | None:
    """What a request has as its bearer token."""
    kind, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip() if kind.lower() == "bearer" else None


async def still_allowed(request: Request, scope: str) -> bool:
    """Say whether the token of a request that goes on still works; while the database is away nobody has revoked it."""
    try:
        found = await whose(request, given_token(request) or "")
    except AWAY:
        return True
    return found is not None and found.may(scope)


def unauthorized(*, given: bool) -> Problem:
    """Answer a caller without a working token, as RFC 6750 section 3 asks."""
    challenge = 'Bearer realm="api"' + (', error="invalid_token"' if given else "")
    detail = "The token is not valid." if given else "Send a token: Authorization: Bearer ot_…"
    return Problem(401, "unauthorized", "A valid token is needed.", detail, headers={"WWW-Authenticate": challenge})

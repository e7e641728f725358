"""Sessions: the cookie has 256 random bits, the database their hash; one that is old, unused or revoked is none."""

import hashlib
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta

from services.backoffice.people import sorted_shops
from shared.contracts.values import Language
from shared.runtime.actors import PersonRole, scopes_of
from shared.runtime.database import Pool, connected, transaction
from shared.runtime.tokens import ANY_SHOP, OPERATOR

BEGIN = """
insert into session (hash, person_id, csrf, shop, ends_at) values ($1, $2, $3, $4, clock_timestamp() + $5::interval)
"""
FIND = """
select s.csrf, s.shop, s.seen_at < clock_timestamp() - interval '1 minute' as stale,
  p.id, p.name, p.email, p.language,
  array(select m.shop || ' ' || m.role from membership m where m.person_id = p.id) as roles
from session s join person p on p.id = s.person_id
where s.hash = $1 and s.ended_at is null and p.disabled_at is null and s.ends_at > clock_timestamp()
  and s.seen_at > clock_timestamp() - $2::interval
"""
SIGNED_IN = "update person set signed_in_at = clock_timestamp() where id = $1"
SEEN = "update session set seen_at = clock_timestamp() where hash = $1"
CHOOSE = "update session set shop = $2 where hash = $1"
END = "update session set ended_at = clock_timestamp() where hash = $1 and ended_at is null"
END_OTHERS = "update session set ended_at = clock_timestamp() where person_id = $1 and hash <> $2 and ended_at is null"
FORGET = "delete from session where greatest(ended_at, ends_at) < clock_timestamp() - interval '30 days'"
LONGEST = 100


@dataclass(frozen=True)
class Visitor:
    """Somebody who has signed in, in one shop or not yet in any."""

    session: bytes
    csrf: str
    id: str
    name: str
    email: str
    language: Language | None
    roles: Mapping[str, str]
    """By shop."""
    shop: str | None

    @property
    def role(self) -> str | None:
        """What they are in the shop that they have chosen."""
        if ANY_SHOP in self.roles:
            return PersonRole.OPERATOR
        return self.roles.get(self.shop or "")

    @property
    def shops(self) -> list[str]:
        """Where they can work."""
        return list(sorted_shops(self.roles))

    def in_shop(self, shop: str) -> "Visitor":
        """The same person, as they are in that shop."""
        return replace(self, shop=shop)

    def may(self, scope: str) -> bool:
        """Whether their role has the scope, as services will see it."""
        scopes = scopes_of([self.role] if self.role else [])
        return scope in scopes or OPERATOR in scopes


class Sessions:
    """The sessions of everybody; `idle` and `longest` say when one is over by itself."""

    def __init__(self, pool: Pool, *, idle: timedelta, longest: timedelta, wait: float = 5.0) -> None:
        self._pool, self._idle, self._longest, self._wait = pool, idle, longest, wait

    async def begin(self, person_id: str, shop: str | None, before: str) -> str:
        """A new session in place of the one that the browser had; gives what the cookie says."""
        secret = secrets.token_urlsafe(32)
        async with transaction(self._pool, wait=self._wait) as connection:
            await connection.execute(END, digest(before))
            await connection.execute(BEGIN, digest(secret), person_id, secrets.token_urlsafe(24), shop, self._longest)
            await connection.execute(SIGNED_IN, person_id)
        return secret

    async def find(self, secret: str, *, used: bool = True) -> Visitor | None:
        """Whose session this is; without `used` it is looked at only, and does not last longer for it."""
        if not secret or len(secret) > LONGEST:
            return None
        session = digest(secret)
        async with connected(self._pool, wait=self._wait) as connection:
            row = await connection.fetchrow(FIND, session, self._idle)
            if row is None:
                return None
            if used and row["stale"]:
                await connection.execute(SEEN, session)
        roles = dict(said.split(" ") for said in row["roles"])
        shop = row["shop"] if row["shop"] in roles or ANY_SHOP in roles else None
        return Visitor(session, row["csrf"], row["id"], row["name"], row["email"], row["language"], roles, shop)

    async def choose(self, visitor: Visitor, shop: str) -> None:
        """From now on they work in this shop."""
        async with connected(self._pool, wait=self._wait) as connection:
            await connection.execute(CHOOSE, visitor.session, shop)

    async def end(self, visitor: Visitor) -> None:
        """Sign out."""
        async with connected(self._pool, wait=self._wait) as connection:
            await connection.execute(END, visitor.session)

    async def end_others(self, visitor: Visitor) -> None:
        """Sign out everywhere else."""
        async with connected(self._pool, wait=self._wait) as connection:
            await connection.execute(END_OTHERS, visitor.id, visitor.session)


def digest(secret: str) -> bytes:
    """Hash a secret; 256 random bits need no salt and no slow hash."""
    return hashlib.sha256(secret.encode()).digest()

"""Links with which people choose their password: 256 random bits, good once and for a week; the newest one alone."""

import hashlib
import secrets
from dataclasses import dataclass

from services.backoffice.passwords import Passwords
from services.backoffice.people import END_SESSIONS, NEW_PASSWORD
from shared.runtime.database import Connection

DAYS = 7
LONGEST = 100
MAKE = """
insert into password_link (hash, person_id, ends_at)
values ($1, $2, clock_timestamp() + make_interval(days => $3::integer))
"""
END_OLDER = "update password_link set used_at = clock_timestamp() where person_id = $1 and used_at is null"
FIND = """
select p.id, p.name, p.email from password_link l join person p on p.id = l.person_id
where l.hash = $1 and l.used_at is null and l.ends_at > clock_timestamp() and p.disabled_at is null
"""
USE = "update password_link set used_at = clock_timestamp() where hash = $1 and used_at is null returning true"
FORGET = "delete from password_link where ends_at < clock_timestamp() - interval '30 days'"


@dataclass(frozen=True)
class Invited:
    """Whoever has the link."""

    id: str
    name: str
    email: str


async def make_link(connection: Connection, person_id: str) -> str:
    """The secret of a new link; those from before are worth nothing any more."""
    secret = secrets.token_urlsafe(32)
    await connection.execute(END_OLDER, person_id)
    await connection.execute(MAKE, digest(secret), person_id, DAYS)
    return secret


async def find_link(connection: Connection, secret: str) -> Invited | None:
    """Whose link this is; None for one that was used, is too old, or never was."""
    row = await connection.fetchrow(FIND, digest(secret[:LONGEST]))
    return None if row is None else Invited(**row)


async def use_link(connection: Connection, passwords: Passwords, secret: str, password: str) -> bool:
    """Give its person this password, end their sessions; False where the link is worth nothing. Raises TooShort."""
    invited = await find_link(connection, secret)
    if invited is None:
        return False
    kept = await passwords.hashed(password)
    if not await connection.fetchval(USE, digest(secret[:LONGEST])):
        return False
    await connection.execute(NEW_PASSWORD, invited.id, kept)
    await connection.execute(END_SESSIONS, invited.id)
    return True


def digest(secret: str) -> bytes:
    """Hash a secret; 256 random bits need no salt and no slow hash."""
    return hashlib.sha256(secret.encode()).digest()

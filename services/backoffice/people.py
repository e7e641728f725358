"""The people who may sign in, and what they are in which shop."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import asyncpg
from pydantic import TypeAdapter, ValidationError

from services.backoffice.passwords import Passwords
from shared.contracts.message import new_id
from shared.contracts.values import Email, Language, Name, ShopId
from shared.runtime.actors import PersonRole
from shared.runtime.database import Connection
from shared.runtime.tokens import ANY_SHOP

ADD = "insert into person (id, email, name, password, language) values ($1, $2, $3, $4, $5)"
JOIN = """
insert into membership (person_id, shop, role) values ($1, $2, $3)
on conflict (person_id, shop) do update set role = excluded.role
"""
LEAVE = "delete from membership where person_id = $1 and shop = $2 returning true"
FIND = "select id, email, name, password, language, created_at, disabled_at from person where lower(email) = lower($1)"
LIST = """
select p.id, p.email, p.name, p.language, p.created_at, p.disabled_at, p.signed_in_at,
  array(select m.shop || ' ' || m.role from membership m where m.person_id = p.id order by m.shop) as roles
from person p
where ($1::text is null or exists (select from membership m where m.person_id = p.id and m.shop = $1))
  and ($2::text is null or p.id = $2)
order by p.name, p.id
"""
NAMES = "select id, name from person where id = any ($1::text[])"
NEW_PASSWORD = "update person set password = $2 where id = $1"  # noqa: S105 - a statement
SPEAK = "update person set language = $2 where id = $1"
DISABLE = "update person set disabled_at = clock_timestamp() where id = $1 and disabled_at is null returning true"
ENABLE = "update person set disabled_at = null where id = $1 and disabled_at is not null returning true"
END_SESSIONS = "update session set ended_at = clock_timestamp() where person_id = $1 and ended_at is null"

ADDRESS, NAME, SHOP = TypeAdapter(Email), TypeAdapter(Name), TypeAdapter(ShopId)


class NotSoPerson(ValueError):
    """What was said of a person cannot be; the message says why."""


@dataclass(frozen=True)
class Person:
    """Somebody who may sign in."""

    id: str
    email: str
    name: str
    language: Language | None
    created_at: datetime
    disabled_at: datetime | None
    signed_in_at: datetime | None
    roles: Mapping[str, str]
    """By shop; an operator's is that of `*`."""


async def add_person(
    connection: Connection,
    passwords: Passwords,
    *,
    email: str,
    name: str,
    password: str,
    roles: Mapping[str, str],
    language: Language | None = None,
) -> str:
    """Make somebody who may sign in; gives their id. Raises NotSoPerson, TooShort."""
    person_id, known = new_id(), read_roles(roles)
    try:
        email, name = ADDRESS.validate_python(email.strip()), NAME.validate_python(name)
    except ValidationError as error:
        raise NotSoPerson(error.errors(include_input=False)[0]["msg"]) from None
    kept = await passwords.hashed(password)
    try:
        await connection.execute(ADD, person_id, email, name, kept, language)
    except asyncpg.UniqueViolationError:
        raise NotSoPerson(f"there is somebody with the address {email} already") from None
    await connection.executemany(JOIN, [(person_id, shop, role) for shop, role in known.items()])
    return person_id


async def give_role(connection: Connection, person_id: str, shop: str, role: str) -> None:
    """Make somebody this in the shop. Raises NotSoPerson."""
    read_roles({shop: role})
    await connection.execute(JOIN, person_id, shop, role)


async def find_person(connection: Connection, email: str) -> asyncpg.Record | None:
    """The row of whoever signs in with this address."""
    return await connection.fetchrow(FIND, email.strip())


async def list_people(connection: Connection, shop: str | None = None, person_id: str | None = None) -> list[Person]:
    """Everybody, everybody of a shop, or the one with this id."""
    rows = await connection.fetch(LIST, shop, person_id)
    return [Person(**{**row, "roles": dict(said.split(" ") for said in row["roles"])}) for row in rows]


async def names_of(connection: Connection, actors: Iterable[str]) -> dict[str, str]:
    """What the people among these actors, `person/<id>`, are called."""
    ids = {actor.removeprefix("person/") for actor in actors if actor.startswith("person/")}
    return {f"person/{row['id']}": row["name"] for row in await connection.fetch(NAMES, sorted(ids))} if ids else {}


def read_roles(roles: Mapping[str, str]) -> Mapping[str, str]:
    """What somebody is in which shops. Raises NotSoPerson."""
    for shop, role in roles.items():
        if role not in set(PersonRole):
            raise NotSoPerson(f"there is no role {role}; there are {', '.join(PersonRole)}")
        if (shop == ANY_SHOP) != (role == PersonRole.OPERATOR):
            raise NotSoPerson("an operator is one of all shops (*), and nobody else is")
        if shop != ANY_SHOP and not _is_shop(shop):
            raise NotSoPerson(f"{shop!r} is not the short name of a shop")
    if not roles:
        raise NotSoPerson("expected a role in at least one shop")
    return roles


def _is_shop(shop: str) -> bool:
    try:
        SHOP.validate_python(shop)
    except ValidationError:
        return False
    return True


def sorted_shops(roles: Mapping[str, str]) -> Sequence[str]:
    """The shops of somebody, as they are offered."""
    return sorted(shop for shop in roles if shop != ANY_SHOP)

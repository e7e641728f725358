"""One person for each role, who may sign in to the back office; every start gives them new passwords."""

import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import asyncpg

from services.backoffice.passwords import Passwords
from services.backoffice.people import END_SESSIONS, NEW_PASSWORD, add_person, find_person, give_role
from shared.messaging.database import Connection
from shared.runtime.actors import PersonRole
from shared.runtime.tokens import ANY_SHOP

_NAMES = {
    PersonRole.VIEWER: "Veera Virtanen",
    PersonRole.HANDLER: "Hanna Hansson",
    PersonRole.ADMINISTRATOR: "Anders Andersson",
    PersonRole.OPERATOR: "Olivia Operator",
}


@dataclass(frozen=True)
class Person:
    """Who signs in with what."""

    role: str
    email: str
    password: str


async def set_up_people(database_url: str, shops: Iterable[str]) -> Sequence[Person]:
    """Makes them in the database of the back office, or gives them new passwords there."""
    connection, shops = await asyncpg.connect(database_url), list(shops)
    try:
        return [await _set_up(connection, role, [ANY_SHOP] if role == "operator" else shops) for role in PersonRole]
    finally:
        await connection.close()


async def _set_up(connection: Connection, role: PersonRole, shops: Sequence[str]) -> Person:
    person = Person(role, f"{role}@demo.example", secrets.token_urlsafe(9))
    passwords, roles = Passwords(), {shop: str(role) for shop in shops}
    async with connection.transaction():
        row = await find_person(connection, person.email)
        if row is None:
            await add_person(
                connection, passwords, email=person.email, name=_NAMES[role], password=person.password, roles=roles
            )
        else:
            await connection.execute(NEW_PASSWORD, row["id"], await passwords.hashed(person.password))
            await connection.execute(END_SESSIONS, row["id"])
            for shop in shops:
                await give_role(connection, row["id"], shop, role)
    return person

"""Who looks after which people: administrators after those of their shops alone, operators after everybody.

All changes of people wait for each other, so that of two administrators who take each other's right one is too late.
"""

import secrets
from collections.abc import Mapping

from services.backoffice.administration.frame import NotSo
from services.backoffice.administration.history import Done
from services.backoffice.links import make_link
from services.backoffice.passwords import Passwords
from services.backoffice.people import (
    DISABLE,
    ENABLE,
    END_SESSIONS,
    LEAVE,
    NotSoPerson,
    Person,
    add_person,
    find_person,
    give_role,
    list_people,
)
from services.backoffice.sessions import Visitor
from shared.contracts.values import Language
from shared.runtime.actors import PersonRole
from shared.runtime.database import Connection
from shared.runtime.problems import Problem
from shared.runtime.tokens import ANY_SHOP

ONE_AT_A_TIME = "select pg_advisory_xact_lock(hashtext('people'))"
MINE = """
select m.shop, m.role from membership m join person p on p.id = m.person_id where p.id = $1 and p.disabled_at is null
"""
ADMINISTRATORS = """
select count(*) from membership m join person p on p.id = m.person_id
where m.shop = $1 and m.role = 'administrator' and p.disabled_at is null
"""
ROLES = (PersonRole.VIEWER, PersonRole.HANDLER, PersonRole.ADMINISTRATOR)
"""What somebody can be made in a shop; operators are made by a command."""


def looked_after(roles: Mapping[str, str]) -> frozenset[str] | None:
    """The shops whose people are looked after by whoever has these roles; None for all."""
    if ANY_SHOP in roles:
        return None
    return frozenset(shop for shop, role in roles.items() if role == PersonRole.ADMINISTRATOR)


def is_ours(person: Person, shops: frozenset[str] | None) -> bool:
    """Whether somebody works nowhere but in these shops, so that their account is in our hands."""
    return shops is None or (bool(person.roles) and set(person.roles) <= shops)


async def begin(connection: Connection, visitor: Visitor) -> frozenset[str] | None:
    """Wait for our turn; gives the shops that the visitor looks after now. Raises Problem."""
    await connection.execute(ONE_AT_A_TIME)
    roles = {row["shop"]: row["role"] for row in await connection.fetch(MINE, visitor.id)}
    shops = looked_after(roles)
    if shops is not None and visitor.shop not in shops:
        raise Problem(403, "not-your-role", "Your role in this shop does not include that.")
    return shops


async def of_the_shop(connection: Connection, visitor: Visitor, person_id: str) -> Person:
    """One of the shop's people; an operator finds everybody. Raises Problem."""
    shop = None if ANY_SHOP in visitor.roles else visitor.shop or ""
    found = await list_people(connection, shop, person_id)
    if not found:
        raise Problem(404, "unknown-person", "There is nobody like that in this shop.")
    return found[0]


async def take_in(
    connection: Connection,
    visitor: Visitor,
    passwords: Passwords,
    *,
    email: str,
    name: str,
    role: str,
    language: Language | None,
) -> tuple[Person, str, Done]:
    """Make somebody, with the secret of a link; whoever is ours in another shop gets the role here, and no link.

    Raises NotSo, Problem.
    """
    shops, shop = await begin(connection, visitor), visitor.shop or ""
    require_role(role)
    row = await find_person(connection, email)
    if row is None:
        try:
            person_id = await add_person(
                connection,
                passwords,
                email=email,
                name=name,
                password=secrets.token_urlsafe(32),
                roles={shop: role},
                language=language,
            )
        except NotSoPerson:
            raise NotSo(
                "not-a-person", *([] if name.strip() else ["name"]), *(["email"] if name.strip() else [])
            ) from None
        person = await of_the_shop(connection, visitor, person_id)
        return person, await make_link(connection, person_id), Done("person-made", person_id, {"role": role})
    person = (await list_people(connection, None, row["id"]))[0]
    if shop in person.roles:
        raise NotSo("person-here", "email")
    if not is_ours(person, shops) or ANY_SHOP in person.roles:
        raise NotSo("address-taken", "email")
    await give_role(connection, person.id, shop, role)
    return person, "", Done("person-joined", person.id, {"role": role})


async def change_role(connection: Connection, visitor: Visitor, person_id: str, role: str) -> list[Done]:
    """Somebody is this in the shop from now on. Raises NotSo, Problem."""
    await begin(connection, visitor)
    require_role(role)
    shop, person = visitor.shop or "", await of_the_shop(connection, visitor, person_id)
    before = person.roles.get(shop)
    if before == role:
        return []
    if ANY_SHOP in person.roles:
        raise NotSo("is-operator")
    if person.id == visitor.id:
        raise NotSo("own-right")
    await give_role(connection, person.id, shop, role)
    await require_administrators(connection, {shop: before or ""})
    return [Done("role-changed", person.id, {"before": before, "role": role})]


async def leave(connection: Connection, visitor: Visitor, person_id: str) -> list[Done]:
    """Somebody who works elsewhere too works here no longer. Raises NotSo, Problem."""
    await begin(connection, visitor)
    shop, person = visitor.shop or "", await of_the_shop(connection, visitor, person_id)
    if shop not in person.roles or len(person.roles) == 1:
        raise NotSo("works-here-alone")
    if person.id == visitor.id:
        raise NotSo("own-right")
    await connection.execute(LEAVE, person.id, shop)
    await require_administrators(connection, {shop: person.roles[shop]})
    return [Done("person-left", person.id, {"before": person.roles[shop]})]


async def disable(connection: Connection, visitor: Visitor, person_id: str) -> list[Done]:
    """Let somebody in no more, from now on. Raises NotSo, Problem."""
    person = await in_our_hands(connection, visitor, person_id)
    if person.id == visitor.id:
        raise NotSo("own-right")
    if not await connection.fetchval(DISABLE, person.id):
        return []
    await connection.execute(END_SESSIONS, person.id)
    await require_administrators(connection, person.roles)
    return [Done("person-disabled", person.id)]


async def enable(connection: Connection, visitor: Visitor, person_id: str) -> list[Done]:
    """Let somebody in again. Raises NotSo, Problem."""
    person = await in_our_hands(connection, visitor, person_id)
    return [Done("person-enabled", person.id)] if await connection.fetchval(ENABLE, person.id) else []


async def end_sessions(connection: Connection, visitor: Visitor, person_id: str) -> list[Done]:
    """Somebody has to sign in again, wherever they have. Raises NotSo, Problem."""
    person = await in_our_hands(connection, visitor, person_id)
    await connection.execute(END_SESSIONS, person.id)
    return [Done("sessions-ended", person.id)]


async def new_link(connection: Connection, visitor: Visitor, person_id: str) -> tuple[Person, str, Done]:
    """A link with which somebody chooses a new password. Raises NotSo, Problem."""
    person = await in_our_hands(connection, visitor, person_id)
    if person.disabled_at is not None:
        raise NotSo("is-disabled")
    return person, await make_link(connection, person.id), Done("link-made", person.id)


async def in_our_hands(connection: Connection, visitor: Visitor, person_id: str) -> Person:
    """One of the shop's people whose whole account is ours to look after. Raises NotSo, Problem."""
    shops = await begin(connection, visitor)
    person = await of_the_shop(connection, visitor, person_id)
    if not is_ours(person, shops):
        raise NotSo("works-elsewhere")
    return person


async def require_administrators(connection: Connection, before: Mapping[str, str]) -> None:
    """No shop loses its last administrator: `before` is what somebody was, by shop. Raises NotSo."""
    for shop, role in before.items():
        if role == PersonRole.ADMINISTRATOR and not await connection.fetchval(ADMINISTRATORS, shop):
            raise NotSo("last-administrator")


def require_role(role: str) -> None:
    """Raises NotSo for what nobody can be made in a shop."""
    if role not in ROLES:
        raise NotSo("no-such-role", "role")

"""The people of a shop: who may sign in as what; whoever is new chooses their password by a link that is shown once."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from services.backoffice.administration import staff
from services.backoffice.administration.frame import KeeperOfPeople, NotSo, Tried, show, zone_of
from services.backoffice.administration.history import Done, note
from services.backoffice.people import Person, list_people, sorted_shops
from services.backoffice.sessions import Visitor
from services.backoffice.visiting import Form, Posted, go_to, looks_of
from shared.runtime.database import Connection, connected, transaction
from shared.runtime.presentation.texts import LANGUAGES
from shared.runtime.problems import Problem
from shared.runtime.tokens import ANY_SHOP

router = APIRouter(include_in_schema=False)
Act = Callable[[Connection, Visitor, str], Awaitable[list[Done]]]
DEEDS: Mapping[str, Act] = {
    "leave": staff.leave,
    "disable": staff.disable,
    "enable": staff.enable,
    "sessions": staff.end_sessions,
}


@router.get("/settings/people")
async def people(
    request: Request,
    visitor: KeeperOfPeople,
    *,
    edit: Annotated[str, Query(max_length=64)] = "",
    everybody: Annotated[bool, Query(alias="all")] = False,
) -> Response:
    """Everybody of the shop; for operators also those of all shops. `edit` opens what can be done with one."""
    return await drawn(request, visitor, edit=edit, everybody=everybody)


@router.post("/settings/people")
async def change(request: Request, visitor: KeeperOfPeople, sent: Posted) -> Response:
    """Take somebody in, or change what they may; it is written down in the same transaction."""
    do, about, everybody = sent.one("do"), sent.one("about")[:64], bool(sent.one("all"))
    try:
        if do in {"add", "link"}:
            return await with_link(request, visitor, sent, do, about)
        async with transaction(request.app.state.pool) as connection:
            done = await act(connection, visitor, do, about, sent)
            await note(connection, visitor, visitor.shop or "", "people", done)
    except NotSo as no:
        tried = Tried(do, sent, about, no.reason, "", no.fields)
        return await drawn(request, visitor, edit=about, everybody=everybody, tried=tried)
    shown = urlencode({"done": do, "edit": about, **({"all": "true"} if everybody else {})})
    return go_to(request, f"/settings/people?{shown}#p-{about}")


async def act(connection: Connection, visitor: Visitor, do: str, about: str, sent: Form) -> list[Done]:
    """One change of one person. Raises NotSo, Problem."""
    if do == "role":
        return await staff.change_role(connection, visitor, about, sent.one("role"))
    if do not in DEEDS:
        raise Problem(422, "invalid-request", "There is no such thing to do.")
    return await DEEDS[do](connection, visitor, about)


async def with_link(request: Request, visitor: Visitor, sent: Form, do: str, about: str) -> Response:
    """What ends with a link: it is on this answer, and nowhere else. Raises NotSo, Problem."""
    async with transaction(request.app.state.pool) as connection:
        if do == "link":
            person, secret, done = await staff.new_link(connection, visitor, about)
        else:
            speaks = sent.one("language")
            person, secret, done = await staff.take_in(
                connection,
                visitor,
                request.app.state.passwords,
                email=sent.one("email")[:320],
                name=sent.one("name")[:200],
                role=sent.one("role"),
                language=next((each for each in LANGUAGES if each == speaks), None),
            )
        await note(connection, visitor, visitor.shop or "", "people", [done])
    return await drawn(request, visitor, made=person, link=link_of(request, secret) if secret else "", status=200)


def link_of(request: Request, secret: str) -> str:
    """The address at which somebody chooses their password."""
    scheme = "https" if looks_of(request).https else "http"
    return f"{scheme}://{request.url.netloc}/set-password?{urlencode({'key': secret})}"


async def drawn(
    request: Request,
    visitor: Visitor,
    *,
    edit: str = "",
    everybody: bool = False,
    tried: Tried | None = None,
    made: Person | None = None,
    link: str = "",
    status: int = 422,
) -> Response:
    """The page."""
    everybody, shops = everybody and ANY_SHOP in visitor.roles, staff.looked_after(visitor.roles)
    async with connected(request.app.state.pool) as connection:
        found = await list_people(connection, None if everybody else visitor.shop)
    return await show(
        request,
        visitor,
        "people",
        shop=visitor.shop,
        time_zone=await zone_of(request, visitor),
        status=status if tried else 200,
        tried=tried,
        people=[(each, said_of(each, visitor, shops, everybody=everybody)) for each in found],
        roles=[str(role) for role in staff.ROLES],
        edit=edit,
        everybody=everybody,
        made=made,
        link=link,
    )


def said_of(person: Person, visitor: Visitor, shops: frozenset[str] | None, *, everybody: bool) -> Mapping[str, Any]:
    """What a page may say of somebody, and what can be done with them."""
    here = person.roles.get(visitor.shop or "")
    mine, ours, operator = person.id == visitor.id, staff.is_ours(person, shops), ANY_SHOP in person.roles
    several = len(person.roles) > 1
    return {
        "role": "operator" if operator else here,
        "shops": [(shop, person.roles[shop]) for shop in sorted_shops(person.roles)] if everybody else [],
        "mine": mine,
        "ours": ours,
        "can": {
            "role": not mine and not operator,
            "leave": not mine and several and here is not None,
            "disable": not mine and ours and person.disabled_at is None,
            "enable": ours and person.disabled_at is not None,
            "sessions": ours and not mine,
            "link": ours and person.disabled_at is None and not mine,
        },
    }

"""The operators' pages: how the services stand, what needs a person, and what was asked of the services."""

import asyncio
import json
from collections.abc import Mapping
from typing import Annotated, Any, Literal
from urllib.parse import quote, urlencode
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Query, Request
from starlette.responses import Response

from services.backoffice.operations import asking, command_lines, stands
from services.backoffice.operations.kinds import KINDS, Deed, Kind
from services.backoffice.operations.wanted import SERVICES, Filter
from services.backoffice.people import names_of
from services.backoffice.sessions import Visitor
from services.backoffice.visiting import (
    Posted,
    SignInNeeded,
    go_to,
    is_part,
    looks_of,
    new_secret,
    others_of,
    page,
    read_cookie,
    sessions_of,
)
from shared.runtime.actors import PersonRole, is_shop
from shared.runtime.database import connected
from shared.runtime.operator_answers import AskedPage
from shared.runtime.problems import Problem
from shared.runtime.tokens import ANY_SHOP

router = APIRouter(include_in_schema=False)
DOCUMENTS = ("message", "cause", "record", "records", "headers", "value")
"""What of an item is shown as it was written."""
ASKED_ON_PAGE, ASKED_OF_EACH = 50, 15
Position = Annotated[int | None, Query(ge=1, lt=2**63)]
State = Annotated[Literal["asked", "done", "refused"] | None, Query()]
Times = Annotated[int, Query(ge=0, le=10_000)]


async def operating(request: Request) -> Visitor:
    """An operator who has signed in, for all shops. A page that looks again keeps no session alive.

    Raises SignInNeeded, Problem.
    """
    by_itself = is_part(request) and "again" in request.query_params
    visitor = await sessions_of(request).find(read_cookie(request, "session"), used=not by_itself)
    if visitor is None:
        raise SignInNeeded
    request.state.visitor = visitor
    if visitor.role != PersonRole.OPERATOR:
        raise Problem(403, "not-your-role", "Only operators may see and do this.")
    return visitor.in_shop(ANY_SHOP)


Operating = Annotated[Visitor, Depends(operating)]


@router.get("/operations")
async def overview(request: Request, operator: Operating, *, again: Times = 0) -> Response:
    """How each service stands, and what needs a person."""
    found = await asking.statuses(others_of(request), operator)
    return page(
        request,
        "operations-standing.html" if is_part(request) else "operations.html",
        found=found,
        needs=stands.needs(found),
        calm=all(map(stands.is_well, found.values())),
        measures=stands.measures,
        is_well=stands.is_well,
        many=stands.MANY,
        again=again + 1,
        delay=stands.delay_of(again),
    )


@router.get("/operations/asked")
async def asked(
    request: Request,
    operator: Operating,
    *,
    service: Annotated[str, Query(max_length=20)] = "",
    state: State = None,
    mine: Annotated[bool, Query()] = False,
    before: Position = None,
    since: Position = None,
    until: Position = None,
    again: Times = 0,
) -> Response:
    """Who asked what, when, and what came of it; between two positions also how far it is."""
    one = service if service in SERVICES else ""
    places = {"before": before, "since": since, "until": until} if one else {}
    wanted = {"state": state, "actor": f"person/{operator.id}" if mine else None, **places}
    parameters = [(name, str(value)) for name, value in wanted.items() if value is not None]
    parameters.append(("limit", str(ASKED_ON_PAGE if one else ASKED_OF_EACH)))
    which = (one,) if one else SERVICES
    others = others_of(request)
    found = await asyncio.gather(*(asking.asked_of(others, operator, each, parameters) for each in which))
    pages = dict(zip(which, found, strict=True))
    whole = pages[one] if one else None
    counts = whole.counts if whole else None
    said = {"service": one, "state": state or "", "mine": "true" if mine else "", "since": since, "until": until}

    def address(**changes: Any) -> str:
        fields = {name: value for name, value in (said | changes).items() if value}
        return f"/operations/asked?{urlencode(fields)}" if fields else "/operations/asked"

    return page(
        request,
        "operations-asked-part.html" if is_part(request) else "operations-asked.html",
        found=pages,
        chosen=one,
        services=SERVICES,
        state=state or "",
        mine=mine,
        counts=counts,
        names=await names_in(request, list(pages.values())),
        address=address,
        withdraw=command_lines.to_withdraw,
        known=looks_of(request).texts["en"].keys(),
        again=again + 1,
        delay=stands.delay_of(again // 5),
    )


@router.post("/operations/orders/{order_id}")
async def open_order(
    request: Request, operator: Operating, sent: Posted, order_id: Annotated[UUID, Path()]
) -> Response:
    """To an order's page, in the shop that the order is of."""
    shop = sent.one("shop")
    if not is_shop(shop):
        raise Problem(404, "not-found", "There is no such shop.")
    await sessions_of(request).choose(operator, shop)
    return go_to(request, f"/orders/{order_id}")


@router.get("/operations/{kind_name}")
async def items(request: Request, operator: Operating, kind_name: str) -> Response:
    """What of a kind needs a person, by service."""
    kind = kind_of(kind_name)
    wanted = Filter.of(kind, request.query_params.multi_items())
    found = await asking.lists(others_of(request), operator, wanted)
    return page(
        request, "operations-list.html", wanted=wanted, found=found, services=SERVICES, **said_of(request, kind)
    )


@router.get("/operations/{kind_name}/{service}/{item_id:path}")
async def item(request: Request, operator: Operating, kind_name: str, service: str, item_id: str) -> Response:
    """One thing in full, with its ways out."""
    return await show_item(request, operator, kind_of(kind_name), asking.service_of(service), item_id)


async def show_item(
    request: Request, operator: Visitor, kind: Kind, service: str, item_id: str, wrong: str = "", status: int = 200
) -> Response:
    """The item, or that it is no longer there; `wrong` is the way out that still lacks a reason. Raises Away."""
    found = await asking.in_full(others_of(request), operator, kind, service, item_id)
    said = {"service": service, "item_id": item_id, **said_of(request, kind)}
    if found is None:
        return page(request, "operations-gone.html", status=404, **said)
    fields = found.model_dump(mode="json")
    order, shop = about(fields)
    return page(
        request,
        "operations-item.html",
        status=status,
        item=found,
        facts={name: value for name, value in fields.items() if is_fact(name) and (not order or value != order)},
        documents={name: written(fields[name]) for name in DOCUMENTS if fields.get(name) not in (None, [])},
        order=order,
        shop=shop,
        wrong=wrong,
        show_line=command_lines.to_show(kind, service, item_id),
        journey_line=command_lines.of_journey(order) if order else "",
        **said,
    )


def said_of(request: Request, kind: Kind) -> dict[str, Any]:
    """What every page about a kind is told."""
    visitor: Visitor = request.state.visitor

    def line(deed: Deed, service: str, item_id: str, reason: str) -> str:
        actor = f"person/{visitor.id}"
        return command_lines.for_one(kind, deed, service, item_id, reason=reason, actor=actor)

    return {
        "kind": kind,
        "kinds": KINDS,
        "key": new_secret(),
        "line": line,
        "address_of": address_of,
        "is_order": is_order,
        "known": looks_of(request).texts["en"].keys(),
    }


def kind_of(name: str) -> Kind:
    """The kind of this name. Raises Problem."""
    if name not in KINDS:
        raise Problem(404, "not-found", "There is no such list.")
    return KINDS[name]


def address_of(kind: Kind, service: str, item_id: str) -> str:
    """Where one item is shown."""
    return f"/operations/{kind.name}/{service}/{quote(item_id, safe='')}"


def about(fields: Mapping[str, Any]) -> tuple[str, str]:
    """The order that an item is about and its shop, as far as the item says so."""
    record: Mapping[str, Any] = next(
        (fields[name] for name in ("record", "value") if isinstance(fields.get(name), dict)), {}
    )
    order = str(fields.get("order") or record.get("subject") or fields.get("key") or "")
    shop = str(fields.get("shop") or record.get("shop") or "")
    return (order if is_order(order) else "", shop if is_shop(shop) else "")


def is_fact(name: str) -> bool:
    """Whether this field is shown among others; the rest has places of its own."""
    return name not in {"id", "error", *DOCUMENTS}


def is_order(said: str) -> bool:
    """Whether this is the id of an order."""
    try:
        return str(UUID(said)) == said.lower()
    except ValueError:
        return False


def written(value: Any) -> str:
    """A document as people read it."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, indent=2)


async def names_in(request: Request, pages: list[AskedPage | None]) -> Mapping[str, str]:
    """What the people are called who asked."""
    actors = {each.actor for found in pages if found for each in found.items}
    async with connected(request.app.state.pool) as connection:
        return await names_of(connection, actors)

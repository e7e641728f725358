"""Shops: the settings that are their own, and what operators make of them; all is told on shops.facts."""

import hashlib
import json
from collections.abc import Callable, Collection
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Request, Response
from pydantic import BaseModel, create_model

from services.orders.answers import RefusingRoute
from services.orders.asking import reader
from services.orders.desk import Desk
from services.orders.domain.statuses import catalogue_of
from services.orders.shops import LOCK, change_shop, find_shop, list_shops
from shared.contracts.shop_facts import ShopSettings
from shared.contracts.values import ShopId
from shared.runtime.bodies import json_body
from shared.runtime.database import connected, transaction
from shared.runtime.openapi import problem_response
from shared.runtime.problems import Problem
from shared.runtime.tokens import OPERATOR, Caller, authenticated, of_one_shop

router = APIRouter(prefix="/v1/shop", tags=["shop"], route_class=RefusingRoute)
shops = APIRouter(prefix="/v1/shops", tags=["shops"], route_class=RefusingRoute)

UNKNOWN = problem_response("404", "unknown-shop", "There is no such shop.")
IN_USE = problem_response("409", "status-in-use", "Orders have the status: it can be retired, not deleted.")
CHANGED = problem_response("412", "version-conflict", "Somebody has changed the settings meanwhile.")
ETAG = {"ETag": {"schema": {"type": "string"}, "description": "Of the settings as they are; for `If-Match`."}}
OPERATORS = {"shop", "features"}
"""What the token says, and what only the platform's operator decides (R082)."""


def _body(name: str, without: Collection[str]) -> type[BaseModel]:
    fields: dict[str, Any] = {
        name: (each.annotation, each) for name, each in ShopSettings.model_fields.items() if name not in without
    }
    return create_model(name, __doc__=ShopSettings.__doc__, **fields)


Body = _body("ShopSettingsBody", OPERATORS)
WholeBody = _body("WholeShopBody", {"shop"})


class Shops(BaseModel):
    """The shops of an installation."""

    shops: list[ShopSettings]


async def settings_seen(
    if_match: Annotated[
        str | None,
        Header(pattern=r'^(?:\*|"[0-9a-f]{16}")$', description="The ETag of the settings as the caller has seen them."),
    ] = None,
) -> str | None:
    """The settings that are to be changed, and no others."""
    return None if if_match == "*" else if_match


Seen = Annotated[str | None, Depends(settings_seen)]


async def operator(caller: Annotated[Caller, Depends(authenticated(OPERATOR))]) -> Caller:
    """Who may make shops and give them features."""
    return caller


async def owner(caller: Annotated[Caller, Depends(authenticated("shop:write"))]) -> Caller:
    """Who may change the settings of one shop."""
    return of_one_shop(caller)


@router.get(
    "", summary="Read the shop's settings", responses={200: {"model": ShopSettings, "headers": ETAG}, 404: UNKNOWN}
)
async def read_shop(request: Request, caller: Annotated[Caller, Depends(reader)]) -> Response:
    """How the shop presents itself; its statuses are those that every shop begins with, where it has no others."""
    async with connected(request.app.state.pool) as connection:
        shop = await find_shop(connection, caller.shop)
    if shop is None:
        raise unknown_shop()
    return answer_of(shop.model_copy(update={"statuses": catalogue_of(shop)}), etag_of(shop))


@router.put(
    "",
    summary="Change the shop's settings",
    responses={200: {"model": ShopSettings, "headers": ETAG}, 404: UNKNOWN, 409: IN_USE, 412: CHANGED},
)
async def write_shop(
    request: Request,
    caller: Annotated[Caller, Depends(owner)],
    seen: Seen,
    wanted: Annotated[BaseModel, Depends(json_body(Body))],
) -> Response:
    """Put these settings in place of the present ones; what orders have may be retired, not taken away."""
    said = {name: getattr(wanted, name) for name in Body.model_fields}

    def after(before: ShopSettings | None) -> ShopSettings:
        if before is None:
            raise unknown_shop()
        return ShopSettings(shop=caller.shop, features=before.features, **said)

    _, shop = await changed(request, caller, caller.shop, seen, after)
    return answer_of(shop, etag_of(shop))


@shops.get("", summary="List shops")
async def read_shops(request: Request, _: Annotated[Caller, Depends(operator)]) -> Shops:
    """All shops of the installation, by their short names, with their settings."""
    async with connected(request.app.state.pool) as connection:
        return Shops(shops=await list_shops(connection))


@shops.get("/{shop}", summary="Read a shop", responses={200: {"model": ShopSettings, "headers": ETAG}, 404: UNKNOWN})
async def read_any_shop(request: Request, _: Annotated[Caller, Depends(operator)], shop: ShopId) -> Response:
    """Its settings as they were saved."""
    async with connected(request.app.state.pool) as connection:
        found = await find_shop(connection, shop)
    if found is None:
        raise unknown_shop()
    return answer_of(found, etag_of(found))


@shops.put(
    "/{shop}",
    summary="Make a shop, or change it",
    responses={
        200: {"model": ShopSettings, "description": "It was there and has these settings now.", "headers": ETAG},
        201: {"model": ShopSettings, "description": "There is a new shop.", "headers": ETAG},
        409: IN_USE,
        412: CHANGED,
    },
)
async def write_any_shop(
    request: Request,
    caller: Annotated[Caller, Depends(operator)],
    shop: ShopId,
    seen: Seen,
    wanted: Annotated[BaseModel, Depends(json_body(WholeBody))],
) -> Response:
    """Put these settings in place of the present ones, with the features that the shop itself cannot change (R082)."""
    said = {name: getattr(wanted, name) for name in WholeBody.model_fields}
    before, after = await changed(request, caller, shop, seen, lambda _: ShopSettings(shop=shop, **said))
    return answer_of(after, etag_of(after), 201 if before is None else 200)


async def changed(
    request: Request,
    caller: Caller,
    shop: str,
    seen: str | None,
    after: Callable[[ShopSettings | None], ShopSettings],
) -> tuple[ShopSettings | None, ShopSettings]:
    """Change a shop's settings to what `after` makes of the present ones; both are returned."""
    desk: Desk = request.app.state.desk
    async with transaction(request.app.state.pool) as connection:
        await connection.execute(LOCK, shop)
        before = await find_shop(connection, shop)
        if seen is not None and (before is None or etag_of(before) != seen):
            raise Problem(412, "version-conflict", "Somebody has changed the settings meanwhile.")
        wanted = after(before)
        await change_shop(connection, before, wanted, desk.outbox, caller.actor)
    desk.outbox.committed()
    return before, wanted


def etag_of(shop: ShopSettings) -> str:
    """Another one for other settings, in whatever order the database gives names back."""
    said = json.dumps(shop.model_dump(mode="json"), sort_keys=True)
    return f'"{hashlib.sha256(said.encode()).hexdigest()[:16]}"'


def answer_of(shop: ShopSettings, etag: str, status: int = 200) -> Response:
    """The settings as they are shown, under the ETag of those that are kept."""
    return Response(shop.model_dump_json(), status, headers={"ETag": etag}, media_type="application/json")


def unknown_shop() -> Problem:
    """Answer whoever asks for one that is not there."""
    return Problem(404, "unknown-shop", "There is no such shop.")

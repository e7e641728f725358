"""A shop's own settings: its names, languages, statuses and folders; everybody is told of a change on shops.facts."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, create_model

from services.orders.answers import RefusingRoute
from services.orders.asking import reader
from services.orders.desk import Desk
from services.orders.domain.statuses import catalogue_of
from services.orders.shops import LOCK, change_shop, find_shop
from shared.contracts.shop_facts import ShopSettings
from shared.runtime.bodies import json_body
from shared.runtime.database import connected, transaction
from shared.runtime.openapi import problem_response
from shared.runtime.problems import Problem
from shared.runtime.tokens import Caller, authenticated, of_one_shop

router = APIRouter(prefix="/v1/shop", tags=["shop"], route_class=RefusingRoute)

UNKNOWN = problem_response("404", "unknown-shop", "There is no such shop.")
IN_USE = problem_response("409", "status-in-use", "Orders have the status: it can be retired, not deleted.")
OPERATORS = {"shop", "features"}
"""What the token says, and what only the platform's operator decides (R082)."""


def _body() -> type[BaseModel]:
    fields: dict[str, Any] = {
        name: (each.annotation, each) for name, each in ShopSettings.model_fields.items() if name not in OPERATORS
    }
    return create_model("ShopSettingsBody", __doc__=ShopSettings.__doc__, **fields)


Body = _body()


async def owner(caller: Annotated[Caller, Depends(authenticated("shop:write"))]) -> Caller:
    """Who may change the settings of one shop."""
    return of_one_shop(caller)


@router.get("", summary="Read the shop's settings", responses={404: UNKNOWN})
async def read_shop(request: Request, caller: Annotated[Caller, Depends(reader)]) -> ShopSettings:
    """How the shop presents itself; its statuses are those that every shop begins with, where it has no others."""
    async with connected(request.app.state.pool) as connection:
        shop = await find_shop(connection, caller.shop)
    if shop is None:
        raise Problem(404, "unknown-shop", "There is no such shop.")
    return shop.model_copy(update={"statuses": catalogue_of(shop)})


@router.put("", summary="Change the shop's settings", responses={404: UNKNOWN, 409: IN_USE})
async def write_shop(
    request: Request,
    caller: Annotated[Caller, Depends(owner)],
    wanted: Annotated[BaseModel, Depends(json_body(Body))],
) -> ShopSettings:
    """Put these settings in place of the present ones; what orders have may be retired, not taken away."""
    desk: Desk = request.app.state.desk
    async with transaction(request.app.state.pool) as connection:
        await connection.execute(LOCK, caller.shop)
        before = await find_shop(connection, caller.shop)
        if before is None:
            raise Problem(404, "unknown-shop", "There is no such shop.")
        said = {name: getattr(wanted, name) for name in Body.model_fields}
        after = ShopSettings(shop=caller.shop, features=before.features, **said)
        await change_shop(connection, before, after, desk.outbox, caller.actor)
    desk.outbox.committed()
    return after

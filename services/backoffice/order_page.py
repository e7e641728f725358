"""An order's page."""

import asyncio
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path, Request
from starlette.responses import Response

from services.backoffice.orders import Catalogue, order_of, shop_of
from services.backoffice.visiting import AtWork, language_of, others_of, page

router = APIRouter(include_in_schema=False)


@router.get("/orders/{order_id}")
async def order(request: Request, visitor: AtWork, order_id: Annotated[UUID, Path()]) -> Response:
    """The number with the statuses, each by itself (R102, R103)."""
    shop, found = await asyncio.gather(
        shop_of(others_of(request), visitor), order_of(others_of(request), visitor, str(order_id))
    )
    return page(
        request,
        "order.html",
        time_zone=shop.time_zone,
        order=found,
        catalogue=Catalogue(shop, language_of(request)),
        shop=shop,
    )

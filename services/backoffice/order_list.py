"""The order list (R001 to R005): folders at the side, filters and search above, and what waits for people."""

import asyncio
from typing import Annotated, Any, get_args

from fastapi import APIRouter, Path, Request
from starlette.responses import Response

from services.backoffice.orders import (
    ORDERS,
    Catalogue,
    FolderCount,
    OrderPage,
    SavedView,
    folders_of,
    list_of,
    shop_of,
    to_do_of,
    views_of,
)
from services.backoffice.others import or_away
from services.backoffice.payments import open_payments
from services.backoffice.sessions import Visitor
from services.backoffice.visiting import (
    AtWork,
    Handler,
    Posted,
    go_to,
    is_part,
    language_of,
    others_of,
    page,
)
from services.backoffice.wanted import DAYS, NotADay, Wanted, of_view
from shared.contracts.files import DocumentKind
from shared.contracts.message import new_id
from shared.contracts.order import PaymentStatus, Processing
from shared.contracts.shop_facts import ShopSettings
from shared.contracts.values import Identifier
from shared.runtime.problems import Problem

router = APIRouter(include_in_schema=False)
PROCESSING: tuple[str, ...] = get_args(Processing)
PAYMENTS: tuple[str, ...] = get_args(PaymentStatus)
DOCUMENTS: tuple[str, ...] = get_args(DocumentKind)


@router.get("/orders")
async def orders(request: Request, visitor: AtWork) -> Response:
    """The list; for htmx, the rows that are asked for."""
    wanted = Wanted.of(request.query_params.multi_items())
    if is_part(request):
        return await rows(request, visitor, wanted)
    others = others_of(request)
    (shop, folders, views), (to_do, unmatched, found) = await asyncio.gather(
        asyncio.gather(
            or_away(shop_of(others, visitor)),
            or_away(folders_of(others, visitor)),
            or_away(views_of(others, visitor)),
        ),
        asyncio.gather(
            or_away(to_do_of(others, visitor)),
            open_payments(others, visitor),
            or_away(found_for(request, visitor, wanted)),
        ),
    )
    waits: dict[str, Any] = {"to_do": to_do, "unmatched": unmatched}
    said: dict[str, Any] = listed(request, wanted, shop, found) | waits | beside(folders, views, shop)
    return page(request, "orders.html", time_zone=zone_of(shop), **said)


@router.get("/orders/side")
async def side(request: Request, visitor: AtWork) -> Response:
    """The folders and views anew, when their counts may have changed."""
    others = others_of(request)
    shop, folders, views, to_do, unmatched = await asyncio.gather(
        or_away(shop_of(others, visitor)),
        or_away(folders_of(others, visitor)),
        or_away(views_of(others, visitor)),
        or_away(to_do_of(others, visitor)),
        open_payments(others, visitor),
    )
    wanted = Wanted.of(request.query_params.multi_items())
    return page(request, "side.html", wanted=wanted, to_do=to_do, unmatched=unmatched, **beside(folders, views, shop))


@router.post("/views")
async def save_view(request: Request, visitor: Handler, sent: Posted) -> Response:
    """Give what the list shows now a name."""
    wanted, name = Wanted.of(sent.fields).without("after", "sort"), sent.one("name").strip()
    if not name:
        raise Problem(422, "invalid-request", "A view needs a name.")
    shop = await shop_of(others_of(request), visitor)
    body = {"name": name, "filter": filter_of(wanted, shop)}
    await others_of(request).put(ORDERS, f"/v1/views/{new_id()}", visitor, body)
    return go_to(request, wanted.address())


@router.post("/views/{view_id}/remove")
async def remove_view(
    request: Request, visitor: Handler, _sent: Posted, view_id: Annotated[Identifier, Path()]
) -> Response:
    """Forget a view."""
    await others_of(request).delete(ORDERS, f"/v1/views/{view_id}", visitor)
    return go_to(request, "/orders")


async def rows(request: Request, visitor: Visitor, wanted: Wanted) -> Response:
    """The part of the page that changes when something else is wanted."""
    shop, found = await asyncio.gather(shop_of(others_of(request), visitor), found_for(request, visitor, wanted))
    headers = {"HX-Push-Url": wanted.address()} if "hx-trigger" in request.headers else {}
    return page(request, "list.html", headers=headers, time_zone=shop.time_zone, **listed(request, wanted, shop, found))


async def found_for(request: Request, visitor: Visitor, wanted: Wanted) -> OrderPage:
    """A page of orders. Raises Away, Refusal, Problem."""
    time_zone = "UTC"
    if any(wanted.one(day) for day in DAYS):
        time_zone = (await shop_of(others_of(request), visitor)).time_zone
    try:
        return await list_of(others_of(request), visitor, wanted.page(time_zone))
    except NotADay:
        raise Problem(422, "not-a-day", "This is no day.") from None


def listed(request: Request, wanted: Wanted, shop: ShopSettings | None, found: OrderPage | None) -> dict[str, Any]:
    """What the list shows."""
    catalogue = Catalogue(shop, language_of(request)) if shop else None
    return {
        "wanted": wanted,
        "found": found if catalogue else None,
        "catalogue": catalogue,
        "processing_kinds": PROCESSING,
        "payment_kinds": PAYMENTS,
        "document_kinds": DOCUMENTS,
        "key": new_id(),
    }


def beside(
    folders: list[FolderCount] | None, views: list[SavedView] | None, shop: ShopSettings | None
) -> dict[str, Any]:
    """What stands at the side of the list."""
    addressed = None if views is None else [(view, of_view(view.filter, zone_of(shop))) for view in views]
    return {"folders": folders, "views": addressed, "shop": shop}


def filter_of(wanted: Wanted, shop: ShopSettings) -> dict[str, Any]:
    """The filter as a view keeps it. Raises Problem."""
    try:
        return wanted.kept(shop.time_zone)
    except NotADay:
        raise Problem(422, "not-a-day", "This is no day.") from None


def zone_of(shop: ShopSettings | None) -> str:
    """The shop's zone, as far as it is known."""
    return shop.time_zone if shop else "UTC"

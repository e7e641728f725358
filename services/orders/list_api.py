"""The list of orders as callers read it, the shop's folders with their counts, and its saved views."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any
from uuid import UUID

import asyncpg
from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field

from services.orders.answers import RefusingRoute
from services.orders.asking import reader, writer
from services.orders.cursors import Sort
from services.orders.filters import Filter
from services.orders.listing import ROOT, count, list_page, sums_of_customer
from services.orders.shops import find_shop
from shared.contracts.order import Goods, PaymentStatus, Processing
from shared.contracts.shop_facts import ShopSettings
from shared.contracts.values import Identifier, Line, Name, Prose
from shared.messaging.database import Connection
from shared.runtime.bodies import json_body
from shared.runtime.database import connected, transaction
from shared.runtime.openapi import problem_response
from shared.runtime.problems import Problem
from shared.runtime.tokens import Caller

router = APIRouter(prefix="/v1", tags=["orders"], route_class=RefusingRoute)


def in_utc(moment: datetime) -> datetime:
    """The same moment in UTC, which the database reckons with. Raises ValueError beyond the years 1 to 9999."""
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise ValueError("lies before the year 1 or after 9999") from None


Moment = Annotated[AwareDatetime, AfterValidator(in_utc)]
Several = Annotated[list[Identifier], Field(max_length=50)]
WRONG_CURSOR = problem_response("422", "wrong-cursor", "The cursor is not of this list.")
UNKNOWN_CUSTOMER = problem_response("404", "unknown-customer", "There is no such customer.")
UNKNOWN_VIEW = problem_response("404", "unknown-view", "There is no such view.")
SAVE_VIEW = """
insert into saved_view (shop, id, name, filter, position) values ($1, $2, $3, $4, $5)
on conflict (shop, id) do update set name = excluded.name, filter = excluded.filter, position = excluded.position
"""
VIEWS = "select id, name, filter, position from saved_view where shop = $1 order by position, name, id"
REMOVE_VIEW = "delete from saved_view where shop = $1 and id = $2 returning true"
MAX_VIEWS = 200


class Wanted(BaseModel):
    """What is looked for; of several values of one field any fits, of several fields all must."""

    model_config = ConfigDict(extra="forbid")

    q: Annotated[Prose, Field(description="Beginnings of words: number, name, e-mail, article.")] = ""
    status: Several = []
    line_status: Several = []
    internal_status: Several = []
    folder: Annotated[Several, Field(description="`root`: those in none.")] = []
    processing: Annotated[list[Processing], Field(max_length=50)] = []
    payment_status: Annotated[list[PaymentStatus], Field(max_length=50)] = []
    goods: Annotated[list[Goods], Field(max_length=50)] = []
    customer_id: Several = []
    email: Annotated[list[Line], Field(max_length=50)] = []
    article: Annotated[list[Line], Field(max_length=50)] = []
    attention: Annotated[bool | None, Field(description="Only those that need a person.")] = None
    message: Annotated[bool | None, Field(description="Only those with a message from the customer.")] = None
    cancelled: bool | None = None
    placed_from: Moment | None = None
    placed_before: Moment | None = None
    number_from: Annotated[int | None, Field(ge=1, le=10**15)] = None
    number_to: Annotated[int | None, Field(ge=1, le=10**15)] = None

    def filter(self) -> Filter:
        """The same as tags and limits."""
        yes_or_no = {"n": self.attention, "m": self.message, "x": self.cancelled}
        kinds: list[Sequence[str]] = [
            [f"s:{each}" for each in self.status],
            [f"l:{each}" for each in self.line_status],
            [f"i:{each}" for each in self.internal_status],
            [f"f:{'' if each == ROOT else each}" for each in self.folder],
            [f"w:{each}" for each in self.processing],
            [f"p:{each}" for each in self.payment_status],
            [f"g:{each}" for each in self.goods],
            [f"c:{each}" for each in self.customer_id],
            [f"e:{each.lower()}" for each in self.email],
            [f"a:{each}" for each in self.article],
            *([tag] for tag, wanted in yes_or_no.items() if wanted),
        ]
        return Filter(
            tags=[tags for tags in kinds if tags],
            without=[tag for tag, wanted in yes_or_no.items() if wanted is False],
            text=self.q,
            placed_from=self.placed_from,
            placed_before=self.placed_before,
            numbers=(self.number_from, self.number_to),
        )


class WantedPage(Wanted):
    """The same, and which page of it."""

    sort: Annotated[
        Sort,
        Field(
            description="`-` before it: the greatest first. `name` goes by the bytes of UTF-8 with A as a, `amount` by "
            "the number in whatever currency; an order that nobody has changed was changed when it was placed."
        ),
    ] = "-placed_at"
    limit: Annotated[int, Field(ge=1, le=200)] = 50
    after: Annotated[str, Field(max_length=500, description="The `next` of the page before.")] = ""


class ListedOrder(BaseModel):
    """An order in the list."""

    id: UUID
    number: int = Field(examples=[1001])
    version: int
    placed_at: datetime
    changed_at: datetime | None
    changed_by: str | None
    name: str = Field(description="The customer's, or the company's.", examples=["Åsa Öberg"])
    email: str
    customer_id: str | None
    amount: int = Field(description="The sum to pay, with VAT, in minor units.", examples=[22700])
    currency: str
    language: str
    status: str
    internal_status: str | None
    folder: str | None
    processing: Processing
    overdue: bool = Field(description="Nobody has processed it in the time that the shop gives itself (R110).")
    goods: Goods
    payment_status: PaymentStatus
    cancelled: bool
    attention: list[str]
    message: bool = Field(description="Whether the customer has left a message (R003).")


class OrderPage(BaseModel):
    """Some orders of the list."""

    orders: list[ListedOrder]
    next: str | None = Field(description="Ask again with it as `after`; none where this is the last page.")


class Count(BaseModel):
    """How many; nobody counts beyond a thousand."""

    count: int
    more: bool = Field(description="Whether there are more than that.")


class FolderCount(Count):
    """One of the shop's folders, and how many orders lie in it."""

    id: str = Field(description="`root`: those that lie in none.")
    name: str


class Folders(BaseModel):
    """The shop's folders, the unsorted orders first."""

    folders: list[FolderCount]


class ToDo(BaseModel):
    """What waits for people."""

    unprocessed: Count
    overdue: Count
    attention: Count


class CustomerSums(BaseModel):
    """What a customer's orders in one currency come to, in minor units."""

    currency: str = Field(examples=["SEK"])
    orders: int
    cancelled: int = Field(description="How many of them were cancelled.")
    amount: int = Field(description="The sums to pay of those that were not.")
    paid: int = Field(description="What was captured and not refunded.")
    first: datetime
    last: datetime


class CustomerPage(BaseModel):
    """A customer, as their orders tell: how they are reached by the newest one, and what all of them come to."""

    id: str
    name: str
    email: str
    sums: list[CustomerSums]
    orders: list[ListedOrder] = Field(description="The newest of them; the list has all, by `customer_id`.")


class View(BaseModel):
    """A filter that has a name."""

    model_config = ConfigDict(extra="forbid")

    name: Name
    filter: Wanted
    position: Annotated[int, Field(ge=0, le=10_000)] = 0


class SavedView(View):
    """One that is kept."""

    id: str


class Views(BaseModel):
    """The shop's saved views."""

    views: list[SavedView]


@router.get("/orders", summary="List orders", responses={422: WRONG_CURSOR})
async def list_orders(
    request: Request, caller: Annotated[Caller, Depends(reader)], wanted: Annotated[WantedPage, Query()]
) -> OrderPage:
    """The shop's orders, filtered and searched, page by page: ask again with `next` for what follows."""
    async with connected(request.app.state.pool) as connection:
        shop = await the_shop(connection, caller)
        page = await list_page(
            connection, caller.shop, wanted.filter(), sort=wanted.sort, after=wanted.after, limit=wanted.limit
        )
    late = overdue_before(shop)
    return OrderPage(orders=[listed(row, late) for row in page.rows], next=page.cursor)


@router.get("/orders/count", summary="Count orders")
async def count_orders(
    request: Request, caller: Annotated[Caller, Depends(reader)], wanted: Annotated[Wanted, Query()]
) -> Count:
    """How many orders a filter finds, up to a thousand."""
    async with connected(request.app.state.pool) as connection:
        found, more = await count(connection, caller.shop, wanted.filter())
    return Count(count=found, more=more)


@router.get("/orders/to-do", summary="Count what waits for people")
async def count_to_do(request: Request, caller: Annotated[Caller, Depends(reader)]) -> ToDo:
    """Orders that nobody has processed (R110), those of them that are overdue, and those that need attention."""
    async with connected(request.app.state.pool) as connection:
        late = overdue_before(await the_shop(connection, caller))
        unprocessed = Wanted(processing=["unprocessed"], cancelled=False)
        counts = {
            "unprocessed": await count(connection, caller.shop, unprocessed.filter()),
            "overdue": await count(
                connection, caller.shop, unprocessed.model_copy(update={"placed_before": late}).filter()
            ),
            "attention": await count(connection, caller.shop, Wanted(attention=True).filter()),
        }
    return ToDo(**{name: Count(count=found, more=more) for name, (found, more) in counts.items()})


@router.get("/folders", summary="List folders")
async def list_folders(request: Request, caller: Annotated[Caller, Depends(reader)]) -> Folders:
    """The shop's folders with how many orders lie in each, those in none first (R005, R042)."""
    found = []
    async with connected(request.app.state.pool) as connection:
        shop = await the_shop(connection, caller)
        for folder_id, name in [(ROOT, "Root"), *((folder.id, folder.name) for folder in shop.folders)]:
            counted, more = await count(connection, caller.shop, Wanted(folder=[folder_id]).filter())
            found.append(FolderCount(id=folder_id, name=name, count=counted, more=more))
    return Folders(folders=found)


@router.get("/customers/{customer_id}", summary="Read a customer", responses={404: UNKNOWN_CUSTOMER})
async def read_customer(
    request: Request, caller: Annotated[Caller, Depends(reader)], customer_id: Identifier
) -> CustomerPage:
    """A customer's history and sums (R112): whoever has orders under this id is one."""
    async with connected(request.app.state.pool) as connection:
        shop = await the_shop(connection, caller)
        sums = await sums_of_customer(connection, caller.shop, customer_id)
        page = await list_page(connection, caller.shop, Wanted(customer_id=[customer_id]).filter())
    if not page.rows:
        raise Problem(404, "unknown-customer", "There is no such customer.")
    orders = [listed(row, overdue_before(shop)) for row in page.rows]
    return CustomerPage(
        id=customer_id,
        name=orders[0].name,
        email=orders[0].email,
        sums=[CustomerSums.model_validate(dict(row)) for row in sums],
        orders=orders,
    )


@router.get("/views", summary="List saved views")
async def list_views(request: Request, caller: Annotated[Caller, Depends(reader)]) -> Views:
    """The filters that the shop has given names."""
    async with connected(request.app.state.pool) as connection:
        rows = await connection.fetch(VIEWS, caller.shop)
    return Views(views=[SavedView.model_validate(dict(row) | {"filter": json.loads(row["filter"])}) for row in rows])


@router.put("/views/{view_id}", status_code=204, summary="Save a view")
async def save_view(
    request: Request,
    caller: Annotated[Caller, Depends(writer)],
    view_id: Identifier,
    view: Annotated[View, Depends(json_body(View))],
) -> Response:
    """Give a filter a name, in place of the view of this id."""
    async with transaction(request.app.state.pool) as connection:
        known = await connection.fetch(VIEWS, caller.shop)
        if len(known) >= MAX_VIEWS and view_id not in {row["id"] for row in known}:
            raise Problem(409, "too-many-views", f"A shop has at most {MAX_VIEWS} views.")
        kept = view.filter.model_dump_json(exclude_defaults=True)
        await connection.execute(SAVE_VIEW, caller.shop, view_id, view.name, kept, view.position)
    return Response(status_code=204)


@router.delete("/views/{view_id}", status_code=204, summary="Remove a view", responses={404: UNKNOWN_VIEW})
async def remove_view(request: Request, caller: Annotated[Caller, Depends(writer)], view_id: Identifier) -> Response:
    """Forget a view."""
    async with transaction(request.app.state.pool) as connection:
        if not await connection.fetchval(REMOVE_VIEW, caller.shop, view_id):
            raise Problem(404, "unknown-view", "There is no such view.")
    return Response(status_code=204)


async def the_shop(connection: Connection, caller: Caller) -> ShopSettings:
    """The caller's shop. Raises Problem."""
    shop = await find_shop(connection, caller.shop)
    if shop is None:
        raise Problem(404, "unknown-shop", "There is no such shop.")
    return shop


def overdue_before(shop: ShopSettings) -> datetime:
    """An order that was placed before this should have been processed by now."""
    return datetime.now(UTC) - timedelta(hours=shop.process_within_hours)


def listed(row: asyncpg.Record, late: datetime) -> ListedOrder:
    """A row as callers see it."""
    tags = set(row["tags"])
    fields: dict[str, Any] = {name: row[name] for name in ListedOrder.model_fields if name in row}
    unprocessed = row["processing"] == "unprocessed" and not row["cancelled"]
    return ListedOrder.model_validate(
        fields
        | {
            "name": row["full_name"] or row["company"] or "",
            "overdue": unprocessed and row["placed_at"] < late,
            "attention": json.loads(row["attention"] or "[]"),
            "message": "m" in tags,
        }
    )

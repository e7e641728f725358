"""The list of several hundred random orders, beside what a plain filter makes of the same orders."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any, get_args
from uuid import UUID

import pytest

from services.orders.cursors import Sort
from services.orders.list_api import Wanted
from services.orders.listing import COUNTED, count, list_page
from services.orders.repository import INSERT
from shared.contracts.order import OrderSnapshot
from shared.messaging.database import Connection
from shared.runtime.database import transaction
from tests.builders import a_customer, a_line, an_order
from tests.plugins.orders import OrdersAlone

SHOPS = ("nordic-tea", "other-shop")
ORDERS = 300
NOW = datetime(2026, 11, 27, 12, tzinfo=UTC)
SORTS: tuple[Sort, ...] = get_args(Sort)
NAMES = ("Åsa Öberg", "asa oberg", "Kaisa Mäkelä", "KAISA maki", "Örjan Ek", "", "Zoë Ward")
AXES: dict[str, tuple[Any, ...]] = {
    "status": ("received", "shipped", "delivered"),
    "internal_status": (None, "to-pick"),
    "folder": (None, None, "to-pack", "archive"),
    "processing": ("unprocessed", "partly", "processed", "processed", "processed"),
    "payment_status": ("none", "captured", "captured", "captured"),
    "goods": ("open", "delivered", "delivered"),
    "cancelled": (False, False, False, True),
    "message": ("", "", "", "Ring på!"),
    "attention": ([], [], [], [], ["total-differs"]),
}


def random_order(random: Random, shop: str, number: int) -> OrderSnapshot:
    """Many are alike: some have the same time, the same amount and the same name."""
    placed_at = NOW - timedelta(hours=12 * random.randrange(200))
    changed_at = random.choice((None, placed_at + timedelta(seconds=random.randrange(3) / 2), NOW))
    articles = random.sample(("TEA-100", "KOPP-7", "RARE-1", "KANNA-2"), random.randint(1, 3))
    lines = [
        a_line(line_id=f"{n}", article_number=article, name=f"sort {article[:3]}", quantity=random.randint(1, 2))
        for n, article in enumerate(articles)
    ]
    order = an_order(
        id=UUID(int=random.getrandbits(128), version=4),
        shop=shop,
        number=number,
        placed_at=placed_at,
        changed_at=changed_at,
        changed_by=None if changed_at is None else "maria",
        lines=lines,
        customer=a_customer(
            full_name=random.choice(NAMES),
            company=random.choice(("", "Åhus Te AB")),
            email=f"{random.choice('abc')}@posti.example",
            customer_id=random.choice((None, "C-1", "C-2")),
        ),
        **{name: random.choice(values) for name, values in AXES.items()},
    )
    status = random.choice((None, "returned"))
    first = order.lines[0].model_copy(update={"status": status})
    return order.model_copy(update={"lines": [first, *order.lines[1:]]})


def random_wish(random: Random) -> dict[str, Any]:
    """One to three things that an order is to be."""
    some: dict[str, Callable[[], Any]] = {
        "status": lambda: random.sample(("received", "shipped", "no-such"), random.randint(1, 2)),
        "line_status": lambda: ["returned"],
        "internal_status": lambda: ["to-pick"],
        "folder": lambda: random.sample(("root", "to-pack", "archive"), random.randint(1, 2)),
        "processing": lambda: [random.choice(("unprocessed", "processed"))],
        "payment_status": lambda: ["captured"],
        "goods": lambda: ["delivered"],
        "customer_id": lambda: [random.choice(("C-1", "C-2", "C-3"))],
        "email": lambda: ["A@posti.example"],
        "article": lambda: random.sample(("TEA-100", "RARE-1"), random.randint(1, 2)),
        "attention": lambda: random.choice((True, False)),
        "message": lambda: random.choice((True, False)),
        "cancelled": lambda: random.choice((True, False)),
        "q": lambda: random.choice(("kai", "åsa", "sort", "sort TEA", "te ab", "zzz")),
        "placed_from": lambda: NOW - timedelta(hours=12 * random.randrange(210)),
        "placed_before": lambda: NOW - timedelta(hours=12 * random.randrange(210)),
        "number_from": lambda: random.randrange(1, ORDERS),
        "number_to": lambda: random.randrange(1, ORDERS),
    }
    return {name: some[name]() for name in random.sample(list(some), random.randint(0, 3))}


def fits(order: OrderSnapshot, wish: dict[str, Any]) -> bool:
    said: dict[str, Callable[[Any], bool]] = {
        "line_status": lambda wanted: any(line.status in wanted for line in order.lines),
        "folder": lambda wanted: (order.folder or "root") in wanted,
        "customer_id": lambda wanted: order.customer.customer_id in wanted,
        "email": lambda wanted: order.customer.email in {each.lower() for each in wanted},
        "article": lambda wanted: any(line.article_number in wanted for line in order.lines),
        "attention": lambda wanted: bool(order.attention) == wanted,
        "message": lambda wanted: bool(order.message) == wanted,
        "cancelled": lambda wanted: order.cancelled == wanted,
        "q": lambda wanted: all(
            any(word.startswith(each) for word in words_of(order)) for each in wanted.lower().split()
        ),
        "placed_from": lambda wanted: order.placed_at >= wanted,
        "placed_before": lambda wanted: order.placed_at < wanted,
        "number_from": lambda wanted: order.number >= wanted,
        "number_to": lambda wanted: order.number <= wanted,
    }
    return all(said[name](value) if name in said else getattr(order, name) in value for name, value in wish.items())


def words_of(order: OrderSnapshot) -> set[str]:
    customer = order.customer
    texts = [customer.full_name, customer.company, *(line.name for line in order.lines)]
    return {word for text in texts for word in text.lower().split()}


def place_of(order: OrderSnapshot, sort: Sort) -> tuple[Any, UUID]:
    name = "".join(c.lower() if c.isascii() else c for c in order.customer.full_name or order.customer.company)
    places = {
        "placed_at": order.placed_at,
        "number": order.number,
        "changed_at": order.changed_at or order.placed_at,
        "amount": order.totals.incl_vat.amount,
        "name": name.encode(),
    }
    return places[sort.lstrip("-")], order.id


def expected(orders: Sequence[OrderSnapshot], wish: dict[str, Any], sort: Sort) -> list[UUID]:
    found = [order for order in orders if fits(order, wish)]
    found.sort(key=lambda order: place_of(order, sort), reverse=sort.startswith("-"))
    return [order.id for order in found]


async def insert(connection: Connection, orders: Sequence[OrderSnapshot]) -> None:
    rows = [(o.id, o.shop, o.number, o.version, o.placed_at, o.model_dump_json()) for o in orders]
    await connection.execute(INSERT, *(list(column) for column in zip(*rows, strict=True)))


async def read_all(
    connection: Connection, shop: str, wish: dict[str, Any], sort: Sort, *, limit: int, walked: int
) -> list[UUID]:
    """Page by page."""
    found: list[UUID] = []
    after: str | None = ""
    while after is not None:
        page = await list_page(
            connection, shop, Wanted.model_validate(wish).filter(), sort=sort, after=after, limit=limit, walked=walked
        )
        found += [row["id"] for row in page.rows]
        after = page.cursor
    return found


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.requirement("R001", "R004", "R005")
async def test_every_list_is_what_a_plain_filter_makes_of_it(orders_alone: OrdersAlone, seed: int) -> None:
    random = Random(seed)
    orders = {shop: [random_order(random, shop, n) for n in range(1, ORDERS)] for shop in SHOPS}
    async with transaction(orders_alone.pool) as connection:
        for shop in SHOPS:
            await insert(connection, orders[shop])
        for sort in SORTS * 12:
            shop, wish = random.choice(SHOPS), random_wish(random)
            limit, walked = random.choice((1, 7, 50, 200)), random.choice((1, 3, 40, 300))
            if limit == 1 and len(expected(orders[shop], wish, sort)) > 30:
                limit = 20
            found = await read_all(connection, shop, wish, sort, limit=limit, walked=walked)
            assert found == expected(orders[shop], wish, sort), (shop, wish, sort, limit, walked)
            fitting = len(found)
            counted = await count(connection, shop, Wanted.model_validate(wish).filter())
            assert counted == (min(fitting, COUNTED), fitting > COUNTED), (shop, wish)


async def change(connection: Connection, order: OrderSnapshot, **changes: Any) -> OrderSnapshot:
    changed = order.model_copy(update=changes)
    statement = "update orders set body = $2 where id = $1"
    await connection.execute(statement, order.id, changed.model_dump_json())
    return changed


@pytest.mark.parametrize("sort", ["-placed_at", "placed_at", "-number", "number", "-amount", "amount", "-name", "name"])
async def test_what_fits_all_the_while_is_seen_once_while_others_change(orders_alone: OrdersAlone, sort: Sort) -> None:
    random = Random(sort)
    orders = [random_order(random, "nordic-tea", n) for n in range(1, 200)]
    wish = {"processing": ["processed"]}
    async with transaction(orders_alone.pool) as connection:
        await insert(connection, orders)
        steady = [order.id for order in orders if fits(order, wish)]
        moving = [order for order in orders if not fits(order, wish)]
        found: list[UUID] = []
        after: str | None = ""
        while after is not None:
            page = await list_page(
                connection,
                "nordic-tea",
                Wanted.model_validate(wish).filter(),
                sort=sort,
                after=after,
                limit=9,
                walked=5,
            )
            found += [row["id"] for row in page.rows]
            after = page.cursor
            number = random.randrange(len(moving))
            moving[number] = await change(
                connection, moving[number], processing=random.choice(("processed", "unprocessed")), status="shipped"
            )
            await insert(connection, [random_order(random, "nordic-tea", 1_000 + len(found))])
    assert sorted(each for each in found if each in set(steady)) == sorted(steady)
    assert len(found) == len(set(found))

"""The list of orders: filtered, searched and counted, page by page, of the caller's shop alone."""

import base64
import json
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import httpx2
import pytest

from shared.contracts.order import OrderSnapshot
from shared.contracts.shop_facts import Folder
from tests.builders import a_customer, a_line, a_shop, an_order, to_place
from tests.plugins.orders import CallAs, Caller, OrdersAlone

NOW = datetime.now(UTC).replace(microsecond=0)
KAISA = a_customer(full_name="Kaisa Mäkelä", email="Kaisa@posti.example")
FOLDERS = [Folder(id="to-pack", name="Att packa"), Folder(id="empty", name="Tom")]


def problem(answer: httpx2.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["type"].removeprefix("/problems/")


async def found(tea: Caller, **wanted: Any) -> list[int]:
    """The numbers of the orders that are found."""
    answer = await tea.client.get("/v1/orders", params=wanted)
    assert answer.status_code == 200, answer.text
    return [order["number"] for order in answer.json()["orders"]]


@pytest.fixture
async def orders(orders_alone: OrdersAlone, tea: Caller) -> list[OrderSnapshot]:
    """Six orders, an hour apart, the first the oldest: their numbers are 1 to 6."""
    await orders_alone.save(a_shop(folders=FOLDERS))
    placed = [
        an_order(placed_at=NOW - timedelta(hours=60)),
        an_order(placed_at=NOW - timedelta(hours=5), message="Ring på!"),
        an_order(
            placed_at=NOW - timedelta(hours=4),
            customer=KAISA,
        ),
        an_order(placed_at=NOW - timedelta(hours=3), lines=[a_line(line_id="1", article_number="KOPP-7", name="Kopp")]),
        an_order(placed_at=NOW - timedelta(hours=2), customer=a_customer(customer_id="C-7", company="Åhus Te AB")),
        an_order(placed_at=NOW - timedelta(hours=1), total=1),
    ]
    for order in placed:
        assert (await tea.place(to_place(order))).status_code == 201
    return placed


@pytest.mark.requirement("R001", "R003", "R004")
async def test_the_newest_orders_come_first_with_all_that_a_row_shows(tea: Caller, orders: list[OrderSnapshot]) -> None:
    assert await found(tea) == [6, 5, 4, 3, 2, 1]
    assert await found(tea, sort="number") == [1, 2, 3, 4, 5, 6]
    assert await found(tea, sort="placed_at", limit=2) == [1, 2]
    await tea.handle(orders[1].id, "internal-status", status="to-pick")
    assert await found(tea, sort="-changed_at", limit=1) == [2]
    assert (await found(tea, sort="name"))[0] == 3
    rows = (await tea.client.get("/v1/orders")).json()["orders"]
    row = rows[4]
    assert (row["id"], row["name"], row["amount"], row["currency"]) == (str(orders[1].id), "Åsa Öberg", 22700, "SEK")
    assert (row["message"], row["internal_status"], row["status"], row["version"]) == (True, "to-pick", "received", 2)
    assert [row["overdue"] for row in rows] == [False] * 5 + [True]


@pytest.mark.usefixtures("orders")
async def test_pages_follow_one_another_and_nothing_is_passed_over_while_orders_come(tea: Caller) -> None:
    for sort in ("-placed_at", "placed_at", "-number", "number"):
        seen: list[int] = []
        after: str | None = ""
        while after is not None:
            page = (await tea.client.get("/v1/orders", params={"sort": sort, "limit": 2, "after": after})).json()
            seen += [order["number"] for order in page["orders"]]
            after = page["next"]
            if sort == "-placed_at" and len(seen) == 2:
                await tea.place(to_place(an_order()))
        assert [number for number in seen if number <= 6] == sorted(range(1, 7), reverse=sort.startswith("-"))


@pytest.mark.parametrize(
    ("wanted", "numbers"),
    [
        ({"status": ["received"]}, [6, 5, 3, 1]),
        ({"status": ["in-progress", "cancelled"]}, [4, 2]),
        ({"internal_status": "to-pick"}, [3]),
        ({"line_status": "back-ordered"}, [1]),
        ({"folder": "to-pack"}, [5]),
        ({"folder": "root", "processing": "unprocessed"}, [6, 3, 2]),
        ({"processing": "processed"}, [4, 1]),
        ({"goods": "cancelled"}, [4]),
        ({"cancelled": "true"}, [4]),
        ({"cancelled": "false", "status": ["in-progress", "cancelled"]}, [2]),
        ({"payment_status": "captured"}, [6]),
        ({"customer_id": "C-7"}, [5]),
        ({"email": "KAISA@posti.example"}, [3]),
        ({"article": "KOPP-7"}, [4]),
        ({"attention": "true"}, [6]),
        ({"message": "true"}, [2]),
        ({"message": "false", "article": "TEA-100", "status": "received", "folder": "root"}, [6, 3, 1]),
        ({"number_from": 2, "number_to": 3}, [3, 2]),
        ({"placed_before": (NOW - timedelta(hours=50)).isoformat()}, [1]),
        ({"placed_from": (NOW - timedelta(hours=2)).isoformat()}, [6, 5]),
        ({"status": "no-such"}, []),
    ],
)
@pytest.mark.requirement("R005", "R035", "R036", "R110")
async def test_orders_are_filtered(
    tea: Caller, orders: list[OrderSnapshot], wanted: dict[str, Any], numbers: list[int]
) -> None:
    first, second, third, fourth, fifth, sixth = (order.id for order in orders)
    await tea.handle(first, "line-status", status="back-ordered", line_ids=[orders[0].lines[0].line_id])
    await tea.handle(first, "process", units=[])
    await tea.handle(second, "status", status="in-progress")
    await tea.handle(third, "internal-status", status="to-pick")
    await tea.handle(fourth, "cancel")
    await tea.handle(fifth, "folder", folder="to-pack")
    await tea.handle(sixth, "confirm-payment")
    assert await found(tea, **wanted) == numbers


@pytest.mark.parametrize(
    ("typed", "numbers"),
    [
        ("kaisa", [3]),
        ("Mäke", [3]),
        ("kaisa@posti", [3]),
        ("kopp-7", [4]),
        ("KOPP", [4]),
        ("åhus te", [5]),
        ("te åhus", [5]),
        ("sencha åsa", [6, 5, 2, 1]),
        ("kaisa kopp", []),
        ("'; drop table orders; --", []),
        ("& | ! ( ) : *", [6, 5, 4, 3, 2, 1]),
        ("å" * 5_000, []),
        ("ö " * 2_500, [6, 5, 4, 2, 1]),
    ],
)
@pytest.mark.usefixtures("orders")
async def test_orders_are_found_by_the_beginnings_of_words(tea: Caller, typed: str, numbers: list[int]) -> None:
    assert await found(tea, q=typed) == numbers


@pytest.mark.requirement("R006")
async def test_an_order_is_found_by_its_number(orders_alone: OrdersAlone, call_as: CallAs) -> None:
    await orders_alone.save(a_shop(shop="another", first_order_number=734_000))
    caller = await call_as("another")
    for _ in range(2):
        await caller.place(to_place(an_order(shop="another")))
    assert await found(caller, q="734001") == [734_001]
    assert await found(caller, q="7340", sort="-number") == [734_001, 734_000]


IMPOSSIBLE = [
    ("number", 2**63),
    ("amount", "much"),
    ("placed_at", "0001-01-01T00:00:00+23:00"),
    ("changed_at", None),
    ("name", 7),
    ("name", "a\x00"),
    ("name", "\ud800"),
]


def made_up(sort: str, value: object) -> str:
    """A cursor that nobody has given."""
    said = json.dumps(["nordic-tea", sort, value, str(UUID(int=0))])
    return base64.urlsafe_b64encode(said.encode()).decode()


@pytest.mark.usefixtures("orders")
async def test_a_cursor_is_of_one_shop_and_one_order_of_rows(
    orders_alone: OrdersAlone, tea: Caller, call_as: CallAs
) -> None:
    cursor = (await tea.client.get("/v1/orders", params={"limit": 1})).json()["next"]
    await orders_alone.save(a_shop(shop="other-shop"))
    stranger = await call_as("other-shop")
    for caller, wanted in (
        (stranger, {"after": cursor}),
        (tea, {"after": cursor, "sort": "number"}),
        (tea, {"after": "x"}),
        *((tea, {"after": made_up(sort, value), "sort": sort}) for sort, value in IMPOSSIBLE),
    ):
        assert problem(await caller.client.get("/v1/orders", params=wanted)) == (422, "wrong-cursor")
    assert (await stranger.client.get("/v1/orders")).json() == {"orders": [], "next": None}


async def test_what_cannot_be_looked_for_is_refused(tea: Caller) -> None:
    for wanted in ({"limit": 0}, {"limit": 201}, {"sort": "colour"}, {"colour": "blue"}, {"placed_from": "yesterday"},
                   {"q": "å" * 5_001}, {"q": "te\x00"}, {"article": "\x00"}, {"status": ["x"] * 51}):  # fmt: skip
        assert problem(await tea.client.get("/v1/orders", params=wanted)) == (422, "invalid-request"), wanted


@pytest.mark.requirement("R110")
async def test_what_waits_for_people_is_counted(tea: Caller, orders: list[OrderSnapshot]) -> None:
    await tea.handle(orders[1].id, "process")
    await tea.handle(orders[2].id, "cancel")
    todo = (await tea.client.get("/v1/orders/to-do")).json()
    assert {name: each["count"] for name, each in todo.items()} == {"unprocessed": 4, "overdue": 1, "attention": 1}
    assert (await tea.client.get("/v1/orders/count", params={"q": "kopp"})).json() == {"count": 1, "more": False}


@pytest.mark.requirement("R005", "R041", "R042")
async def test_folders_say_how_many_orders_lie_in_them(tea: Caller, orders: list[OrderSnapshot]) -> None:
    await tea.handle(orders[0].id, "folder", folder="to-pack")
    folders = (await tea.client.get("/v1/folders")).json()["folders"]
    assert [(each["id"], each["name"], each["count"]) for each in folders] == [
        ("root", "Root", 5),
        ("to-pack", "Att packa", 1),
        ("empty", "Tom", 0),
    ]


async def test_a_view_is_kept_changed_and_forgotten(tea: Caller, call_as: CallAs) -> None:
    view = {"name": "Att packa i dag", "filter": {"status": ["received"], "message": True}, "position": 1}
    assert (await tea.client.put("/v1/views/today", json=view)).status_code == 204
    assert (await tea.client.put("/v1/views/today", json=view | {"name": "I dag"})).status_code == 204
    (kept,) = (await tea.client.get("/v1/views")).json()["views"]
    assert (kept["id"], kept["name"], kept["filter"]["status"], kept["filter"]["q"]) == (
        "today",
        "I dag",
        ["received"],
        "",
    )
    assert (await (await call_as("other-shop")).client.get("/v1/views")).json() == {"views": []}
    assert problem(await tea.client.put("/v1/views/x", json={"name": "X", "filter": {"colour": 1}})) == (
        422,
        "invalid-request",
    )
    assert (await tea.client.delete("/v1/views/today")).status_code == 204
    assert problem(await tea.client.delete("/v1/views/today")) == (404, "unknown-view")


@pytest.mark.requirement("R023", "R111", "R112")
async def test_a_customer_is_known_by_their_orders_and_what_they_come_to(
    orders_alone: OrdersAlone, tea: Caller, call_as: CallAs
) -> None:
    kaisa = KAISA.model_copy(update={"customer_id": "C-9"})
    placed = [an_order(customer=kaisa, placed_at=NOW - timedelta(hours=hours)) for hours in (3, 2, 1)]
    for order in placed:
        assert (await tea.place(to_place(order))).status_code == 201
    await tea.handle(placed[0].id, "cancel")
    await tea.handle(placed[1].id, "confirm-payment")
    await tea.handle(placed[2].id, "contact", email="kaisa@uusi.example")
    customer = (await tea.client.get("/v1/customers/C-9")).json()
    assert (customer["name"], customer["email"]) == ("Kaisa Mäkelä", "kaisa@uusi.example")
    assert [order["number"] for order in customer["orders"]] == [3, 2, 1]
    (sums,) = customer["sums"]
    assert (sums["currency"], sums["orders"], sums["cancelled"]) == ("SEK", 3, 1)
    assert (sums["amount"], sums["paid"]) == (2 * 22700, 22700)
    assert datetime.fromisoformat(sums["first"]) == NOW - timedelta(hours=3)
    await orders_alone.save(a_shop(shop="other-shop"))
    for caller, name in ((tea, "C-8"), (await call_as("other-shop"), "C-9")):
        assert problem(await caller.client.get(f"/v1/customers/{name}")) == (404, "unknown-customer")


@pytest.mark.requirement("R114")
async def test_an_order_that_is_attached_to_an_account_is_in_its_history(tea: Caller) -> None:
    order = an_order()
    await tea.place(to_place(order))
    for customer_id, status in (("C-9", 200), (None, 404)):
        await tea.handle(order.id, "customer", customer_id=customer_id)
        assert (await tea.client.get("/v1/customers/C-9")).status_code == status

"""A shop changes its own settings: all are told, and what its orders have is not taken from them."""

from typing import Any

import httpx2
import pytest

from services.orders.domain.statuses import FROM_THE_START
from shared.runtime.tokens import ANY_SHOP, OPERATOR
from tests.builders import a_shop, an_order, to_place
from tests.plugins.orders import CallAs, Caller, OrdersAlone

OWN = {"id": "gift", "axis": "internal", "names": {"sv": "Present", "fi": "Lahja", "en": "Present"}}


def problem(answer: httpx2.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["type"].removeprefix("/problems/")


@pytest.fixture
async def owner(call_as: CallAs) -> Caller:
    """Somebody who may change the shop and handle its orders."""
    return await call_as("nordic-tea", "orders:read", "orders:write", "shop:write")


async def settings(owner: Caller, **changes: Any) -> dict[str, Any]:
    """The shop's present settings with these changes, as they are put."""
    now = (await owner.client.get("/v1/shop")).json()
    return {name: value for name, value in (now | changes).items() if name not in {"shop", "features"}}


async def put(owner: Caller, **changes: Any) -> httpx2.Response:
    return await owner.client.put("/v1/shop", json=await settings(owner, **changes))


@pytest.mark.requirement("R034", "R039")
async def test_a_shop_without_statuses_of_its_own_has_those_that_every_shop_begins_with(owner: Caller) -> None:
    shop = (await owner.client.get("/v1/shop")).json()
    assert (shop["shop"], shop["name"]) == ("nordic-tea", "Nordiska Tehuset")
    assert [status["id"] for status in shop["statuses"]] == [status.id for status in FROM_THE_START]


@pytest.mark.requirement("R034", "R036", "R039")
async def test_a_status_is_added_given_retired_and_never_taken_from_an_order(
    orders_alone: OrdersAlone, owner: Caller
) -> None:
    statuses = [status.model_dump(mode="json") for status in FROM_THE_START]
    assert (await put(owner, statuses=[*statuses, OWN])).status_code == 200
    told = await orders_alone.pool.fetchval(
        "select payload from outbox where topic = 'shops.facts' order by position desc limit 1"
    )
    assert '"gift"' in told, "everybody is told"
    order = an_order()
    await owner.place(to_place(order))
    assert (await owner.handle(order.id, "internal-status", status="gift")).status_code == 200
    assert problem(await put(owner, statuses=statuses)) == (409, "status-in-use")
    assert (await put(owner, statuses=[*statuses, OWN | {"retired": True}])).status_code == 200
    assert (await owner.handle(order.id, "internal-status", status=None)).status_code == 200
    assert problem(await owner.handle(order.id, "internal-status", status="gift")) == (422, "status-retired")
    assert (await put(owner, statuses=statuses)).status_code == 200, "no order has it any more"
    assert problem(await put(owner, statuses=[*statuses, statuses[0]])) == (422, "status-twice")


@pytest.mark.requirement("R005", "R040")
async def test_a_folder_with_orders_in_it_stays(owner: Caller) -> None:
    assert (await put(owner, folders=[{"id": "to-pack", "name": "Att packa"}])).status_code == 200
    order = an_order()
    await owner.place(to_place(order))
    assert (await owner.handle(order.id, "folder", folder="to-pack")).status_code == 200
    assert problem(await put(owner, folders=[])) == (409, "folder-in-use")
    await owner.handle(order.id, "folder", folder=None)
    assert (await put(owner, folders=[])).status_code == 200


@pytest.mark.requirement("R082", "R084")
async def test_what_only_the_operator_decides_stays_as_it_is(orders_alone: OrdersAlone, owner: Caller) -> None:
    await orders_alone.save(a_shop(features=["order-editing"]))
    answer = await put(owner, name="Tehuset i Umeå", first_order_number=7)
    assert (answer.json()["name"], answer.json()["features"]) == ("Tehuset i Umeå", ["order-editing"])
    wrong = await settings(owner) | {"features": ["all"]}
    assert problem(await owner.client.put("/v1/shop", json=wrong)) == (422, "invalid-request")
    impossible: list[dict[str, Any]] = [
        {"languages": []},
        {"currency": "XYZ"},
        {"time_zone": "Mars/Olympus"},
        {"statuses": [{"id": "x"}]},
    ]
    for changes in impossible:
        assert problem(await put(owner, **changes)) == (422, "invalid-request"), changes


async def test_the_second_of_two_people_who_change_the_settings_is_told(owner: Caller) -> None:
    seen = (await owner.client.get("/v1/shop")).headers["etag"]
    wanted = await settings(owner, name="Teboden")
    first = await owner.client.put("/v1/shop", json=wanted, headers={"if-match": seen})
    assert (first.status_code, first.headers["etag"] != seen) == (200, True)
    second = await owner.client.put("/v1/shop", json=wanted | {"name": "Tehuset"}, headers={"if-match": seen})
    assert problem(second) == (412, "version-conflict")
    now = await owner.client.get("/v1/shop")
    assert (now.json()["name"], now.headers["etag"]) == ("Teboden", first.headers["etag"])


@pytest.mark.requirement("R082", "R083")
async def test_an_operator_makes_shops_and_gives_them_features(
    call_as: CallAs, orders_alone: OrdersAlone, owner: Caller
) -> None:
    operator = (await call_as(ANY_SHOP, OPERATOR)).client
    new = a_shop(shop="new-shop", features=["documents"]).model_dump(mode="json")
    whole = {name: value for name, value in new.items() if name != "shop"}
    assert (await operator.put("/v1/shops/new-shop", json=whole)).status_code == 201
    again = await operator.put("/v1/shops/new-shop", json=whole | {"features": []})
    assert (again.status_code, again.json()["features"]) == (200, [])
    assert (await operator.get("/v1/shops/new-shop")).json() == again.json()
    names = [shop["shop"] for shop in (await operator.get("/v1/shops")).json()["shops"]]
    assert names == ["new-shop", "nordic-tea"]
    stale = {"if-match": '"0123456789abcdef"'}
    assert problem(await operator.put("/v1/shops/new-shop", json=whole, headers=stale)) == (412, "version-conflict")
    assert problem(await operator.get("/v1/shops/no-shop")) == (404, "unknown-shop")
    about_it = "select count(*) from outbox where topic = 'shops.facts' and payload like '%new-shop%'"
    assert await orders_alone.pool.fetchval(about_it) == 2, "everybody is told of each"
    for request in (owner.client.get("/v1/shops"), owner.client.put("/v1/shops/nordic-tea", json=whole)):
        assert problem(await request) == (403, "missing-scope")

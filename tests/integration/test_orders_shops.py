"""Shops: what orders stores of a shop is what it tells everybody."""

import json

import pytest

from services.orders.shops import Shops, find_shop, list_shops
from shared.contracts.refusal import Refused
from tests.builders import a_shop
from tests.plugins.orders import OrdersAlone


async def test_a_saved_shop_is_stored_and_told_to_everybody(orders_alone: OrdersAlone) -> None:
    settings = a_shop(shop="new-shop", name="Nya butiken", total_tolerance=100)
    await orders_alone.save(settings)
    async with orders_alone.pool.acquire() as connection:
        assert await find_shop(connection, "new-shop") == settings
        told = await connection.fetchrow("select topic, payload from outbox where aggregateid = 'new-shop/orders'")
    assert told is not None
    assert told["topic"] == "shops.facts"
    assert json.loads(told["payload"])["data"] == settings.model_dump(mode="json")


async def test_changed_settings_are_told_again_behind_the_first(orders_alone: OrdersAlone) -> None:
    await orders_alone.save(a_shop(name="Före"))
    await orders_alone.save(a_shop(name="Efter"))
    async with orders_alone.pool.acquire() as connection:
        rows = await connection.fetch("select payload from outbox where topic = 'shops.facts' order by sequence")
        [stored] = await list_shops(connection)
    names = [json.loads(row["payload"])["data"]["name"] for row in rows]
    assert names[-2:] == ["Före", "Efter"]
    assert stored.name == "Efter"


async def test_settings_are_kept_for_a_while_and_a_missing_shop_is_not(orders_alone: OrdersAlone) -> None:
    shops = Shops(keep=60)
    async with orders_alone.pool.acquire() as connection:
        with pytest.raises(Refused):
            await shops.get(connection, "new-shop")
        await orders_alone.save(a_shop(shop="new-shop", name="Före"))
        assert (await shops.get(connection, "new-shop")).name == "Före"
        await orders_alone.save(a_shop(shop="new-shop", name="Efter"))
        assert (await shops.get(connection, "new-shop")).name == "Före"
        assert (await Shops(keep=0).get(connection, "new-shop")).name == "Efter"

"""The demo's shop fronts and the real orders service understand each other."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import asyncpg
import httpx2
import pytest
from fastapi import FastAPI

from deploy.local.demo.nordic_shops import SHOPS
from deploy.local.demo.orders_of_nordic_shops import nordic_orders
from deploy.local.demo.shop_front import ShopFront
from deploy.local.demo.shops_and_tokens import set_up_shops
from deploy.local.demo.stories import State, Story
from shared.contracts.message import read_envelope, read_message
from shared.contracts.shop_facts import ShopSettings
from tests.unit.test_demo_shop_front import KeptRecords

SETTINGS = [shop.settings for shop in SHOPS]
OUTBOX = "select payload from outbox order by position"
ORDERS = [one for one in nordic_orders(40, seed=5, today=datetime.now(UTC).date()) if one.order.placed_at is None]


@pytest.fixture
async def front(orders_url: str, orders_app: FastAPI) -> AsyncIterator[ShopFront]:
    """Shop fronts that speak to the service's HTTP face."""
    tokens = await set_up_shops(orders_url, SETTINGS)
    transport = httpx2.ASGITransport(app=orders_app)
    async with httpx2.AsyncClient(transport=transport, base_url="http://orders.example") as http:
        yield ShopFront(http, KeptRecords(), tokens, patience=0)


async def test_every_nordic_order_with_a_right_clock_is_accepted_and_then_known(front: ShopFront) -> None:
    assert not await front.knows(ORDERS[0])
    for asked in ORDERS:
        story = Story(asked, "http")
        await front.place(story)
        assert (story.state, story.reason, story.words) == (State.ACCEPTED, "", "")
        assert await front.knows(asked)


async def test_the_timeline_of_a_placed_order_is_read(front: ShopFront) -> None:
    await front.place(Story(ORDERS[0], "http"))
    [entry] = await front.log_of(ORDERS[0], ["order.noted.v1"])
    assert entry["data"]["event_type"] == "order.placed.v1"
    assert await front.log_of(ORDERS[0], ["message.sent.v1"]) == []


async def test_a_refusal_of_the_service_is_told_with_its_reason(front: ShopFront) -> None:
    future = ORDERS[0].order.model_copy(update={"placed_at": datetime(2999, 1, 1, tzinfo=UTC)})
    story = Story(type(ORDERS[0])(ORDERS[0].shop, "future", future), "http")
    await front.place(story)
    assert (story.state, story.reason) == (State.REJECTED, "placed-at-impossible")


async def test_a_second_start_replaces_the_tokens_and_tells_of_no_shop_again(orders_url: str) -> None:
    first = await set_up_shops(orders_url, SETTINGS)
    second = await set_up_shops(orders_url, SETTINGS)
    assert first.keys() == second.keys() == {settings.shop for settings in SETTINGS}
    connection = await asyncpg.connect(orders_url)
    try:
        assert await connection.fetchval("select count(*) from api_token where revoked_at is null") == len(SETTINGS)
        told = [_settings(row["payload"]) for row in await connection.fetch(OUTBOX)]
    finally:
        await connection.close()
    assert told == [settings.model_dump() for settings in SETTINGS]


def _settings(record: str) -> Any:
    settings = read_message(read_envelope(record.encode()))
    assert isinstance(settings, ShopSettings)
    return settings.model_dump()

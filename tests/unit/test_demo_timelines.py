"""A confirmation counts when the order's own timeline shows it, however late; a failure there is taken in as well."""

from collections.abc import Sequence
from datetime import date
from typing import Any

import httpx2
import pytest

from deploy.local.demo.orders_of_nordic_shops import nordic_orders
from deploy.local.demo.shop_front import ShopFront
from deploy.local.demo.stories import State, Story
from deploy.local.demo.timelines import Timelines
from tests.unit.test_demo_shop_front import KeptRecords

ASKED = nordic_orders(1, seed=1, today=date(2026, 11, 24))[0]
SENT = {"type": "message.sent.v1", "data": {"template": "order-received"}}
FAILED = {"type": "message.failed.v1", "data": {"template": "order-received", "reason": "refused", "detail": "550"}}
UNKNOWN = {"type": "effect.unknown.v1", "data": {"effect": "mail", "detail": "no answer"}}
FEEDBACK = {"type": "message.sent.v1", "data": {"template": "feedback"}}


async def seen(pages: Sequence[list[dict[str, Any]]], status: int = 200, patience: float = 5.0) -> Story:
    story, left = Story(ASKED, "earlier", State.ACCEPTED), list(pages)

    def answer(request: httpx2.Request) -> httpx2.Response:
        assert request.url.path == f"/v1/orders/{ASKED.order.order_id}/log"
        assert "message.sent.v1" in request.url.params.get_list("type")
        entries = left.pop(0) if len(left) > 1 else left[0]
        return httpx2.Response(status, json={"entries": entries, "after": 0, "more": False})

    async with httpx2.AsyncClient(transport=httpx2.MockTransport(answer), base_url="http://orders.example") as http:
        front = ShopFront(http, KeptRecords(), {ASKED.shop: "ot_secret"}, patience=0)
        await Timelines(front, patience).wait_for(story)
    return story


async def test_a_confirmation_that_comes_later_is_waited_for() -> None:
    story = await seen([[], [FEEDBACK], [FEEDBACK, SENT]])
    assert story.on_timeline
    assert story.state is State.CONFIRMED


async def test_a_confirmation_that_does_not_come_is_not_waited_for_without_end() -> None:
    story = await seen([[FEEDBACK]], patience=0)
    assert not story.on_timeline
    assert story.state is State.ACCEPTED


@pytest.mark.parametrize(("entry", "state"), [(FAILED, State.FAILED), (UNKNOWN, State.UNKNOWN)])
async def test_a_failure_on_the_timeline_ends_the_wait(entry: dict[str, Any], state: State) -> None:
    story = await seen([[entry]])
    assert (story.on_timeline, story.state) == (False, state)


async def test_a_service_that_cannot_answer_is_told_in_its_words() -> None:
    story = await seen([[]], status=500)
    assert not story.on_timeline
    assert story.words.startswith("HTTP 500")

"""The demo counts a delivery note as printed when it has the file in its hands, and says why where it has not."""

from collections.abc import Sequence
from datetime import date
from typing import Any

import httpx2
import pytest

from deploy.local.demo.orders_of_nordic_shops import nordic_orders
from deploy.local.demo.papers import Papers
from deploy.local.demo.shop_front import ShopFront
from deploy.local.demo.stories import State, Story
from tests.unit.test_demo_shop_front import KeptRecords

ASKED = nordic_orders(1, seed=1, today=date(2026, 11, 24))[0]
PRINTED = {"type": "document.printed.v1", "data": {"document": "delivery-note", "document_id": "d-7"}}
OTHER = {"type": "document.printed.v1", "data": {"document": "pick-list", "document_id": "d-8"}}
FAILED = {"type": "document.failed.v1", "data": {"document": "delivery-note", "reason": "cannot-be-rendered"}}
OTHER_DEAD = {"type": "reaction.dead.v1", "data": {"group": "notifications", "detail": "no such template"}}
DEAD = {"type": "reaction.dead.v1", "data": {"group": "documents", "detail": "the store is full"}}


async def printed(pages: Sequence[list[dict[str, Any]]], file: bytes = b"%PDF-1.7", patience: float = 5.0) -> Story:
    story, left, keys = Story(ASKED, "http", State.ACCEPTED), list(pages), []

    def orders(request: httpx2.Request) -> httpx2.Response:
        if request.method == "POST":
            keys.append(request.headers["idempotency-key"])
            return httpx2.Response(202, json={})
        return httpx2.Response(200, json={"entries": left.pop(0) if len(left) > 1 else left[0], "more": False})

    def documents(request: httpx2.Request) -> httpx2.Response:
        assert (request.url.path, request.headers["authorization"]) == ("/v1/documents/d-7", "Bearer dt")
        return httpx2.Response(200, content=file)

    async with (
        httpx2.AsyncClient(transport=httpx2.MockTransport(orders), base_url="http://orders.example") as http,
        httpx2.AsyncClient(transport=httpx2.MockTransport(documents), base_url="http://documents.example") as files,
    ):
        front = ShopFront(http, KeptRecords(), {ASKED.shop: "ot"}, patience=0)
        await Papers(front, files, {ASKED.shop: "dt"}, patience).print_note(story)
    assert keys == [f"demo-delivery-note-{ASKED.order.order_id}"]
    return story


async def test_a_note_is_waited_for_and_fetched() -> None:
    story = await printed([[], [OTHER, OTHER_DEAD], [OTHER, OTHER_DEAD, PRINTED]])
    assert (story.printed, story.document_id, story.no_paper) == (True, "d-7", "")


@pytest.mark.parametrize(("entry", "words"), [(FAILED, "cannot-be-rendered"), (DEAD, "the store is full")])
async def test_a_note_that_cannot_be_made_is_told_in_the_logs_words(entry: dict[str, Any], words: str) -> None:
    story = await printed([[entry]])
    assert not story.printed
    assert words in story.no_paper


async def test_a_note_of_which_nobody_says_anything_is_not_waited_for_without_end() -> None:
    story = await printed([[OTHER]], patience=0.3)
    assert not story.printed
    assert "says nothing of a delivery-note" in story.no_paper


async def test_a_file_that_is_no_pdf_is_no_note() -> None:
    story = await printed([[PRINTED]], file=b"<html>")
    assert not story.printed
    assert "HTTP 200" in story.no_paper

"""The demo's shop fronts use the public ways in, obey "try again later", and keep what they were answered."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import httpx2
import pytest

from deploy.local.demo.orders_of_nordic_shops import nordic_orders
from deploy.local.demo.shop_front import NoAnswer, ShopFront
from deploy.local.demo.stories import State, Story
from shared.contracts.message import read_envelope, read_message

ASKED = nordic_orders(1, seed=1, today=date(2026, 11, 24))[0]
Answerer = Callable[[httpx2.Request], httpx2.Response]


@dataclass
class KeptRecords:
    """A producer that keeps what it is given."""

    records: list[tuple[str, bytes, bytes, list[tuple[str, bytes]]]] = field(default_factory=list)

    async def send_and_wait(self, topic: str, value: bytes, *, key: bytes, headers: list[tuple[str, bytes]]) -> Any:
        self.records.append((topic, value, key, headers))


@dataclass
class Service:
    """Answers one request after another, the last answer for ever; keeps the requests."""

    answers: list[httpx2.Response | Exception]
    requests: list[httpx2.Request] = field(default_factory=list)

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        self.requests.append(request)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer


async def placed(
    service: Answerer, producer: KeptRecords | None = None, way: Any = "http", patience: float = 5
) -> Story:
    story = Story(ASKED, way)
    async with httpx2.AsyncClient(transport=httpx2.MockTransport(service), base_url="http://orders.example") as http:
        tokens = {ASKED.shop: "ot_secret"}
        front = ShopFront(http, producer or KeptRecords(), tokens, topic_prefix="t1.", patience=patience)
        await front.place(story)
    return story


async def test_an_order_by_http_carries_its_shops_token_and_a_key() -> None:
    service = Service([httpx2.Response(201, json={})])
    story = await placed(service)
    [request] = service.requests
    assert (request.method, request.url.path) == ("POST", "/v1/orders")
    assert request.headers["authorization"] == "Bearer ot_secret"
    assert request.headers["idempotency-key"]
    assert story.state is State.ACCEPTED


async def test_an_unavailable_service_is_asked_again_with_the_same_key() -> None:
    away = httpx2.Response(503, headers={"Retry-After": "0"})
    service = Service([away, away, httpx2.Response(201, json={})])
    story = await placed(service)
    assert story.state is State.ACCEPTED
    assert len(service.requests) == 3
    assert len({request.headers["idempotency-key"] for request in service.requests}) == 1
    assert len({request.content for request in service.requests}) == 1


async def test_the_wait_that_the_service_asks_for_is_kept() -> None:
    service = Service([httpx2.Response(503, headers={"Retry-After": "0.3"}), httpx2.Response(201, json={})])
    began = asyncio.get_running_loop().time()
    await placed(service)
    assert asyncio.get_running_loop().time() - began >= 0.3


@pytest.mark.parametrize("answer", [httpx2.Response(503), httpx2.ConnectError("refused")])
async def test_a_service_that_stays_away_is_said_to_have_given_no_answer(answer: httpx2.Response | Exception) -> None:
    with pytest.raises(NoAnswer, match=r"the last was: (HTTP 503|ConnectError refused)"):
        await placed(Service([answer]), patience=0)


async def test_a_refusal_by_http_is_kept_with_its_reason_and_in_words() -> None:
    problem = {
        "type": "/problems/invalid-request",
        "title": "The request does not follow the schema.",
        "errors": [{"pointer": "#/lines/0/quantity", "code": "int", "detail": "should be less than 1000000"}],
    }
    service = Service([httpx2.Response(422, json=problem, headers={"Content-Type": "application/problem+json"})])
    story = await placed(service)
    assert (story.state, story.reason) == (State.REJECTED, "invalid-request")
    assert "#/lines/0/quantity should be less" in story.words


async def test_an_answer_that_is_no_problem_document_is_kept_by_its_status() -> None:
    assert (await placed(Service([httpx2.Response(413, text="too much")]))).reason == "http-413"


async def test_an_order_by_topic_is_a_record_that_any_reader_understands() -> None:
    producer = KeptRecords()
    story = await placed(Service([httpx2.Response(500)]), producer, way="topic")
    [(topic, value, key, headers)] = producer.records
    command = read_message(read_envelope(value))
    assert topic == "t1.orders.commands"
    assert key.decode() == command.subject == str(ASKED.order.order_id)
    assert (command.meta.source, command.meta.shop) == ("/shop-front", ASKED.shop)
    assert dict(headers)["ce_type"] == b"order.place.v1"
    assert story.state is State.ASKED


async def test_an_order_of_an_earlier_run_is_known_by_asking_for_it() -> None:
    for status, known in ((200, True), (404, False)):
        service = Service([httpx2.Response(status, json={})])
        async with httpx2.AsyncClient(transport=httpx2.MockTransport(service), base_url="http://o.example") as http:
            front = ShopFront(http, KeptRecords(), {ASKED.shop: "ot_secret"})
            assert await front.knows(ASKED) is known
        assert service.requests[0].url.path == f"/v1/orders/{ASKED.order.order_id}"

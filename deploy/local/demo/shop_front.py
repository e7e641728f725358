"""The demo's shop fronts place orders as any other would: by HTTP with a token, or as records on the command topic."""

import asyncio
import json
from collections.abc import Mapping, Sequence
from typing import Any, Protocol
from urllib.parse import urlencode

import httpx2
from aiokafka.errors import KafkaError

from deploy.local.demo.asked import Asked
from deploy.local.demo.stories import State, Story
from shared.contracts.files import DocumentKind
from shared.contracts.message import Meta, new_id, now, record_headers, write_record
from shared.contracts.topics import ORDERS_COMMANDS

SOURCE = "/shop-front"
_AGAIN = {429, 502, 503, 504}
_LONGEST_WAIT = 10.0


class NoAnswer(Exception):
    """The service was asked for as long as anybody has patience, and gave no answer that says yes or no."""


class Producer(Protocol):
    """What of a Kafka producer is used here."""

    async def send_and_wait(self, topic: str, value: bytes, *, key: bytes, headers: list[tuple[str, bytes]]) -> Any:
        """Sends one record and waits until the broker has it."""


class ShopFront:
    """Places orders for the shops it has tokens of; an unavailable service is asked for `patience` seconds."""

    def __init__(
        self,
        http: httpx2.AsyncClient,
        producer: Producer,
        tokens: Mapping[str, str],
        *,
        topic_prefix: str = "",
        patience: float = 60.0,
    ) -> None:
        self._http = http
        self._producer = producer
        self._tokens = tokens
        self._topic = f"{topic_prefix}{ORDERS_COMMANDS.name}"
        self._patience = patience

    async def knows(self, asked: Asked) -> bool:
        """Whether this order was placed before, by another run. Raises NoAnswer."""
        answer = await self._answer("GET", f"/v1/orders/{asked.order.order_id}", asked.shop)
        if answer.is_success or answer.status_code == httpx2.codes.NOT_FOUND:
            return answer.is_success
        raise NoAnswer(f"HTTP {answer.status_code} to a question for an order: {answer.text[:200]}")

    async def log_of(self, asked: Asked, types: Sequence[str]) -> list[dict[str, Any]]:
        """The entries of these types on the order's timeline, oldest first, at most a hundred. Raises NoAnswer."""
        wanted = urlencode([("type", name) for name in types])
        answer = await self._answer("GET", f"/v1/orders/{asked.order.order_id}/log?{wanted}", asked.shop)
        if not answer.is_success:
            raise NoAnswer(f"HTTP {answer.status_code} to a question for a timeline: {answer.text[:200]}")
        entries: list[dict[str, Any]] = answer.json()["entries"]
        return entries

    async def promises_of(self, asked: Asked) -> list[dict[str, Any]]:
        """What the order expects of others, and whether it has happened. Raises NoAnswer."""
        answer = await self._answer("GET", f"/v1/orders/{asked.order.order_id}/promises", asked.shop)
        if not answer.is_success:
            raise NoAnswer(f"HTTP {answer.status_code} to a question for promises: {answer.text[:200]}")
        promises: list[dict[str, Any]] = answer.json()["promises"]
        return promises

    async def ask_for(self, asked: Asked, document: DocumentKind) -> None:
        """Asks for a document of the order, once for ever: asked again, the first answer comes. Raises NoAnswer."""
        await self._act(asked, "documents", f"demo-{document}-{asked.order.order_id}", document=document)

    async def act(self, asked: Asked, what: str, **body: object) -> None:
        """Does something with the order, once for ever: asked again, the first answer comes. Raises NoAnswer."""
        await self._act(asked, what, f"demo-{what}-{asked.order.order_id}", **body)

    async def _act(self, asked: Asked, what: str, key: str, **body: object) -> None:
        path = f"/v1/orders/{asked.order.order_id}/{what}"
        answer = await self._answer("POST", path, asked.shop, json.dumps(body), key)
        if not answer.is_success:
            raise NoAnswer(f"HTTP {answer.status_code} to {what}: {answer.text[:200]}")

    async def place(self, story: Story) -> None:
        """Places the order in its way; a refusal by HTTP is in the story afterwards, one by topic comes on the log.

        Raises NoAnswer.
        """
        if story.way == "topic":
            await self._place_by_topic(story.asked)
            return
        body = story.asked.order.model_dump_json(exclude_none=True)
        _take_in(story, await self._answer("POST", "/v1/orders", story.asked.shop, body))

    async def _place_by_topic(self, asked: Asked) -> None:
        command = asked.order
        meta = Meta(
            id=new_id(), source=SOURCE, subject=command.subject, shop=asked.shop, actor="shop-front", time=now()
        )
        headers = [(name, value.encode()) for name, value in record_headers(command, meta).items()]
        record = write_record(command, meta).encode()
        try:
            await self._producer.send_and_wait(self._topic, record, key=command.subject.encode(), headers=headers)
        except KafkaError as problem:
            raise NoAnswer(f"the broker took no record: {type(problem).__name__} {problem}") from problem

    async def _answer(
        self, method: str, path: str, shop: str, body: str | None = None, key: str = ""
    ) -> httpx2.Response:
        headers = {"Authorization": f"Bearer {self._tokens[shop]}"}
        if body is not None:
            headers |= {"Idempotency-Key": key or new_id(), "Content-Type": "application/json"}
        deadline = asyncio.get_running_loop().time() + self._patience
        while True:
            try:
                answer = await self._http.request(method, path, content=body, headers=headers)
                if answer.status_code not in _AGAIN:
                    return answer
                wait, words = _retry_after(answer), f"HTTP {answer.status_code}: {answer.text[:200]}"
            except httpx2.TransportError as problem:
                wait, words = 1.0, f"{type(problem).__name__} {problem}".strip()
            if asyncio.get_running_loop().time() + wait > deadline:
                raise NoAnswer(f"no answer in {self._patience:.0f} s, the last was: {words}")
            await asyncio.sleep(wait)


def _take_in(story: Story, answer: httpx2.Response) -> None:
    if answer.is_success:
        story.come_to(State.ACCEPTED)
        return
    reason, words = f"http-{answer.status_code}", answer.reason_phrase
    if answer.headers.get("content-type", "").startswith("application/problem+json"):
        problem = answer.json()
        reason = str(problem.get("type", reason)).rpartition("/")[2]
        words = _in_words(problem)
    story.come_to(State.REJECTED, reason, words)


def _in_words(problem: dict[str, Any]) -> str:
    faults = [
        f"{fault.get('pointer', '')} {fault.get('detail', '')}".strip() for fault in problem.get("errors", [])[:3]
    ]
    return "; ".join([str(problem.get("detail") or problem.get("title") or ""), *faults])


def _retry_after(answer: httpx2.Response) -> float:
    """The seconds that the answer asks to wait, at most ten; one where it names none or a date."""
    try:
        return min(max(float(answer.headers.get("retry-after", "1")), 0.0), _LONGEST_WAIT)
    except ValueError:
        return 1.0

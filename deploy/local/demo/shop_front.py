"""The demo's shop fronts place orders as any other would: by HTTP with a token, or as records on the command topic."""

import asyncio
from collections.abc import Mapping
from typing import Any, Protocol

import httpx2

from deploy.local.demo.asked import Asked
from deploy.local.demo.stories import State, Story
from shared.contracts.message import Meta, new_id, now, record_headers, write_record
from shared.contracts.topics import ORDERS_COMMANDS

SOURCE = "/shop-front"
_AGAIN = {429, 502, 503, 504}
_LONGEST_WAIT = 10.0


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
        """Whether this order was placed before, by another run. Raises httpx2.HTTPError where that cannot be seen."""
        answer = await self._http.get(f"/v1/orders/{asked.order.order_id}", headers=self._authority(asked.shop))
        if answer.status_code == httpx2.codes.NOT_FOUND:
            return False
        answer.raise_for_status()
        return True

    async def place(self, story: Story) -> None:
        """Places the order in its way; a refusal by HTTP is in the story afterwards, one by topic comes on the log."""
        if story.way == "topic":
            await self._place_by_topic(story.asked)
        else:
            await self._place_by_http(story)

    async def _place_by_topic(self, asked: Asked) -> None:
        command = asked.order
        meta = Meta(
            id=new_id(), source=SOURCE, subject=command.subject, shop=asked.shop, actor="shop-front", time=now()
        )
        headers = [(name, value.encode()) for name, value in record_headers(command, meta).items()]
        record = write_record(command, meta).encode()
        await self._producer.send_and_wait(self._topic, record, key=command.subject.encode(), headers=headers)

    async def _place_by_http(self, story: Story) -> None:
        headers = self._authority(story.asked.shop) | {"Idempotency-Key": new_id(), "Content-Type": "application/json"}
        body = story.asked.order.model_dump_json(exclude_none=True)
        deadline = asyncio.get_running_loop().time() + self._patience
        while True:
            try:
                answer = await self._http.post("/v1/orders", content=body, headers=headers)
                if answer.status_code not in _AGAIN:
                    _take_in(story, answer)
                    return
                wait, words = _retry_after(answer), f"HTTP {answer.status_code}"
            except httpx2.TransportError as problem:
                wait, words = 1.0, f"{type(problem).__name__} {problem}".strip()
            story.words = f"no answer yet: {words}"
            if asyncio.get_running_loop().time() + wait > deadline:
                return
            await asyncio.sleep(wait)

    def _authority(self, shop: str) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._tokens[shop]}"}


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

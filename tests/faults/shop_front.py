"""How a careful shop front talks to a system that may be away: again and again, and each time the very same."""

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import httpx2
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from shared.contracts.message import Message, record_headers, write_record

ANSWER_WITHIN = 10.0
NOT_FOUND = 404
REFUSALS = range(400, 500)
TRY_AGAIN = {408, 425, 429, NOT_FOUND}
"""404: the order was placed by the topic a moment ago and has not been taken in yet."""
LONGEST_WAIT = 300.0
"""Seconds after which a shop front gives up; it never should."""


class ShopFront:
    """Posts to any of the addresses, and sends to the topic of commands."""

    def __init__(self, urls: Sequence[str], token: str, producer: AIOKafkaProducer, topic: str, seed: int) -> None:
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        limits = httpx2.Limits(max_connections=100, keepalive_expiry=2.0)
        self._http = httpx2.AsyncClient(headers=headers, timeout=ANSWER_WITHIN, limits=limits)
        self._urls, self._producer, self._topic = list(urls), producer, topic
        self._dice = random.Random(f"shop front {seed}")

    async def post(self, path: str, body: str, key: str) -> str | None:
        """None when it was accepted, else why it was refused."""
        loop = asyncio.get_running_loop()
        give_up, last = loop.time() + LONGEST_WAIT, "never tried"
        while loop.time() < give_up:
            url = self._dice.choice(self._urls) + path
            try:
                answer = await self._http.post(url, content=body, headers={"Idempotency-Key": key})
            except httpx2.TransportError as error:
                last = f"{type(error).__name__}: {error}"
            else:
                last = f"{answer.status_code}: {answer.text[:200]}"
                if answer.is_success:
                    return None
                if answer.status_code in REFUSALS and answer.status_code not in TRY_AGAIN:
                    return last
            await asyncio.sleep(self._dice.uniform(0.1, 0.5))
        return last

    async def send(self, command: Message) -> None:
        """Returns when the broker has acknowledged it, whatever it takes."""
        headers = [(name, value.encode()) for name, value in record_headers(command, command.meta).items()]
        value = write_record(command, command.meta).encode()
        while True:
            try:
                await self._producer.send_and_wait(self._topic, value, key=command.subject.encode(), headers=headers)
            except KafkaError:
                await asyncio.sleep(self._dice.uniform(0.1, 0.5))
            else:
                return

    async def close(self) -> None:
        """Closes the connections."""
        await self._http.aclose()


@asynccontextmanager
async def a_shop_front(urls: Sequence[str], token: str, kafka: str, topic: str, seed: int) -> AsyncIterator[ShopFront]:
    """A shop front whose producer repeats by itself; what comes twice by that is one command, by its id."""
    producer = AIOKafkaProducer(bootstrap_servers=kafka, acks="all", enable_idempotence=False, request_timeout_ms=5_000)
    await producer.start()
    front = ShopFront(urls, token, producer, topic, seed)
    try:
        yield front
    finally:
        await front.close()
        await producer.stop()

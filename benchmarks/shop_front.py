"""A shop front that costs next to nothing: requests are bytes that were made before, answers are read and no more."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Self

from benchmarks.material import body_to_place, new_order_id
from deploy.local.ports import HOST
from shared.contracts.message import new_id

HEAD = (
    "POST /v1/orders HTTP/1.1\r\nhost: orders\r\nauthorization: Bearer {token}\r\n"
    "content-type: application/json\r\ncontent-length: {length}\r\nidempotency-key: "
)


class ShopFront:
    """One connection that is kept; places one order after another."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, token: str, lines: int) -> None:
        self._reader, self._writer = reader, writer
        self._body, self._order_id = body_to_place(lines)
        self._head = HEAD.format(token=token, length=len(self._body.encode()))

    @classmethod
    async def connect(cls, port: int, token: str, lines: int) -> Self:
        """A shop front with a connection of its own."""
        return cls(*await asyncio.open_connection(HOST, port), token, lines)

    async def place(self) -> None:
        """Place one order. Raises RuntimeError when it is not accepted."""
        body = self._body.replace(self._order_id, new_order_id())
        self._writer.write(f"{self._head}{new_id()}\r\n\r\n{body}".encode())
        head = (await self._reader.readuntil(b"\r\n\r\n")).decode().lower()
        answer = await self._reader.readexactly(int(head.partition("content-length:")[2].split("\r\n", 1)[0]))
        if not head.startswith("http/1.1 201"):
            raise RuntimeError(f"an order was not accepted: {head} {answer.decode()}")

    def close(self) -> None:
        """Hang up."""
        self._writer.close()


@asynccontextmanager
async def shop_fronts(port: int, token: str, count: int, lines: int = 5) -> AsyncIterator[list[ShopFront]]:
    """So many of them, each with a connection of its own."""
    async with AsyncExitStack() as undo:
        fronts = []
        for _ in range(count):
            front = await ShopFront.connect(port, token, lines)
            undo.callback(front.close)
            fronts.append(front)
        yield fronts

"""A way to PostgreSQL on which the answer to COMMIT may be lost: it was committed, and nobody was told."""

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from deploy.local.ports import HOST

COMMIT = b"Q\x00\x00\x00\x0cCOMMIT;\x00"
"""The message that asyncpg sends for it."""
AT_ONCE = 65536


@dataclass
class CommitEater:
    """Passes everything on between clients and the server, but `share` of the answers to COMMIT."""

    server_port: int
    seed: int
    share: float = 0.0
    eaten: int = 0
    port: int = 0
    server_host: str = HOST
    _connections: set[asyncio.Task[None]] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._dice = random.Random(f"commits {self.seed}")

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[None]:
        """Takes connections for as long as the block runs."""
        server = await asyncio.start_server(self._connection, HOST, 0)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield
        finally:
            server.close()
            for task in list(self._connections):
                task.cancel()
            await asyncio.gather(*self._connections, return_exceptions=True)

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        try:
            with contextlib.suppress(OSError):
                await self._pass_on(reader, writer)
        finally:
            writer.transport.abort()
            self._connections.discard(task)

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        from_server, to_server = await asyncio.open_connection(self.server_host, self.server_port)
        hungry = asyncio.Event()
        ways = [
            asyncio.create_task(self._up(reader, to_server, hungry)),
            asyncio.create_task(self._down(from_server, writer, hungry)),
        ]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
            to_server.transport.abort()

    async def _up(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, hungry: asyncio.Event) -> None:
        while data := await reader.read(AT_ONCE):
            if self.share and data.endswith(COMMIT) and self._dice.random() < self.share:
                hungry.set()
            writer.write(data)
            await writer.drain()

    async def _down(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, hungry: asyncio.Event) -> None:
        while data := await reader.read(AT_ONCE):
            if hungry.is_set():
                self.eaten += 1
                return
            writer.write(data)
            await writer.drain()

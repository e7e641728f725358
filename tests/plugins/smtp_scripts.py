"""An SMTP server that says what its script says, for what no well-behaved server can be made to do."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

HANG_UP = "hang up"
SILENCE = "silence"

POLITE: Mapping[str, str] = {
    "GREETING": "220 ready",
    "EHLO": "250 test.example",
    "RSET": "250 OK",
    "MAIL": "250 OK",
    "RCPT": "250 OK",
    "DATA": "354 go on",
    "CONTENT": "250 queued",
    "QUIT": "221 bye",
}


@dataclass
class ScriptedServer:
    """What was said to it, and what it answers: by command, `HANG_UP` or `SILENCE` included."""

    script: dict[str, str]
    port: int = 0
    heard: list[str] = field(default_factory=list)
    connections: int = 0
    mails: list[bytes] = field(default_factory=list)
    refuses: set[str] = field(default_factory=set)
    """Addresses that it has never heard of."""

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        self.connections += 1
        try:
            await self._talk(reader, writer)
        except ConnectionError:
            pass
        finally:
            writer.close()

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        goes_on = await self._answer(writer, "GREETING")
        while goes_on and (line := await reader.readline()):
            command = line.decode().strip()
            self.heard.append(command)
            word = command.split(" ")[0].split(":")[0].upper()
            if word == "RCPT" and any(address in command for address in self.refuses):
                writer.write(b"550 5.1.1 no such user\r\n")
                await writer.drain()
                continue
            goes_on = await self._answer(writer, word)
            if word == "DATA" and self.script["DATA"].startswith("354"):
                self.mails.append(await reader.readuntil(b"\r\n.\r\n"))
                goes_on = await self._answer(writer, "CONTENT")
            goes_on = goes_on and word != "QUIT"

    async def _answer(self, writer: asyncio.StreamWriter, word: str) -> bool:
        answer = self.script.get(word, "502 not implemented")
        if answer == HANG_UP:
            return False
        if answer != SILENCE:
            writer.write(answer.encode() + b"\r\n")
            await writer.drain()
        return True


@asynccontextmanager
async def scripted_smtp(**script: str) -> AsyncIterator[ScriptedServer]:
    """A server that is polite except where `script` says otherwise; it may be changed while it runs."""
    server = ScriptedServer({**POLITE, **script})
    listening = await asyncio.start_server(server.talk, "127.0.0.1", 0)
    server.port = listening.sockets[0].getsockname()[1]
    async with listening:
        yield server

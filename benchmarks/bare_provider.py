"""A provider that costs next to nothing: `python -m benchmarks.bare_provider PORT LEDGER` executes each key once.

What it executed is in its ledger, synced, before it answers; what comes together is synced together.
"""

import asyncio
import sys
from pathlib import Path

import uvloop

from deploy.local.ports import HOST
from deploy.local.sandbox.ledger import Ledger

ANSWER = "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"


async def run(port: str, ledger: str) -> None:
    """Until the process is ended."""
    book, known = Ledger(Path(ledger)), dict[str, str]()

    async def charge(key: str) -> str:
        if key not in known:
            known[key] = f'{{"id": "ch_{len(known)}"}}'
            await book.write(id=known[key], key=key)
        return known[key]

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := (await reader.readuntil(b"\r\n\r\n")).decode().lower():
                await reader.readexactly(int(_header(head, "content-length") or 0))
                body = await charge(_header(head, "idempotency-key")) if head.startswith("post") else "{}"
                status = "201 Created" if head.startswith("post") else "200 OK"
                writer.write(ANSWER.format(status=status, length=len(body), body=body).encode())
        except asyncio.IncompleteReadError:
            writer.close()

    server = await asyncio.start_server(serve, HOST, int(port))
    await server.serve_forever()


def _header(head: str, name: str) -> str:
    return head.partition(f"\r\n{name}: ")[2].partition("\r\n")[0]


if __name__ == "__main__":
    uvloop.run(run(*sys.argv[1:]))

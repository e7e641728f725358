"""`python -m tests.faults.mailsink`: a mail server whose synced ledger names each mail that it has accepted.

A mail stands in the ledger before 250 is said. The chaos file is looked at again for each mail. It ends at SIGTERM.
"""

import asyncio
import signal
from collections import Counter
from email import message_from_bytes
from pathlib import Path
from typing import Annotated

import typer
from aiosmtpd.smtp import SMTP, Envelope, Session

from deploy.local.sandbox.ledger import Ledger, read_ledger
from tests.faults.chaos import Chaos

_SIZE_LIMIT = 25 * 1024 * 1024


class Sink:
    """What the server does with each mail (the hooks of aiosmtpd)."""

    def __init__(self, ledger: Path, chaos: Path) -> None:
        calls = ledger.with_suffix(".calls")
        self._tries: Counter[str] = Counter(entry["key"] for entry in read_ledger(calls))
        self._ledger, self._calls, self._chaos = Ledger(ledger), Ledger(calls), chaos

    async def handle_DATA(self, server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802 - aiosmtpd's
        """Accept the mail, or misbehave."""
        identity = str(message_from_bytes(envelope.original_content or b"")["Message-ID"]).strip()
        self._tries[identity] += 1
        chaos, nth = self._behaviour(), self._tries[identity]
        dice = chaos.draw(identity, nth)
        mishap = chaos.mishap(dice)
        if mishap == "busy":
            await self._calls.write(key=identity, nth=nth, did="nothing", mishap=mishap)
            return "451 4.3.2 not now"
        await self._ledger.write(key=identity, recipient=", ".join(envelope.rcpt_tos))
        await self._calls.write(key=identity, nth=nth, did="executed", mishap=mishap)
        if mishap == "slow":
            await asyncio.sleep(dice.uniform(0, chaos.seconds))
        if mishap == "lost" and isinstance(server.transport, asyncio.WriteTransport):
            server.transport.abort()
        return "250 2.0.0 accepted"

    def _behaviour(self) -> Chaos:
        return Chaos.model_validate_json(self._chaos.read_bytes()) if self._chaos.exists() else Chaos()


async def serve(host: str, port: int, sink: Sink) -> None:
    """Serve until SIGTERM or SIGINT."""
    loop, ending = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ending.set)

    def session() -> SMTP:
        return SMTP(sink, hostname="sink.localhost", data_size_limit=_SIZE_LIMIT, enable_SMTPUTF8=True, loop=loop)

    server = await loop.create_server(session, host, port)
    await ending.wait()
    server.close()


def main(
    port: Annotated[int, typer.Option(help="The port to take mail on.")],
    ledger: Annotated[Path, typer.Option(help="The file of accepted mails; the calls stand beside it.")],
    chaos: Annotated[Path, typer.Option(help="The file that says how to misbehave; without it: not at all.")],
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
) -> None:
    """A mail server that keeps no mail, but a ledger of them."""
    asyncio.run(serve(host, port, Sink(ledger, chaos)))


if __name__ == "__main__":
    typer.run(main)

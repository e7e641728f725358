"""`python -m deploy.local.mailbox`: SMTP and HTTP in one process; it ends at SIGTERM or Ctrl-C."""

import asyncio
import contextlib
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer
import uvicorn

from deploy.local.mailbox.smtp import MISBEHAVING, listen
from deploy.local.mailbox.store import Mails
from deploy.local.mailbox.web import Pages

_HELP = "\n\n".join(
    [
        "An SMTP server that keeps every mail and shows it on a page.",
        "Recipients that misbehave on purpose:",
        *(f"{address} {what}" for address, what in MISBEHAVING.items()),
    ]
)


class _Server(uvicorn.Server):
    """A web server that leaves signals to its owner."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def serve(host: str, smtp_port: int, http_port: int, folder: Path) -> None:
    """Serve until SIGTERM or SIGINT."""
    mails = Mails(folder)
    smtp = await listen(mails, host, smtp_port)
    web = _Server(uvicorn.Config(Pages(mails).app(), host=host, port=http_port, log_level="warning", access_log=False))

    def end() -> None:
        web.should_exit = True

    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, end)
    try:
        await web.serve()
    finally:
        smtp.close()  # and no wait: a client may keep its connection for as long as it likes


def main(
    folder: Annotated[Path, typer.Option(help="Where the mails are kept.")],
    smtp_port: Annotated[int, typer.Option(help="The port to take mail on.")] = 1025,
    http_port: Annotated[int, typer.Option(help="The port of the page and the JSON API.")] = 8025,
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
) -> None:
    asyncio.run(serve(host, smtp_port, http_port, folder))


if __name__ == "__main__":
    app = typer.Typer(add_completion=False)
    app.command(help=_HELP)(main)
    app()

"""HTTP whose connections the app may cut in place of an answer; it ends at SIGTERM or Ctrl-C."""

import uvicorn
from fastapi import FastAPI
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

KEEP_ALIVE = 60
"""Seconds; longer than any client keeps an idle connection, so none is closed under a request."""
LAST_ANSWERS = 5
"""Seconds that calls in flight are given when the process shall end."""


class CuttableProtocol(HttpToolsProtocol):
    """HTTP whose connection the app may cut: `request.state.cut()`."""

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.scope["state"]["cut"] = self.transport.abort


async def serve(app: FastAPI, host: str, port: int) -> None:
    """Serves until the process is told to end."""
    config = uvicorn.Config(
        app,
        host=host,
        port=port,
        http=CuttableProtocol,
        ws="none",
        timeout_keep_alive=KEEP_ALIVE,
        timeout_graceful_shutdown=LAST_ANSWERS,
        log_level="warning",
        access_log=False,
    )
    await uvicorn.Server(config).serve()

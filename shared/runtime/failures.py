"""The one place of the runtime that catches whatever comes: an answer is owed even for what nobody foresaw."""

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.runtime.problems import unforeseen

log = structlog.stdlib.get_logger(__name__)


class AnswerUnforeseen:
    """ASGI middleware: an unforeseen exception is logged with its traceback and answered with a bare problem, 500."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started = False

        async def watch(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await self.app(scope, receive, watch)
        except Exception:
            log.exception("request failed", method=scope["method"], path=scope["path"])
            if started:
                raise
            await unforeseen().response()(scope, receive, send)

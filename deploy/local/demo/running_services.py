"""The services as processes of this machine: nothing is asked of one before it says that it is ready."""

import asyncio
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import httpx2

from deploy.local.failure import LocalStackError
from deploy.local.ports import HOST
from deploy.local.processes import Process, start_process

_READY_WITHIN = 90.0
_EVERY = 0.1


@dataclass(frozen=True)
class RunningService:
    """A service's process and where its HTTP face is."""

    process: Process
    port: int

    @property
    def url(self) -> str:
        """The address of its HTTP face."""
        return f"http://{HOST}:{self.port}"

    def check(self) -> None:
        """Raises ChildEndedError when its process has ended."""
        if not self.process.alive():
            raise self.process.ended_early()

    async def until_ready(self) -> None:
        """Waits until it is ready. Raises LocalStackError, with what it says of itself, after 90 seconds."""
        deadline = time.monotonic() + _READY_WITHIN
        async with httpx2.AsyncClient(base_url=self.url, timeout=5.0) as http:
            while True:
                self.check()
                said = await _readiness(http)
                if said is None:
                    return
                if time.monotonic() > deadline:
                    name, log = self.process.name, self.process.log
                    raise LocalStackError(f"{name} was not ready in {_READY_WITHIN:.0f} s ({said}). Its log: {log}")
                await asyncio.sleep(_EVERY)


async def _readiness(http: httpx2.AsyncClient) -> str | None:
    try:
        answer = await http.get("/readyz")
    except httpx2.TransportError as problem:
        return f"{type(problem).__name__} {problem}".strip()
    return None if answer.is_success else answer.text[:500]


def start_service(name: str, port: int, settings: Mapping[str, str], log: Path) -> RunningService:
    """Starts a service; `settings` are its own, without the prefix of its name."""
    mine = {"host": HOST, "port": str(port), "migrate": "true", **settings}
    env = {f"{name}_{setting}".upper(): value for setting, value in mine.items()}
    command = [sys.executable, "-m", f"services.{name}.app"]
    return RunningService(start_process(name, command, log, env), port)

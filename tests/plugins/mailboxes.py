"""A mailbox for tests is the real one, in a process of its own; each test sees only the mails that came during it."""

import asyncio
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx2
import pytest

from deploy.local.ports import HOST, take_port
from deploy.local.processes import Process, start_process, until_it_answers
from tests.plugins.servers import apart
from tests.plugins.waiting import eventually


@dataclass(frozen=True)
class Mailbox:
    """A running mailbox, and the number of the last mail that came before this test."""

    process: Process
    smtp_port: int
    url: str
    last_before: int = 0
    host: str = HOST

    async def messages(self, **wanted: str) -> list[dict[str, Any]]:
        """The mails of this test, newest first; `to="a@b"` and `message_id="<…>"` narrow them."""
        async with httpx2.AsyncClient(base_url=self.url) as http:
            answer = await http.get("/api/messages", params={"after": str(self.last_before), **wanted})
            answer.raise_for_status()
            return list(answer.json()["messages"])

    async def message(self, **wanted: str) -> dict[str, Any]:
        """Wait for one mail and return all of it: envelope, headers, `text`, `html`, parts."""

        async def one() -> dict[str, Any] | None:
            found = await self.messages(**wanted)
            return found[0] if found else None

        summary = await eventually(one, waiting_for=f"a mail with {wanted}")
        async with httpx2.AsyncClient(base_url=self.url) as http:
            answer = await http.get(f"/api/messages/{summary['number']}")
            answer.raise_for_status()
            return dict(answer.json())


async def start_mailbox(folder: Path, smtp_port: int, http_port: int) -> Mailbox:
    """Start a mailbox on the mails in `folder`; returns when it answers."""
    ports = ["--smtp-port", str(smtp_port), "--http-port", str(http_port)]
    command: list[str | Path] = [sys.executable, "-m", "deploy.local.mailbox", "--folder", folder, *ports]
    process = start_process("mailbox", command, folder.parent / "mailbox.log")
    mailbox = Mailbox(process, smtp_port, f"http://{HOST}:{http_port}")
    await until_it_answers(process, f"{mailbox.url}/api/messages?limit=1", within=30.0)
    return mailbox


@pytest.fixture(scope="session")
def running_mailbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mailbox]:
    """One mailbox for all tests of a worker."""
    folder = tmp_path_factory.mktemp("mailbox") / "mails"
    taken: set[int] = set()
    ports = take_port(taken=taken), take_port(taken=taken)
    started = apart(lambda: asyncio.run(start_mailbox(folder, *ports)))
    yield started
    apart(lambda: asyncio.run(started.process.stop()))


@pytest.fixture
async def mailbox(running_mailbox: Mailbox) -> Mailbox:
    """A running mailbox: `.smtp_port`, `.url`, `await .messages(to=…)`, `await .message(to=…)`."""
    before = await running_mailbox.messages(limit="1")
    return replace(running_mailbox, last_before=before[0]["number"] if before else 0)

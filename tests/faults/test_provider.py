"""The sandbox provider does what its chaos says, and its ledger tells the truth of it."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx2
import pytest

from deploy.local.ports import HOST, take_port
from deploy.local.processes import start_process, until_it_answers
from deploy.local.sandbox.ledger import Entry, read_ledger
from tests.faults.provider import sign
from tests.plugins.servers import apart
from tests.plugins.waiting import eventually


@dataclass
class Sandbox:
    """A provider in a process of its own, as one test sees it: by the keys that begin with its own word."""

    http: httpx2.AsyncClient
    ledger: Path
    word: str

    async def behave(self, **chaos: Any) -> None:
        answer = await self.http.put("/chaos", json=chaos)
        assert answer.is_success, answer.text

    async def charge(self, key: str) -> httpx2.Response:
        body = {"order": "o1", "amount": 100, "currency": "SEK"}
        return await self.http.post("/charges", json=body, headers={"Idempotency-Key": self.word + key})

    async def look_up(self, key: str) -> httpx2.Response:
        return await self.http.get(f"/charges/{self.word}{key}")

    async def untold(self) -> int:
        return int((await self.http.get("/untold")).json()["reports"])

    def executed(self) -> list[Entry]:
        return [entry for entry in read_ledger(self.ledger) if entry["key"].startswith(self.word)]

    def calls(self) -> list[Entry]:
        entries = read_ledger(self.ledger.with_suffix(".calls"))
        return [entry for entry in entries if entry["key"].startswith(self.word)]


@pytest.fixture(scope="module")
def running_provider(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[int, Path]]:
    """Its port and its ledger."""
    folder, port = tmp_path_factory.mktemp("provider"), take_port()
    words: list[str | Path] = [
        sys.executable,
        "-m",
        "tests.faults.provider",
        "--port",
        str(port),
        "--ledger",
        str(folder / "charges"),
    ]
    process = start_process("provider", words, folder / "provider.log")
    apart(lambda: asyncio.run(until_it_answers(process, f"http://{HOST}:{port}/readyz", within=30)))
    yield port, folder / "charges"
    apart(lambda: asyncio.run(process.stop()))


@pytest.fixture
async def sandbox(running_provider: tuple[int, Path]) -> AsyncIterator[Sandbox]:
    port, ledger = running_provider
    async with httpx2.AsyncClient(base_url=f"http://{HOST}:{port}") as http:
        made = Sandbox(http, ledger, f"{uuid4().hex}:")
        await made.behave()
        yield made


async def test_a_key_is_executed_once_and_gets_its_first_answer_again(sandbox: Sandbox) -> None:
    first, again = await sandbox.charge("k"), await sandbox.charge("k")
    assert (first.status_code, again.json()) == (201, first.json())
    assert len(sandbox.executed()) == 1
    assert [call["did"] for call in sandbox.calls()] == ["executed", "repeated"]
    assert (await sandbox.look_up("k")).json() == first.json()
    assert (await sandbox.look_up("other")).status_code == 404


async def test_without_a_memory_each_call_is_executed(sandbox: Sandbox) -> None:
    await sandbox.behave(memory=0, look_up=False)
    await sandbox.charge("k")
    await sandbox.charge("k")
    assert len({entry["id"] for entry in sandbox.executed()}) == 2
    assert (await sandbox.look_up("k")).status_code == 501


async def test_many_calls_with_one_key_at_once_are_one_charge(sandbox: Sandbox) -> None:
    answers = await asyncio.gather(*(sandbox.charge("k") for _ in range(20)))
    assert {answer.status_code for answer in answers} == {201}
    assert len(sandbox.executed()) == 1


@pytest.mark.parametrize(
    ("mishap", "status", "executed"),
    [("busy", 429, 0), ("error_before", 500, 0), ("error_after", 500, 1), ("slow", 201, 1), ("late", 201, 1)],
)
async def test_a_mishap_answers_otherwise_than_was_done(
    sandbox: Sandbox, mishap: str, status: int, executed: int
) -> None:
    await sandbox.behave(**{mishap: 1.0, "seconds": 0.01})
    assert (await sandbox.charge("k")).status_code == status
    assert len(sandbox.executed()) == executed
    (call,) = sandbox.calls()
    assert call["mishap"] == mishap.replace("_", "-")


async def test_a_lost_answer_cuts_the_connection_after_the_charge_was_made(sandbox: Sandbox) -> None:
    await sandbox.behave(lost=1.0)
    with pytest.raises(httpx2.TransportError):
        await sandbox.charge("k")
    assert len(sandbox.executed()) == 1


async def test_a_declined_key_is_declined_again(sandbox: Sandbox) -> None:
    await sandbox.behave(declined=1.0)
    answers = [await sandbox.charge("k") for _ in range(2)]
    assert [(answer.status_code, answer.json()["reason"]) for answer in answers] == [(402, "declined")] * 2
    assert sandbox.executed() == []


async def test_webhooks_are_signed_doubled_and_sent_until_they_are_taken(sandbox: Sandbox) -> None:
    heard: list[tuple[dict[str, str], bytes]] = []

    async def hear(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        lines = (await reader.readuntil(b"\r\n\r\n")).decode().splitlines()[1:-1]
        headers = dict(line.lower().split(": ", 1) for line in lines)
        heard.append((headers, await reader.readexactly(int(headers["content-length"]))))
        status = "500 no" if len(heard) == 1 else "204 ok"
        writer.write(f"HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n".encode())
        writer.close()

    async with await asyncio.start_server(hear, HOST, 0) as server:
        url = f"http://{HOST}:{server.sockets[0].getsockname()[1]}/hook"
        await sandbox.behave(webhook_url=url, webhook_doubled=1.0)
        charge = (await sandbox.charge("k")).json()
        await eventually(lambda: len(heard) == 3)
    for headers, body in heard:
        assert json.loads(body)["charge"] == charge
        given = headers["webhook-signature"]
        assert given == sign("sandbox", body, int(given.split(",")[0].removeprefix("t=")))


async def test_a_report_is_untold_until_it_is_taken(sandbox: Sandbox) -> None:
    taken = asyncio.Event()

    async def hear(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        await taken.wait()
        writer.write(b"HTTP/1.1 204 ok\r\nconnection: close\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(hear, HOST, 0) as server:
        await sandbox.behave(webhook_url=f"http://{HOST}:{server.sockets[0].getsockname()[1]}/hook")
        await sandbox.charge("k")
        assert await sandbox.untold() == 1
        taken.set()

        async def all_told() -> bool:
            return await sandbox.untold() == 0

        await eventually(all_told)

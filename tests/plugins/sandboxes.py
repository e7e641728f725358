"""A sandbox for tests is the real one, in a process of its own; each test is another customer of it."""

import asyncio
import base64
import hashlib
import hmac
import json
import signal
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal
from uuid import uuid4

import httpx2
import pytest

from deploy.local.ports import HOST, take_port
from deploy.local.processes import Process, start_process, until_it_answers
from tests.plugins.servers import apart
from tests.plugins.waiting import eventually

Vendor = Literal["payment", "shipping", "erp"]
StartSandbox = Callable[..., "RunningSandbox"]


@dataclass
class RunningSandbox:
    """A sandbox's process; after `kill` another one may `start` on the same folder and port."""

    vendor: Vendor
    folder: Path
    options: tuple[str, ...] = ()
    port: int = field(default_factory=take_port)
    process: Process | None = None

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.port}"

    async def start(self) -> None:
        """Returns when it answers."""
        words = ["--port", str(self.port), "--folder", str(self.folder), *self.options]
        command = [sys.executable, "-m", "deploy.local.sandbox", self.vendor, *words]
        self.process = start_process(f"sandbox {self.vendor}", command, self.folder.parent / f"{self.vendor}.log")
        await until_it_answers(self.process, f"{self.url}/readyz", within=30.0)

    async def stop(self, number: signal.Signals = signal.SIGTERM) -> None:
        """Returns when it has ended."""
        if self.process is not None:
            await self.process.stop(number)


@dataclass
class Sandbox:
    """A sandbox as one customer of it; `http` carries the customer's credentials."""

    running: RunningSandbox
    account: str
    http: httpx2.AsyncClient

    @property
    def api_key(self) -> str:
        """What a customer of this vendor has been given."""
        return {"payment": f"sk_sandbox_{self.account}", "erp": f"{self.account}:secret"}.get(
            self.running.vendor, self.account
        )

    async def misbehave(self, **asked: Any) -> None:
        """From now on, and well in what is not named: `next=["lost"]`, `busy=0.5`, `memory=0` …"""
        answer = await self.http.put("/sandbox/misbehaviour", json=asked)
        assert answer.is_success, answer.text

    async def advance(self, name: str) -> httpx2.Response:
        """Something outside goes on a step."""
        return await self.http.post("/sandbox/advance", json={"id": name})

    async def ledger(self, **wanted: Any) -> list[dict[str, Any]]:
        """What was executed for this customer; `did="captured"` and the like narrow it."""
        return await self._entries("ledger", wanted)

    async def calls(self, **wanted: Any) -> list[dict[str, Any]]:
        """What this customer has asked; `key=…` and the like narrow it."""
        return await self._entries("calls", wanted)

    async def untold(self) -> list[dict[str, Any]]:
        """The webhooks to this customer that are on their way."""
        webhooks = (await self.http.get("/sandbox/untold")).raise_for_status().json()["webhooks"]
        return [one for one in webhooks if one["account"] == self.account]

    async def until_all_is_told(self) -> None:
        """Waits until no webhook is on its way."""

        async def told() -> bool:
            return not await self.untold()

        await eventually(told, waiting_for="all webhooks to be taken")

    async def connected(self, times: int) -> None:
        """Opens so many connections, so that so many calls can come at once."""
        await asyncio.gather(*(self.http.get("/readyz") for _ in range(times)))

    async def killed_and_started(self) -> None:
        """SIGKILL, and a new process on what the old one has left."""
        await self.running.stop(signal.SIGKILL)
        await self.running.start()

    async def _entries(self, which: str, wanted: dict[str, Any]) -> list[dict[str, Any]]:
        entries = (await self.http.get(f"/sandbox/{which}")).raise_for_status().json()["entries"]
        mine = {"account": self.account, **wanted}
        return [entry for entry in entries if mine.items() <= entry.items()]


@dataclass(frozen=True)
class Heard:
    """One webhook as it came."""

    headers: dict[str, str]
    body: bytes

    @property
    def event(self) -> dict[str, Any]:
        return dict(json.loads(self.body))

    def is_signed_with(self, secret: str) -> bool:
        """As Standard Webhooks say, over the raw bytes."""
        key = base64.b64decode(secret.removeprefix("whsec_"))
        signed = f"{self.headers['webhook-id']}.{self.headers['webhook-timestamp']}.".encode() + self.body
        expected = "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
        return hmac.compare_digest(expected, self.headers["webhook-signature"])


@dataclass
class WebhookReceiver:
    """Takes every webhook; before that it answers what stands in `answers`, one after the other."""

    url: str = ""
    heard: list[Heard] = field(default_factory=list)
    answers: list[int] = field(default_factory=list)

    async def hear(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, one webhook."""
        lines = (await reader.readuntil(b"\r\n\r\n")).decode().splitlines()[1:-1]
        pairs = [line.split(": ", 1) for line in lines]
        headers = {name.lower(): value for name, value in pairs}
        self.heard.append(Heard(headers, await reader.readexactly(int(headers["content-length"]))))
        status = self.answers.pop(0) if self.answers else 204
        writer.write(f"HTTP/1.1 {status} so\r\ncontent-length: 0\r\nconnection: close\r\n\r\n".encode())
        writer.close()

    async def until_heard(self, count: int) -> list[Heard]:
        """Waits until so many have come."""
        await eventually(lambda: len(self.heard) >= count, waiting_for=f"{count} webhooks")
        return self.heard

    def types(self) -> list[str]:
        """What the webhooks were about, in the order in which they came."""
        return [heard.event["type"] for heard in self.heard]


def credentials(vendor: Vendor, account: str) -> dict[str, str]:
    """The headers by which a vendor knows its customer."""
    match vendor:
        case "payment":
            return {"Authorization": f"Bearer sk_sandbox_{account}"}
        case "shipping":
            return {"X-Api-Key": account}
        case "erp":
            return {"Authorization": "Basic " + base64.b64encode(f"{account}:secret".encode()).decode()}


@asynccontextmanager
async def as_a_new_customer(running: RunningSandbox) -> AsyncIterator[Sandbox]:
    """The sandbox, well-behaved, for a customer that it has never seen."""
    account = f"c{uuid4().hex[:12]}"
    async with httpx2.AsyncClient(
        base_url=running.url, headers=credentials(running.vendor, account), timeout=30.0
    ) as http:
        sandbox = Sandbox(running, account, http)
        await sandbox.misbehave()
        yield sandbox


def _run(vendor: Vendor, folder: Path) -> Iterator[RunningSandbox]:
    running = RunningSandbox(vendor, folder / vendor)
    apart(lambda: asyncio.run(running.start()))
    yield running
    apart(lambda: asyncio.run(running.stop()))


@pytest.fixture(scope="module")
def running_payment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningSandbox]:
    """Sandbox Pay, for all tests of a module."""
    yield from _run("payment", tmp_path_factory.mktemp("sandbox"))


@pytest.fixture(scope="module")
def running_shipping(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningSandbox]:
    """Sandbox Post, for all tests of a module."""
    yield from _run("shipping", tmp_path_factory.mktemp("sandbox"))


@pytest.fixture(scope="module")
def running_erp(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningSandbox]:
    """Sandbox ERP, for all tests of a module."""
    yield from _run("erp", tmp_path_factory.mktemp("sandbox"))


@pytest.fixture
async def payment_sandbox(running_payment: RunningSandbox) -> AsyncIterator[Sandbox]:
    """Sandbox Pay as a new merchant: `.http`, `await .misbehave(…)`, `await .ledger()`."""
    async with as_a_new_customer(running_payment) as sandbox:
        yield sandbox


@pytest.fixture
async def shipping_sandbox(running_shipping: RunningSandbox) -> AsyncIterator[Sandbox]:
    """Sandbox Post as a new customer."""
    async with as_a_new_customer(running_shipping) as sandbox:
        yield sandbox


@pytest.fixture
async def erp_sandbox(running_erp: RunningSandbox) -> AsyncIterator[Sandbox]:
    """Sandbox ERP as a new company."""
    async with as_a_new_customer(running_erp) as sandbox:
        yield sandbox


@pytest.fixture
def start_sandbox(tmp_path: Path) -> Iterator[StartSandbox]:
    """`await start_sandbox("erp", "--chaos", "0.5").start()` is one for this test alone; all are stopped after it."""
    made: list[RunningSandbox] = []

    def make(vendor: Vendor, *options: str) -> RunningSandbox:
        made.append(RunningSandbox(vendor, tmp_path / f"{vendor}-{len(made)}", options))
        return made[-1]

    yield make
    apart(lambda: asyncio.run(_stop(made)))


async def _stop(made: list[RunningSandbox]) -> None:
    for running in made:
        await running.stop()


@pytest.fixture
async def webhook_receiver() -> AsyncIterator[WebhookReceiver]:
    """Listens on a port of its own: `.url`, `.heard`, `.answers = [500]`."""
    receiver = WebhookReceiver()
    async with await asyncio.start_server(receiver.hear, HOST, 0) as server:
        receiver.url = f"http://{HOST}:{server.sockets[0].getsockname()[1]}/webhooks"
        yield receiver

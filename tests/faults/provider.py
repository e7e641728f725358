"""`python -m tests.faults.provider`: a sandbox payment provider that executes each charge it remembers once.

A charge stands in the synced ledger before it is answered; what was asked and what went wrong on purpose stands in
the calls. It ends at SIGTERM.
"""

import asyncio
import hashlib
import hmac
import json
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import httpx2
import typer
from fastapi import FastAPI, Header, Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field

from deploy.local.sandbox.ledger import Entry, Ledger, read_ledger
from deploy.local.sandbox.serving import serve
from tests.faults.chaos import ProviderChaos

WEBHOOK_TRIES = 20


class Charge(BaseModel):
    """What is asked for."""

    order: str
    amount: int = Field(ge=0)
    currency: str = Field(min_length=3, max_length=3)


@dataclass
class _Executed:
    entry: Entry
    at: float


class Provider:
    """The provider's desk; `chaos` may be changed while it works."""

    def __init__(self, ledger: Path, calls: Path, secret: str) -> None:
        self.chaos = ProviderChaos()
        self._known = {entry["key"]: _Executed(entry, entry["at"]) for entry in read_ledger(ledger) if entry["key"]}
        self._ledger, self._calls, self._secret = Ledger(ledger), Ledger(calls), secret
        self._tries: Counter[str] = Counter(entry["key"] for entry in read_ledger(calls))
        self._turns: dict[str, asyncio.Lock] = {}
        self._reports: set[asyncio.Task[None]] = set()
        self._http = httpx2.AsyncClient(timeout=5.0)

    async def charge(self, charge: Charge, key: str, request: Request) -> Response:
        """Executes a charge, or does not, or says otherwise than it did: as the chaos has it."""
        self._tries[key] += 1
        chaos, nth = self.chaos, self._tries[key]
        dice = chaos.draw(key, nth)
        mishap = chaos.mishap(dice)
        pause = dice.uniform(0, chaos.seconds)
        if mishap in {"busy", "error-before"}:
            await self._calls.write(key=key, nth=nth, did="nothing", mishap=mishap)
            return _problem(429, "busy", {"Retry-After": "1"}) if mishap == "busy" else _problem(500, "internal")
        if mishap == "late":
            await asyncio.sleep(pause)
        async with self._turns.setdefault(key, asyncio.Lock()):
            did, entry = await self._do(charge, key)
            await self._calls.write(key=key, nth=nth, did=did, mishap=mishap)
        await asyncio.sleep(chaos.takes)
        if mishap == "slow":
            await asyncio.sleep(pause)
        if mishap == "lost":
            request.state.cut()
        if mishap == "error-after":
            return _problem(500, "internal")
        return _problem(402, "declined") if entry is None else JSONResponse(entry, 201)

    @property
    def untold(self) -> int:
        """How many of its reports are still on their way."""
        return len(self._reports)

    async def look_up(self, key: str) -> Response:
        """The charge of a key; 501 where this provider has no look-up."""
        if not self.chaos.look_up:
            return _problem(501, "no-look-up")
        found = self._known.get(key)
        return _problem(404, "unknown-key") if found is None else JSONResponse(found.entry)

    async def _do(self, charge: Charge, key: str) -> tuple[str, Entry | None]:
        known = self._known.get(key) if key else None
        if known is not None and time.time() - known.at < self.chaos.memory:
            return "repeated", known.entry
        if self.chaos.draw(key, 0).random() < self.chaos.declined:
            return "declined", None
        number = hashlib.sha256(f"{key} {self._tries[key]}".encode()).hexdigest()[:16]
        entry = await self._ledger.write(id=f"ch_{number}", key=key, **charge.model_dump())
        self._known[key] = _Executed(entry, entry["at"])
        self._report(entry)
        return "executed", entry

    def _report(self, entry: Entry) -> None:
        chaos = self.chaos
        if not chaos.webhook_url:
            return
        dice = chaos.draw(f"webhook {entry['id']}", 0)
        for _ in range(2 if dice.random() < chaos.webhook_doubled else 1):
            task = asyncio.create_task(self._send(chaos.webhook_url, entry, dice.uniform(0, chaos.webhook_seconds)))
            self._reports.add(task)
            task.add_done_callback(self._reports.discard)

    async def _send(self, url: str, entry: Entry, pause: float) -> None:
        await asyncio.sleep(pause)
        body = json.dumps({"type": "charge.succeeded", "charge": entry}).encode()
        for nth in range(WEBHOOK_TRIES):
            headers = {"Content-Type": "application/json", "Webhook-Signature": sign(self._secret, body)}
            try:
                answer = await self._http.post(url, content=body, headers=headers)
            except httpx2.TransportError:
                pass
            else:
                if answer.is_success:
                    return
            await asyncio.sleep(min(2.0**nth / 4, 10.0))


def sign(secret: str, body: bytes, at: int | None = None) -> str:
    """A webhook's signature: `t=<seconds>,v1=<HMAC-SHA256 of "<seconds>.<body>">`."""
    seconds = int(time.time()) if at is None else at
    digest = hmac.new(secret.encode(), f"{seconds}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={seconds},v1={digest}"


def _problem(status: int, reason: str, headers: dict[str, str] | None = None) -> Response:
    return JSONResponse({"reason": reason}, status, headers)


def app_of(provider: Provider) -> FastAPI:
    """The provider's HTTP face, and the one by which it is made to misbehave."""
    app = FastAPI(title="sandbox provider")

    @app.post("/charges", response_model=None)
    async def post(charge: Charge, request: Request, idempotency_key: Annotated[str, Header()] = "") -> Response:
        return await provider.charge(charge, idempotency_key, request)

    @app.get("/charges/{key:path}", response_model=None)
    async def get(key: str) -> Response:
        return await provider.look_up(key)

    @app.put("/chaos")
    async def put_chaos(chaos: ProviderChaos) -> dict[str, Any]:
        provider.chaos = chaos
        return chaos.model_dump()

    @app.get("/untold")
    async def untold() -> dict[str, int]:
        return {"reports": provider.untold}

    @app.get("/readyz")
    async def readyz() -> dict[str, str]:
        return {"status": "ok"}

    return app


def main(
    port: Annotated[int, typer.Option(help="The port to listen on.")],
    ledger: Annotated[Path, typer.Option(help="The file of executed charges, one JSON object per line.")],
    calls: Annotated[Path | None, typer.Option(help="The file of all calls; <ledger>.calls by default.")] = None,
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    signed_with: Annotated[str, typer.Option(help="The secret of webhooks.")] = "sandbox",
) -> None:
    """A sandbox payment provider."""

    async def work() -> None:
        provider = Provider(ledger, calls or ledger.with_suffix(".calls"), signed_with)
        await serve(app_of(provider), host, port)

    asyncio.run(work())


if __name__ == "__main__":
    typer.run(main)

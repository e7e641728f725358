"""A webhook that is due stands in the ledger, and is sent until it was taken: doubled, late and overtaken if so asked.

Signed as Standard Webhooks say: https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

import asyncio
import base64
import hashlib
import hmac
import json
import time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx2

from deploy.local.sandbox.ledger import Entry, Ledger, read_ledger
from deploy.local.sandbox.misbehaviour import Misbehaviour

SECRET_PREFIX = "whsec_"  # noqa: S105 - not a secret but what every secret begins with
FIRST_PAUSE, LONGEST_PAUSE = 0.25, 10.0
"""Seconds between two tries; each pause is twice the one before."""

Event = dict[str, Any]


@dataclass(frozen=True)
class Endpoint:
    """Where an account wants to be told, and what is signed with."""

    url: str
    secret: str


class Webhooks:
    """What is due to be told, and whether it was."""

    def __init__(self, folder: Path, vendor: str) -> None:
        endpoints, told = folder / "endpoints.jsonl", folder / "told.jsonl"
        self._vendor = vendor
        self._endpoints = {one["account"]: Endpoint(one["url"], one["secret"]) for one in read_ledger(endpoints)}
        self._told = {one["event"] for one in read_ledger(told)}
        self._endpoint_ledger, self._told_ledger = Ledger(endpoints), Ledger(told)
        self._on_their_way: dict[asyncio.Task[None], dict[str, Any]] = {}
        self._http = httpx2.AsyncClient(timeout=5.0)
        self._free = asyncio.Event()
        self._free.set()

    async def register(self, account: str, url: str, secret: str | None) -> Endpoint:
        """From now on the account is told at `url`; without a secret the account keeps the one it has by its name."""
        endpoint = Endpoint(url, secret or secret_of(self._vendor, account))
        await self._endpoint_ledger.write(account=account, url=url, secret=endpoint.secret)
        self._endpoints[account] = endpoint
        return endpoint

    def event(self, account: str, kind: str, about: str, data: dict[str, Any]) -> Event | None:
        """What shall be told of `about`, the same id each time; None for an account that has no endpoint."""
        if account not in self._endpoints:
            return None
        number = hashlib.sha256(f"{account} {kind} {about}".encode()).hexdigest()[:20]
        return {"id": f"evt_{number}", "type": kind, "created": datetime.now(UTC).isoformat(), "data": data}

    def tell(self, account: str, event: Event, misbehaviour: Misbehaviour) -> None:
        """Sends the event, as the misbehaviour has it; returns at once."""
        dice = misbehaviour.draw(f"webhook {event['id']}", 0)
        for _ in range(2 if dice.random() < misbehaviour.webhook_doubled else 1):
            self._start(account, event, dice.uniform(0, misbehaviour.webhook_seconds))

    def hold(self, held: bool) -> None:  # noqa: FBT001 - it is what is asked
        """Sends nothing until it is told otherwise; a call that was begun is not taken back."""
        if held:
            self._free.clear()
        else:
            self._free.set()

    def resume(self, entries: Iterable[Entry]) -> None:
        """Sends what was due when the process ended."""
        for entry in entries:
            event = entry.get("webhook")
            if event and event["id"] not in self._told:
                self._start(entry["account"], event, 0.0)

    def untold(self) -> list[dict[str, Any]]:
        """The webhooks that are on their way, each with the tries so far."""
        return list(self._on_their_way.values())

    async def close(self) -> None:
        """Nothing is sent after this."""
        for task in list(self._on_their_way):
            task.cancel()
        await self._http.aclose()

    def _start(self, account: str, event: Event, pause: float) -> None:
        state = {"account": account, "id": event["id"], "type": event["type"], "tries": 0}
        task = asyncio.create_task(self._send(account, event, pause, state))
        self._on_their_way[task] = state
        task.add_done_callback(self._on_their_way.pop)

    async def _send(self, account: str, event: Event, pause: float, state: dict[str, Any]) -> None:
        await asyncio.sleep(pause)
        pause, body = FIRST_PAUSE, json.dumps(event).encode()
        await self._free.wait()
        while not await self._taken(self._endpoints[account], event["id"], body):
            state["tries"] += 1
            await asyncio.sleep(pause)
            await self._free.wait()
            pause = min(2 * pause, LONGEST_PAUSE)
        await self._told_ledger.write(event=event["id"])

    async def _taken(self, endpoint: Endpoint, event: str, body: bytes) -> bool:
        headers = {"Content-Type": "application/json", **signature(endpoint.secret, event, body)}
        try:
            answer = await self._http.post(endpoint.url, content=body, headers=headers)
        except (httpx2.TransportError, httpx2.InvalidURL):
            return False
        return answer.is_success


def signature(secret: str, event: str, body: bytes, at: int | None = None) -> dict[str, str]:
    """The three headers that say who sent these bytes, and when (in seconds of the epoch)."""
    seconds = int(time.time()) if at is None else at
    key = base64.b64decode(secret.removeprefix(SECRET_PREFIX))
    digest = hmac.new(key, f"{event}.{seconds}.".encode() + body, hashlib.sha256).digest()
    signed = f"v1,{base64.b64encode(digest).decode()}"
    return {"webhook-id": event, "webhook-timestamp": str(seconds), "webhook-signature": signed}


def secret_of(vendor: str, account: str) -> str:
    """The secret that an account of a sandbox has unless it names another."""
    return SECRET_PREFIX + base64.b64encode(hashlib.sha256(f"{vendor} {account}".encode()).digest()).decode()

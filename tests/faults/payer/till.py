"""Charges go out with the effect's key as the provider's idempotency key, and no byte leaves without permission."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import httpx2

from shared.contracts.order import OrderSnapshot
from shared.messaging.effects import Done, Effects, Failed, NotSent, Outcome, Permit, WhenUnknown

CONNECT_WITHIN = 2.0
IDLE_FOR = 20.0
"""Seconds that a connection is kept idle; the provider keeps it longer."""
NEVER_REACHED = (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout)

Hook = Callable[[str, dict[str, Any]], Awaitable[None]]


class NotUnderstood(Exception):
    """The provider's answer says neither yes nor no."""


@dataclass(frozen=True)
class Terms:
    """What is known of the provider: where it is, and what it offers whoever does not know what became of a call.

    `seconds`: what one charge may take in all; `remembers`: for how many seconds a key gets its first answer again.
    """

    url: str
    seconds: float = 5.0
    remembers: float = 0.0
    look_up: bool = False
    holds: float = 120.0
    thinks: float = 0.0
    """Seconds between a charge and what is said of it."""


class Till:
    """What handlers charge with."""

    def __init__(self, effects: Effects, terms: Terms) -> None:
        self._effects, self._terms = effects, terms
        timeout = httpx2.Timeout(terms.seconds, connect=CONNECT_WITHIN)
        limits = httpx2.Limits(max_connections=100, max_keepalive_connections=50, keepalive_expiry=IDLE_FOR)
        self._http = httpx2.AsyncClient(base_url=terms.url, timeout=timeout, limits=limits)

    async def charge(self, order: OrderSnapshot, cause: str) -> tuple[str, Outcome]:
        """The key of the charge that this cause asks for, and what came of it."""
        key = f"charge:{cause}"
        total = order.totals.to_pay
        body = {"order": str(order.id), "amount": total.amount, "currency": total.currency}

        async def call(permit: Permit, request: bytes) -> Done | Failed:
            return await self._post(key, request, permit)

        async def look_up() -> Done | None:
            return await self._get(key)

        rule = WhenUnknown(
            look_up=look_up if self._terms.look_up else None, remembers=self._terms.remembers, holds=self._terms.holds
        )
        outcome = await self._effects.once(
            key=key,
            kind="charge",
            call=call,
            timeout=self._terms.seconds,
            request=json.dumps(body).encode(),
            when_unknown=rule,
        )
        await asyncio.sleep(self._terms.thinks)
        return key, outcome

    async def close(self) -> None:
        """Closes the connections."""
        await self._http.aclose()

    async def _post(self, key: str, request: bytes, permit: Permit) -> Done | Failed:
        headers = {"Idempotency-Key": key, "Content-Type": "application/json"}
        extensions = {"trace": checking(permit)}
        try:
            answer = await self._http.post("/charges", content=request, headers=headers, extensions=extensions)
        except NEVER_REACHED as error:
            raise NotSent(f"the provider was not reached: {type(error).__name__}") from error
        if answer.status_code == httpx2.codes.TOO_MANY_REQUESTS:
            raise NotSent("the provider is busy")
        if answer.status_code == httpx2.codes.PAYMENT_REQUIRED:
            return Failed(answer.json()["reason"], "the provider has declined the charge")
        if answer.status_code != httpx2.codes.CREATED:
            raise NotUnderstood(f"the provider answered {answer.status_code}")
        return done(answer.json())

    async def _get(self, key: str) -> Done | None:
        answer = await self._http.get(f"/charges/{key}")
        if answer.status_code == httpx2.codes.NOT_FOUND:
            return None
        return done(answer.raise_for_status().json())


def done(charge: dict[str, Any]) -> Done:
    """What is kept of a charge that was executed."""
    return Done({"charge_id": charge["id"]})


def checking(permit: Permit) -> Hook:
    """Looks at the permit when connected, immediately before the first byte."""

    async def hook(event: str, _details: dict[str, Any]) -> None:
        if event.endswith("send_request_headers.started"):
            permit.check()

    return hook

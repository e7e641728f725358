"""Charges go out with the effect's key as the provider's idempotency key, and no byte leaves without permission."""

from collections.abc import Awaitable, Callable
from typing import Any

import httpx2

from shared.contracts.order import OrderSnapshot
from shared.messaging.effects import Done, Effects, Failed, NotSent, Outcome, Permit

CONNECT_WITHIN = 2.0
IDLE_FOR = 20.0
"""Seconds that a connection is kept idle; the provider keeps it longer."""
NEVER_REACHED = (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout)

Hook = Callable[[str, dict[str, Any]], Awaitable[None]]


class NotUnderstood(Exception):
    """The provider's answer says neither yes nor no."""


class Till:
    """What handlers charge with. `seconds`: what one charge may take in all."""

    def __init__(self, effects: Effects, provider_url: str, seconds: float) -> None:
        self._effects, self._seconds = effects, seconds
        timeout = httpx2.Timeout(seconds, connect=CONNECT_WITHIN)
        limits = httpx2.Limits(max_connections=100, max_keepalive_connections=50, keepalive_expiry=IDLE_FOR)
        self._http = httpx2.AsyncClient(base_url=provider_url, timeout=timeout, limits=limits)

    async def charge(self, order: OrderSnapshot, cause: str) -> tuple[str, Outcome]:
        """The key of the charge that this cause asks for, and what came of it."""
        key = f"charge:{cause}"
        total = order.totals.incl_vat
        body = {"order": str(order.id), "amount": total.amount, "currency": total.currency}

        async def call(permit: Permit, _request: bytes) -> Done | Failed:
            return await self._post(key, body, permit)

        return key, await self._effects.once(key=key, kind="charge", call=call, timeout=self._seconds)

    async def close(self) -> None:
        """Closes the connections."""
        await self._http.aclose()

    async def _post(self, key: str, body: dict[str, Any], permit: Permit) -> Done | Failed:
        headers = {"Idempotency-Key": key}
        extensions = {"trace": checking(permit)}
        try:
            answer = await self._http.post("/charges", json=body, headers=headers, extensions=extensions)
        except NEVER_REACHED as error:
            raise NotSent(f"the provider was not reached: {type(error).__name__}") from error
        if answer.status_code == httpx2.codes.TOO_MANY_REQUESTS:
            raise NotSent("the provider is busy")
        if answer.status_code == httpx2.codes.PAYMENT_REQUIRED:
            return Failed(answer.json()["reason"], "the provider has declined the charge")
        if answer.status_code != httpx2.codes.CREATED:
            raise NotUnderstood(f"the provider answered {answer.status_code}")
        return Done({"charge_id": answer.json()["id"]})


def checking(permit: Permit) -> Hook:
    """Looks at the permit when connected, immediately before the first byte."""

    async def hook(event: str, _details: dict[str, Any]) -> None:
        if event.endswith("send_request_headers.started"):
            permit.check()

    return hook

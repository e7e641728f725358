"""Before a shop front places an order, its customer pays: the authorization's id goes with the order."""

import asyncio
from collections.abc import Iterable, Mapping

import httpx2

from deploy.local.demo.asked import Asked
from deploy.local.demo.shop_front import NoAnswer
from services.orders.domain.totals import totals_of
from shared.contracts.refusal import Refused
from shared.contracts.shop_facts import ShopSettings

_TRIES = 8
_CLICKS_AGAIN_AFTER = 0.5


class Checkout:
    """Pays at Sandbox Pay with the shops' keys; the same order is paid once, however often it is asked for."""

    def __init__(
        self, http: httpx2.AsyncClient, shops: Iterable[ShopSettings], keys: Mapping[str, str], tries: int = _TRIES
    ) -> None:
        self._http, self._keys, self._tries = http, keys, tries
        self._shops = {shop.shop: shop for shop in shops}

    async def paid(self, asked: Asked) -> Asked:
        """The order with the payment's id, or as it is where it can come to nothing. Raises NoAnswer."""
        order = asked.order
        try:
            total = order.total if order.total is not None else self._to_pay(asked)
        except Refused:
            return asked
        if total <= 0:
            return asked
        wanted = {"amount": total, "currency": order.currency, "reference": str(order.order_id)}
        reference = await self._pay(asked.shop, f"checkout-{order.order_id}", wanted)
        payment = order.payment.model_copy(update={"reference": reference})
        return Asked(asked.shop, asked.label, order.model_copy(update={"payment": payment}), asked.rows)

    def _to_pay(self, asked: Asked) -> int:
        return totals_of(asked.order, self._shops[asked.shop]).to_pay.amount

    async def _pay(self, shop: str, key: str, wanted: Mapping[str, object]) -> str:
        headers = {"Authorization": f"Bearer {self._keys[shop]}", "Idempotency-Key": key}
        words = ""
        for _ in range(self._tries):
            try:
                answer = await self._http.post("/v1/payments", json=dict(wanted), headers=headers)
            except httpx2.TransportError as problem:  # a customer clicks again
                words = type(problem).__name__
            else:
                if answer.is_success:
                    return str(answer.json()["id"])
                words = f"HTTP {answer.status_code} {answer.text[:100]}"
            await asyncio.sleep(_CLICKS_AGAIN_AFTER)
        raise NoAnswer(f"the customer could not pay: {words}")

"""How a payment stands is asked of its provider, and an answer that says more than yes or no is passed on."""

import pytest

from services.integrations.connections import Connection
from services.integrations.payment.port import Standing
from services.integrations.payment.sandbox import SandboxPay
from tests.plugins.sandboxes import Sandbox


@pytest.mark.requirement("R117")
async def test_a_payment_stands_as_its_provider_says(payment_sandbox: Sandbox) -> None:
    connection = Connection("nordic-tea", "payment", "sandbox", payment_sandbox.running.url, payment_sandbox.api_key)
    pay = SandboxPay(connection, seconds=10)

    async def begun(**wanted: object) -> str:
        body = {"amount": 1000, "currency": "SEK", "reference": "cart-7", **wanted}
        return str((await payment_sandbox.http.post("/v1/payments", json=body)).json()["id"])

    async def change(payment: str, what: str, **body: int) -> None:
        path, headers = f"/v1/payments/{payment}/{what}", {"Idempotency-Key": f"{payment} {what}"}
        answer = await payment_sandbox.http.post(path, json=body or None, headers=headers)
        assert answer.is_success, answer.text

    assert await pay.standing(await begun()) == Standing("authorized", 1000)
    partly = await begun()
    await change(partly, "captures", amount=400)
    more = Standing("authorized", 1000, more="partially_captured", detail="captured 400, refunded 0", currency="SEK")
    assert await pay.standing(partly) == more
    voided = await begun()
    await change(voided, "void")
    assert await pay.standing(voided) == Standing("declined", reason="voided"), "there is nothing left to capture"
    assert await pay.standing(await begun(outcome="expired")) == Standing("declined", reason="expired")
    assert await pay.standing("pay_nobody") == Standing("declined", reason="no-such-payment")
    await pay.close()

"""Sandbox Pay, the payment provider of the demo and the tests; its interface stands in `deploy/local/sandbox`."""

import json
from typing import Any
from urllib.parse import quote

import httpx2

from services.integrations.calling import Calling, Checked, Heard, NotAnAnswer
from services.integrations.connections import Connection
from services.integrations.payment.port import Move, Standing, Told
from shared.messaging.effects import Done, Failed, Permit

PATHS = {"capture": "captures", "refund": "refunds", "void": "void"}
NOT_GOOD = frozenset({"declined", "expired", "voided"})
CLEAR_NO = frozenset({400, 401, 402, 404, 409, 422})
TOLD = {"authorization": "authorized", "capture": "capture", "refund": "refund", "void": "void"}


class SandboxPay:
    """One merchant's account at Sandbox Pay."""

    remembers = 24 * 3600.0

    def __init__(self, connection: Connection, *, seconds: float, heard: Heard | None = None) -> None:
        headers = {"Authorization": f"Bearer {connection.api_key}"}
        self._calling = Calling(connection.url, seconds=seconds, headers=headers, heard=heard)

    async def standing(self, reference: str) -> Standing:
        """See PaymentProvider."""
        payment = await self._calling.look(f"/v1/payments/{quote(reference, safe='')}")
        if payment is None:
            return Standing("declined", reason="no-such-payment")
        if payment["status"] in NOT_GOOD:
            return Standing("declined", reason=payment["status"])
        if payment["status"] == "authorized":
            return Standing("authorized", payment["authorized"])
        return Standing(
            "authorized",
            payment["authorized"],
            more=payment["status"],
            detail=f"captured {payment['captured']}, refunded {payment['refunded']}",
            currency=payment["currency"],
        )

    async def move(self, move: Move, permit: Permit) -> Done | Failed:
        """See PaymentProvider."""
        path = f"/v1/payments/{quote(move.reference, safe='')}/{PATHS[move.action]}"
        body = b"" if move.action == "void" else json.dumps({"amount": move.amount}).encode()
        answer = await self._calling.send("POST", path, permit, body=body, headers={"Idempotency-Key": move.key})
        if answer.status_code == httpx2.codes.CREATED:
            return _outcome(answer.json())
        if answer.status_code in CLEAR_NO:
            error = answer.json()["error"]
            return Failed(error["code"], error["message"])
        raise NotAnAnswer(f"the provider answered {answer.status_code}")

    async def find(self, move: Move) -> Done | Failed | None:
        """See PaymentProvider."""
        found = await self._calling.look("/v1/transactions", idempotency_key=move.key)
        return _outcome(found["data"][-1]) if found and found["data"] else None

    def told(self, body: bytes) -> Told | None:
        """See PaymentProvider."""
        event = json.loads(body)
        done = event["data"]["transaction"]
        payment = event["data"].get("payment")
        what: Any = TOLD.get(done["kind"])
        return Told(
            str(event["type"]),
            done["payment"],
            what,
            done["amount"],
            done["currency"],
            done["id"],
            done["idempotency_key"],
            failed=done["status"] == "failed",
            at=str(done.get("created", "")),
            detail=f"{done['kind']} {done['status']}",
            merchant_reference=str(payment.get("reference", "")) if isinstance(payment, dict) else "",
        )

    async def check(self) -> Checked:
        """See PaymentProvider."""
        return await self._calling.check("/v1/account", lambda account: bool(account["merchant"]))

    async def close(self) -> None:
        """See PaymentProvider."""
        await self._calling.close()


def _outcome(transaction: dict[str, Any]) -> Done | Failed:
    """What a transaction came to. Raises NotAnAnswer for one that has yet to settle."""
    if transaction["status"] == "failed":
        return Failed("failed-later", f"{transaction['kind']} {transaction['id']} did not settle")
    if transaction["status"] != "succeeded":
        raise NotAnAnswer(f"{transaction['kind']} {transaction['id']} is {transaction['status']}")
    return Done({"transaction_id": transaction["id"], "amount": transaction["amount"]})

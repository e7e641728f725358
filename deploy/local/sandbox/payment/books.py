"""Whose turn it is with a key comes before whose turn it is with a payment, so sums hold however many come at once."""

import hashlib
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from deploy.local.sandbox.answers import Refused
from deploy.local.sandbox.desk import Desk
from deploy.local.sandbox.executed import Executed
from deploy.local.sandbox.ledger import Entry
from deploy.local.sandbox.payment.model import PREFIXES, Kind, Outcome, Payment, Status, Transaction
from deploy.local.sandbox.webhooks import Event, Webhooks

EVENTS = {
    ("authorization", "succeeded"): "payment.authorized",
    ("capture", "succeeded"): "capture.succeeded",
    ("refund", "succeeded"): "refund.succeeded",
    ("refund", "failed"): "refund.failed",
    ("void", "succeeded"): "payment.voided",
}
DID = {"authorization": "authorized", "capture": "captured", "refund": "refunded", "void": "voided"}
PENDING = {("capture", "capture_pending"), ("refund", "refund_pending"), ("refund", "refund_failed")}


class Payments:
    """All merchants' payments."""

    def __init__(self, folder: Path, desk: Desk, webhooks: Webhooks) -> None:
        self._payments: dict[tuple[str, str], Payment] = {}
        self._pending: dict[str, tuple[str, str, float]] = {}
        self._desk, self._webhooks = desk, webhooks
        self.executed = Executed(folder, self._apply, desk, webhooks)

    def get(self, merchant: str, name: str) -> Payment:
        """Raises Refused where the merchant has no such payment."""
        found = self._payments.get((merchant, name))
        if found is None:
            raise Refused(404, "payment_not_found", f"There is no payment {name}.")
        return found

    async def authorise(self, merchant: str, key: str, wanted: dict[str, Any]) -> tuple[str, Payment]:
        """What it came to ("executed" or "repeated"), and the payment as it was then."""
        asked = json.dumps(["payment", wanted], sort_keys=True)
        async with self._desk.turn(f"key {merchant} {key}"):
            if key and (known := self.executed.recall(merchant, key, asked)):
                return "repeated", Payment.model_validate(known["payment"])
            payment = self._new(merchant, key, **wanted)
            (authorization,) = payment.transactions
            entry = await self._add(merchant, key, asked, payment, authorization)
            return "executed", Payment.model_validate(entry["payment"])

    async def change(self, merchant: str, key: str, name: str, kind: Kind, amount: int) -> tuple[str, dict[str, Any]]:
        """What it came to, and the transaction as it was then. Raises Refused for what may not be done."""
        asked = json.dumps([kind, name, amount])
        async with self._desk.turn(f"key {merchant} {key}"), self._desk.turn(f"payment {name}"):
            if known := self.executed.recall(merchant, key, asked):
                return "repeated", known["transaction"]
            payment = self.get(merchant, name)
            payment.refuse(kind, amount)
            status: Status = "pending" if (kind, payment.outcome) in PENDING else "succeeded"
            done = self._transaction(merchant, key, payment, kind, status, amount)
            entry = await self._add(merchant, key, asked, payment.having(done), done)
            return "executed", entry["transaction"]

    def transactions(self, merchant: str, key: str) -> list[dict[str, Any]]:
        """Everything that was executed for a key, as it is now; the oldest first."""
        executed = self.executed.keys.executed(merchant, key)
        payments = dict.fromkeys(self.get(merchant, entry["payment"]["id"]) for entry in executed)
        ids = {entry["transaction"]["id"] for entry in executed}
        return [one.model_dump() for each in payments for one in each.transactions if one.id in ids]

    def due(self, before: float) -> list[str]:
        """The pending transactions that have been so since before this second of the epoch."""
        return [name for name, (_, _, since) in self._pending.items() if since < before]

    async def advance(self, name: str) -> Entry:
        """Settles a pending transaction, well or not. Raises Refused where it is not pending."""
        merchant, of, _ = self._pending.get(name, ("", "", 0.0))
        async with self._desk.turn(f"payment {of}"):
            payment = self._payments.get((merchant, of))
            pending = payment.pending(name) if payment else None
            if payment is None or pending is None:
                raise Refused(409, "not_pending", f"{name} is not pending.")
            fails = pending.kind == "refund" and payment.outcome == "refund_failed"
            settled = pending.model_copy(update={"status": "failed" if fails else "succeeded"})
            return await self._add(merchant, "", "", payment.having(settled), settled, did="settled")

    def _new(
        self,
        merchant: str,
        key: str,
        *,
        amount: int,
        currency: str,
        reference: str,
        outcome: Outcome,
        capture_limit: int | None,
    ) -> Payment:
        payment = Payment(
            id=self._name("pay", merchant, key or f"payment {len(self._payments)}"),
            reference=reference,
            currency=currency,
            authorized=0 if outcome == "declined" else amount,
            outcome=outcome,
            capture_limit=capture_limit,
            created=_now(),
        )
        status: Status = "failed" if outcome == "declined" else "succeeded"
        return payment.having(self._transaction(merchant, key, payment, "authorization", status, amount))

    def _transaction(
        self, merchant: str, key: str, payment: Payment, kind: Kind, status: Status, amount: int
    ) -> Transaction:
        return Transaction(
            id=self._name(PREFIXES[kind], merchant, key or payment.id),
            kind=kind,
            status=status,
            payment=payment.id,
            amount=amount,
            currency=payment.currency,
            idempotency_key=key,
            created=_now(),
        )

    def _name(self, prefix: str, merchant: str, key: str) -> str:
        """The same in a run that is repeated, and another for each time that a key is executed."""
        nth = len(self.executed.keys.executed(merchant, key))
        return f"{prefix}_{hashlib.sha256(f'{merchant} {key} {nth}'.encode()).hexdigest()[:16]}"

    async def _add(
        self, merchant: str, key: str, asked: str, payment: Payment, done: Transaction, did: str = ""
    ) -> Entry:
        return await self.executed.add(
            account=merchant,
            key=key,
            asked=asked,
            did=did or DID[done.kind],
            payment=payment.model_dump(),
            transaction=done.model_dump(),
            webhook=self._event(merchant, payment, done),
        )

    def _event(self, merchant: str, payment: Payment, done: Transaction) -> Event | None:
        kind = EVENTS.get((done.kind, done.status))
        if kind is None:
            return None
        data = {"transaction": done.model_dump(), "payment": payment.shown(transactions=False)}
        return self._webhooks.event(merchant, kind, done.id, data)

    def _apply(self, entry: Entry) -> None:
        payment, done = Payment.model_validate(entry["payment"]), Transaction.model_validate(entry["transaction"])
        self._payments[entry["account"], payment.id] = payment
        self._pending.pop(done.id, None)
        if done.status == "pending":
            self._pending[done.id] = (entry["account"], payment.id, entry["at"])


def _now() -> str:
    return datetime.now(UTC).isoformat()

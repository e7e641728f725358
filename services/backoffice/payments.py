"""What pages ask of integrations about payments without an order: tolerant of words that a newer version adds."""

from datetime import datetime
from typing import Any

from pydantic import BaseModel

from services.backoffice.orders import Count
from services.backoffice.others import Away, Others, Parameters, Refusal
from services.backoffice.sessions import Visitor
from shared.contracts.values import Money

INTEGRATIONS = "integrations"
PATH = "/v1/payments/unmatched"
STATES = ("open", "heard", "matched", "closed")
COUNTED, COUNT_WITHIN = 100, 1.0
"""So many are counted, and within so many seconds: the list of orders waits for nobody."""


class Said(BaseModel):
    """One thing that the provider said."""

    event: str
    what: str | None = None
    said_at: datetime
    transaction_id: str = ""
    failed: bool = False
    amount: int | None = None
    currency: str | None = None
    detail: str = ""


class UnmatchedPayment(BaseModel):
    """A payment of which a provider told before its order was here."""

    id: str
    state: str
    provider: str
    reference: str
    merchant_reference: str = ""
    currency: str | None = None
    authorized: int
    captured: int
    refunded: int
    voided: bool
    messages: int
    first_heard_at: datetime
    last_heard_at: datetime
    order_id: str | None = None
    settled_at: datetime | None = None
    settled_by: str | None = None
    reason: str = ""
    said: list[Said] = []

    @property
    def stands(self) -> str:
        """Where the money is: a word."""
        if self.captured:
            return "captured" if self.captured > self.refunded else "refunded"
        if self.authorized:
            return "voided" if self.voided else "authorized"
        return "nothing"

    @property
    def sum(self) -> int:
        """What it is about, in minor units: what was taken and is kept, else what was taken or authorized at all."""
        return self.captured - self.refunded or self.captured or self.authorized

    @property
    def money(self) -> Money | None:
        """The same in its currency; None where nobody has named one."""
        return Money(amount=self.sum, currency=self.currency) if self.currency else None


class UnmatchedPage(BaseModel):
    """Some of them, the oldest first."""

    payments: list[UnmatchedPayment]
    next: str | None = None


async def payments_of(others: Others, visitor: Visitor, state: str, after: str = "") -> UnmatchedPage:
    """A page of those in a state. Raises Away, Refusal."""
    asked: Parameters = [("state", state), *([("after", after)] if after else [])]
    return UnmatchedPage.model_validate_json((await others.get(INTEGRATIONS, PATH, visitor, asked)).content)


async def payment_of(others: Others, visitor: Visitor, payment_id: str) -> UnmatchedPayment:
    """One, with what was said of it. Raises Away, Refusal."""
    answer = await others.get(INTEGRATIONS, f"{PATH}/{payment_id}", visitor)
    return UnmatchedPayment.model_validate_json(answer.content)


async def open_payments(others: Others, visitor: Visitor) -> Count | None:
    """How many wait for somebody; None where that is not theirs to know, or not known now."""
    if not visitor.may("payments:read"):
        return None
    asked: Parameters = [("state", "open"), ("limit", str(COUNTED))]
    try:
        answer = await others.get(INTEGRATIONS, PATH, visitor, asked, within=COUNT_WITHIN)
    except (Away, Refusal):
        return None
    found = UnmatchedPage.model_validate_json(answer.content)
    return Count(count=len(found.payments), more=found.next is not None)


async def settle_payment(
    others: Others, visitor: Visitor, payment_id: str, what: str, body: dict[str, Any], *, key: str
) -> UnmatchedPayment:
    """Attach it to an order, or close it; how it is then, and by whom. Raises Away, Refusal."""
    answer = await others.post(INTEGRATIONS, f"{PATH}/{payment_id}/{what}", visitor, body, key=key)
    return UnmatchedPayment.model_validate_json(answer.content)

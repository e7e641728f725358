"""Whatever a payment provider says is told to the order's log; money counts where nobody here had asked for it."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from services.integrations.payment.handlers import entries_of, record_what_was_told
from services.integrations.payment.messages import ProviderSaid, ProviderTold, Said
from services.integrations.payment.till import LookedUp
from shared.contracts.order_log import PaymentProviderMessage
from shared.contracts.values import with_masked_numbers

THEN = datetime(2026, 11, 24, 18, 30, tzinfo=UTC)


def said(what: Any, *, acts: bool = True, **changes: Any) -> ProviderSaid:
    fields: dict[str, Any] = {
        "provider": "sandbox",
        "event": "something.happened",
        "reference": "pay_1",
        "said_at": THEN,
        "heard_at": THEN,
        "message_id": "evt_1",
        "what": what,
        "transaction_id": "t_1",
        "amount": 500,
        "currency": "SEK",
    }
    return ProviderSaid(order_id=uuid4(), said=Said(**fields | changes), acts=acts)


@pytest.mark.requirement("R117", "R132")
@pytest.mark.parametrize(
    ("what", "then"),
    [
        ("authorized", ["payment.authorized.v1"]),
        ("capture", ["payment.captured.v1"]),
        ("refund", ["payment.refunded.v1"]),
        ("void", ["payment.voided.v1"]),
        (None, []),
    ],
)
def test_what_a_provider_says_is_kept_with_the_time_of_then_and_counts(what: Any, then: list[str]) -> None:
    first, *rest = entries_of(said(what), None)
    assert isinstance(first, PaymentProviderMessage)
    assert (first.said_at, first.message_id, first.amount) == (THEN, "evt_1", 500)
    assert [entry.type for entry in rest] == then


def test_what_we_asked_for_or_what_failed_is_kept_and_does_not_count_again() -> None:
    (ours,) = entries_of(said("capture", acts=False), None)
    (failed,) = entries_of(said("refund", acts=False, failed=True), None)
    assert (ours.outcome, failed.outcome) == ("done", "failed")


@pytest.mark.requirement("R117")
def test_an_authorization_is_told_once_where_the_provider_was_asked_after_it() -> None:
    """A person saw it twice: from the look-up, and from the webhook that came later."""

    def told(message: ProviderSaid, amount: int = 500, at: datetime = THEN) -> list[str]:
        return [entry.type for entry in entries_of(message, LookedUp(amount, at))]

    assert told(said("authorized")) == ["payment.provider-message.v1"]
    twice = ["payment.provider-message.v1", "payment.authorized.v1"]
    assert told(said("authorized"), at=THEN - timedelta(seconds=1)) == twice, "it was not there then"
    assert told(said("authorized"), amount=400) == twice, "it is another"
    assert told(said("capture")) == ["payment.provider-message.v1", "payment.captured.v1"]


async def test_what_an_older_version_was_told_still_counts() -> None:
    told = ProviderTold(order_id=uuid4(), what="capture", amount=500, transaction_id="t_1")
    assert [entry.type for entry in await record_what_was_told(told)] == ["payment.captured.v1"]


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("card 4111111111111111 declined", "card ***1111 declined"),
        ("4111 1111 1111 1111", "***1111"),
        ("5500-0000-0000-0004.", "***0004."),
        ("order 20261127", "order 20261127"),
        ("12345678901", "12345678901"),
        ("12345678901234567890", "12345678901234567890"),
    ],
)
def test_numbers_as_long_as_a_cards_are_masked(text: str, masked: str) -> None:
    assert with_masked_numbers(text) == masked

"""A provider's words as they are kept: one line each, cut, without what a payment must not tell of its customer."""

from datetime import UTC, datetime

from pydantic import TypeAdapter, ValidationError

from services.integrations.payment.messages import Said
from services.integrations.payment.port import Standing, Told
from shared.contracts.message import now
from shared.contracts.order_log import PaymentProviderMessage
from shared.contracts.values import Currency, OrderId, on_one_line, with_masked_emails, with_masked_numbers

CURRENCY: TypeAdapter[str] = TypeAdapter(Currency)
LONGEST = 150
"""Characters; what is masked may be longer than what it stands for."""


def said_of(told: Told, *, provider: str = "-", message_id: str = "", heard_at: datetime | None = None) -> Said:
    """What is kept of what was told. Raises ValueError for what makes no sense."""
    heard_at = heard_at or now()
    if told.what is not None and (told.amount is None or not told.transaction_id):
        raise ValueError(f"{told.event} names no amount, or no transaction")
    return Said(
        provider=provider,
        event=cleaned(told.event, LONGEST) or "-",
        reference=told.reference,
        said_at=moment_of(told.at) or heard_at,
        heard_at=heard_at,
        message_id=on_one_line(message_id, LONGEST),
        what=told.what,
        failed=told.failed,
        transaction_id=told.transaction_id,
        amount=told.amount,
        currency=currency_of(told.currency),
        detail=cleaned(told.detail, 2 * LONGEST),
    )


def entry_of(order_id: OrderId, said: Said) -> PaymentProviderMessage:
    """What the order's log says of it."""
    return PaymentProviderMessage(
        order_id=order_id,
        outcome="failed" if said.failed else "done",
        summary="payment.provider-message",
        **{name: getattr(said, name) for name in KEPT},
    )


def answered(order_id: OrderId, standing: Standing, provider: str, reference: str) -> PaymentProviderMessage:
    """What the order's log says of an answer that says more than we have a word for."""
    heard_at = now()
    return PaymentProviderMessage(
        order_id=order_id,
        outcome="done",
        summary="payment.provider-message",
        provider=provider,
        event=cleaned(standing.more, LONGEST),
        reference=reference,
        said_at=heard_at,
        heard_at=heard_at,
        amount=standing.amount,
        currency=currency_of(standing.currency),
        detail=cleaned(standing.detail, 2 * LONGEST),
    )


def cleaned(text: str, longest: int) -> str:
    """One line without addresses and card numbers; masked before it is cut, so that no part of one is left."""
    return on_one_line(with_masked_numbers(with_masked_emails(on_one_line(text, 50 * longest))), longest)


def moment_of(text: str) -> datetime | None:
    """A time as RFC 3339 has it, in UTC; None for what is none."""
    try:
        moment = datetime.fromisoformat(text)
        return moment.astimezone(UTC) if moment.tzinfo else None
    except (ValueError, OverflowError):
        return None


def currency_of(text: str) -> Currency | None:
    """A currency; None for what is none."""
    try:
        return CURRENCY.validate_python(text)
    except ValidationError:
        return None


KEPT = Said.model_fields.keys() & PaymentProviderMessage.model_fields.keys()

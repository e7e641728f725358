"""What the webhooks of each kind tell the lanes."""

from functools import partial
from uuid import UUID

from services.integrations.payment.messages import ProviderTold
from services.integrations.payment.port import PaymentProvider, Told
from services.integrations.shipping.messages import CarrierTold
from services.integrations.shipping.port import Carrier, Seen
from services.integrations.webhooks import News


def payment_news(provider: PaymentProvider, body: bytes) -> News | None:
    """What a payment provider tells."""
    told = provider.told(body)
    if told is None:
        return None
    result = {"transaction_id": told.transaction_id, "amount": told.amount}
    return News(told.reference, partial(provider_told, told), told.key, result, failed=told.failed)


def provider_told(told: Told, order_id: UUID) -> ProviderTold:
    """The message for the lane."""
    return ProviderTold(
        order_id=order_id,
        what=told.what,
        amount=told.amount,
        transaction_id=told.transaction_id,
    )


def shipping_news(carrier: Carrier, body: bytes) -> News | None:
    """What a carrier tells."""
    seen = carrier.seen(body)
    return None if seen is None else News(seen.shipment_id, partial(carrier_told, seen), ours=seen.key)


def carrier_told(seen: Seen, order_id: UUID) -> CarrierTold:
    """The message for the lane."""
    return CarrierTold(order_id=order_id, shipment_id=seen.shipment_id, state=seen.state, seen_at=seen.at)

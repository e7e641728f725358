"""What the webhooks of each kind tell the lanes."""

from functools import partial
from uuid import UUID

from services.integrations.payment.messages import ProviderSaid, Said
from services.integrations.payment.port import PaymentProvider, Told
from services.integrations.payment.unmatched import keep
from services.integrations.payment.words import said_of
from services.integrations.shipping.messages import CarrierTold
from services.integrations.shipping.port import Carrier, Seen
from services.integrations.webhooks import Heard, News
from shared.contracts.values import on_one_line
from shared.messaging.database import Connection


def payment_news(provider: PaymentProvider, body: bytes) -> News | None:
    """What a payment provider tells. Raises ValueError for what makes no sense."""
    told = provider.told(body)
    if told is None:
        return None
    said_of(told)
    return News(
        told.reference,
        partial(provider_said, told),
        told.key,
        {"transaction_id": told.transaction_id, "amount": told.amount},
        failed=told.failed,
        keep=partial(keep_until_it_comes, told),
    )


def provider_said(told: Told, order_id: UUID, heard: Heard, ours: bool) -> ProviderSaid:  # noqa: FBT001 - as News has it
    """The message for the lane; what a call of ours has done, its own answer tells."""
    acts = told.what is not None and not (ours or told.failed)
    return ProviderSaid(order_id=order_id, said=as_heard(told, heard), acts=acts)


async def keep_until_it_comes(told: Told, database: Connection, shop: str, heard: Heard) -> None:
    """For the order that is not here yet."""
    await keep(database, shop, as_heard(told, heard), on_one_line(told.merchant_reference, 128))


def as_heard(told: Told, heard: Heard) -> Said:
    """What was told, and how."""
    return said_of(told, provider=heard.provider, message_id=heard.webhook_id, heard_at=heard.at)


def shipping_news(carrier: Carrier, body: bytes) -> News | None:
    """What a carrier tells."""
    seen = carrier.seen(body)
    return None if seen is None else News(seen.shipment_id, partial(carrier_told, seen), ours=seen.key)


def carrier_told(seen: Seen, order_id: UUID, _heard: Heard, _ours: bool) -> CarrierTold:  # noqa: FBT001 - the same
    """The message for the lane."""
    return CarrierTold(order_id=order_id, shipment_id=seen.shipment_id, state=seen.state, seen_at=seen.at)

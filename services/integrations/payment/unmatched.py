"""Payments whose order is not here: a provider may tell of one before its order is placed, or where it never is.

What was said of such a payment is its order's from the moment the order comes, once: in one transaction it is known
whose the payment is, and all that was kept is in the order's lane.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import asyncpg
from pydantic import TypeAdapter

from services.integrations.connections import Kind
from services.integrations.known_there import hold, order_of, remember
from services.integrations.lanes import put_into_lane
from services.integrations.payment.group import SOURCE, payment
from services.integrations.payment.messages import PaymentFound, ProviderSaid, Said
from shared.contracts.message import Message, new_id, now
from shared.contracts.order import OrderSnapshot
from shared.contracts.refusal import Refused
from shared.messaging.database import Connection

KIND: Kind = "payment"
MOST = 200
"""So many messages are kept of one payment; those beyond are counted."""
SAID = TypeAdapter(list[Said])

KEEP = """
insert into unmatched_payment as u (
  id, shop, reference, provider, merchant_reference, state, said, messages, first_heard_at, last_heard_at)
values ($1, $2, $3, $4, $5, $6, $7::jsonb, 1, $8, $8)
on conflict (shop, reference) do update set said = excluded.said, state = excluded.state, messages = u.messages + 1,
  last_heard_at = excluded.last_heard_at,
  merchant_reference = coalesce(nullif(excluded.merchant_reference, ''), u.merchant_reference)
"""
OF_REFERENCE = "select * from unmatched_payment where shop = $1 and reference = $2 for update"
OF_ID = "select * from unmatched_payment where shop = $1 and id = $2"
MATCH = """
update unmatched_payment set state = 'matched', order_id = $3, settled_at = clock_timestamp(), settled_by = $4
where shop = $1 and reference = $2 and state <> 'matched' returning *
"""
CLOSE = """
update unmatched_payment set state = 'closed', settled_at = clock_timestamp(), settled_by = $3, reason = $4
where shop = $1 and id = $2 and state in ('open', 'heard') returning *
"""
PAYABLE = """
insert into payable_order (order_id, shop, reference, currency) values ($1, $2, $3, $4) on conflict do nothing
"""
ORDER = "select reference, currency from payable_order where shop = $1 and order_id = $2 for update"
NAME = "update payable_order set reference = $3 where shop = $1 and order_id = $2"
PAGE = """
select * from unmatched_payment where shop = $1 and state = $2 and ($3::uuid is null or id > $3) order by id limit $4
"""
FORGET = """
delete from unmatched_payment
where (state in ('matched', 'closed') and settled_at < clock_timestamp() - interval '35 days')
  or last_heard_at < clock_timestamp() - interval '180 days'
"""


@dataclass(frozen=True)
class Sums:
    """What a payment comes to, in minor units."""

    authorized: int
    captured: int
    refunded: int
    voided: bool

    @property
    def holds_money(self) -> bool:
        """Whether there is something for an order, or for its customer."""
        return self.captured > self.refunded or (self.authorized > 0 and not self.voided)


def sums_of(said: Sequence[Said]) -> Sums:
    """What these messages come to; one transaction counts once, however often it was told of."""
    happened = {(each.what, each.transaction_id): each.amount or 0 for each in said if each.what and not each.failed}

    def sum_of(what: str) -> int:
        return sum(amount for (kind, _), amount in happened.items() if kind == what)

    voided = any(kind == "void" for kind, _ in happened)
    return Sums(sum_of("authorized"), sum_of("capture"), sum_of("refund"), voided)


async def keep(connection: Connection, shop: str, said: Said, merchant_reference: str) -> None:
    """Keeps what was said of a payment that no order has; the caller holds its reference."""
    row = await connection.fetchrow(OF_REFERENCE, shop, said.reference)
    kept = said_in(row)[:MOST]
    if len(kept) < MOST:
        kept.append(said)
    state = "open" if sums_of(kept).holds_money else "heard"
    if row is not None and row["state"] in {"matched", "closed"}:
        state = row["state"]
    text = SAID.dump_json(kept).decode()
    columns = (said.reference, said.provider, merchant_reference, state, text, said.heard_at)
    await connection.execute(KEEP, UUID(new_id()), shop, *columns)


async def order_came(connection: Connection, order: OrderSnapshot, *, late_after: float) -> None:
    """The order may have payments from now on, and what was said of its payment before is put into its lane.

    A payment that waited for less than `late_after` seconds came with its order, and is not worth a word.
    """
    reference = order.payment.reference
    if reference:
        await hold(connection, order.shop, KIND, reference)
        await remember(connection, order.shop, KIND, reference, order.id)
    await connection.execute(PAYABLE, order.id, order.shop, reference, order.currency)
    if reference and await order_of(connection, order.shop, KIND, reference) == order.id:
        row = await connection.fetchrow(MATCH, order.shop, reference, order.id, "integrations")
        if row is not None:
            late = waited(row) >= late_after
            await put_into_lane(
                connection, payment, SOURCE, order.shop, row["provider"], told_anew(row, by_hand=False, late=late)
            )


async def attach(connection: Connection, shop: str, case_id: UUID, order_id: UUID, actor: str) -> asyncpg.Record:
    """A person says whose payment it is. Raises LookupError, and Refused.

    `already-matched`, `unknown-order`, `other-payment`, `other-currency`.
    """
    case = await find(connection, shop, case_id)
    reference = case["reference"]
    await hold(connection, shop, KIND, reference)
    if (owner := await order_of(connection, shop, KIND, reference)) is not None:
        if owner != order_id:
            raise Refused("already-matched", f"the payment is order {owner}'s")
        return await find(connection, shop, case_id)
    refuse_unfit(case, order_id, await connection.fetchrow(ORDER, shop, order_id))
    await remember(connection, shop, KIND, reference, order_id)
    await connection.execute(NAME, shop, order_id, reference)
    matched = await connection.fetchrow(MATCH, shop, reference, order_id, actor)
    if matched is None:
        raise LookupError(f"there is no payment {case_id}")
    await put_into_lane(connection, payment, SOURCE, shop, actor, told_anew(matched, by_hand=True, late=True))
    return matched


def refuse_unfit(case: asyncpg.Record, order_id: UUID, order: asyncpg.Record | None) -> None:
    """Raises Refused where the order cannot have this payment."""
    if order is None:
        raise Refused("unknown-order", f"the shop has no order {order_id} that a payment could be attached to")
    if order["reference"] not in {"", case["reference"]}:
        raise Refused("other-payment", f"the order has the payment {order['reference']}")
    currencies = {each.currency for each in said_in(case) if each.currency}
    if order["currency"] and currencies - {order["currency"]}:
        raise Refused("other-currency", f"the order is in {order['currency']}, the payment is not")


async def close(connection: Connection, shop: str, case_id: UUID, actor: str, reason: str) -> asyncpg.Record:
    """A person says that nothing is to be done about it. Raises LookupError, and Refused: `already-matched`."""
    case = await find(connection, shop, case_id)
    await hold(connection, shop, KIND, case["reference"])
    closed = await connection.fetchrow(CLOSE, shop, case_id, actor, reason)
    if closed is None:
        case = await find(connection, shop, case_id)
        if case["state"] == "matched":
            raise Refused("already-matched", f"the payment is order {case['order_id']}'s")
    return closed or case


async def find(connection: Connection, shop: str, case_id: UUID) -> asyncpg.Record:
    """One of the shop's. Raises LookupError."""
    row = await connection.fetchrow(OF_ID, shop, case_id)
    if row is None:
        raise LookupError(f"there is no payment {case_id}")
    return row


async def page(
    connection: Connection, shop: str, state: str, *, after: UUID | None, limit: int
) -> list[asyncpg.Record]:
    """The shop's that are in this state, the oldest first, behind one of them."""
    return list(await connection.fetch(PAGE, shop, state, after, limit))


def said_in(row: asyncpg.Record | None) -> list[Said]:
    """What was kept of what was said."""
    return [] if row is None else SAID.validate_json(row["said"])


def waited(row: asyncpg.Record, until: datetime | None = None) -> float:
    """For how many seconds the payment has waited for its order."""
    seconds: float = ((until or now()) - row["first_heard_at"]).total_seconds()
    return max(seconds, 0.0)


def told_anew(row: asyncpg.Record, *, by_hand: bool, late: bool) -> list[Message]:
    """What the lane of the order is told: that there is a payment, and everything that was said of it.

    How the authorization stands, the provider is asked at the same time: it may be gone by now.
    """
    order_id = row["order_id"]
    found = PaymentFound(
        order_id=order_id,
        provider=row["provider"],
        reference=row["reference"],
        first_heard_at=row["first_heard_at"],
        minutes=int(waited(row) // 60),
        messages=row["messages"],
        by_hand=by_hand,
    )
    before: list[Message] = [found] if late else []
    return before + [
        ProviderSaid(order_id=order_id, said=said, acts=said.what not in {None, "authorized"} and not said.failed)
        for said in said_in(row)
    ]

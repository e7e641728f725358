"""What is done by hand to records: a parked key is let go, a gap is accepted, a quarantined one is read again."""

import asyncpg

from shared.contracts.message import NotUnderstood
from shared.contracts.reading import read_head
from shared.contracts.refusal import Refused
from shared.messaging.database import Connection
from shared.messaging.ingest_by_hand import Gap, IngestByHand
from shared.messaging.intake import Arrived, Quarantined, headers_from_bytes
from shared.messaging.repaired import Repaired
from shared.messaging.wanted import AcceptGap, ReleaseKey, TakeAgain

RELEASE = "delete from parked where topic = $1 and aggregateid = $2 returning error"
WAITING = """
select payload, count(*) over () as waiting from outbox where topic = $1 and aggregateid = $2 order by position limit 1
"""
FIND = "select * from quarantine where position = $1"
REMOVE = "delete from quarantine where position = $1 returning position"
SAY_WHY = "update quarantine set reason = $2 where position = $1"
TAKEN = {
    "taken in": "it is taken in",
    "held": "it is held: an earlier one of its stream is still missing",
    "duplicate": "it had been taken in already, and is forgotten here",
}


async def release(connection: Connection, wanted: ReleaseKey) -> Repaired:
    """Lets the relay send again what it parked, in order. Raises Refused: `not-parked`."""
    if await connection.fetchval(RELEASE, wanted.topic, wanted.key) is None:
        raise Refused("not-parked", f"nothing of {wanted.key} is parked on {wanted.topic}, or no longer")
    row = await connection.fetchrow(WAITING, wanted.topic, wanted.key)
    answer = f"it is sent again: {row['waiting']} in order" if row else "nothing waits behind it any more"
    return Repaired(answer, f"{wanted.topic} {wanted.key}", wanted.key, _shop(row["payload"]) if row else "")


def _shop(payload: str) -> str:
    try:
        return read_head(payload.encode()).shop
    except NotUnderstood:
        return ""


async def accept_gap(connection: Connection, store: IngestByHand, wanted: AcceptGap) -> Repaired:
    """Goes on behind a gap, if it is still the one that was seen. Raises Refused: `not-a-gap`."""
    gap = await store.gap_of(connection, wanted.source, wanted.subject)
    if gap is None:
        raise Refused("not-a-gap", "nothing of this stream is held back, or no longer")
    if (gap.incarnation, gap.first, gap.last) != (wanted.incarnation, wanted.first, wanted.last):
        raise Refused("not-a-gap", f"what is missing now is {gap}")
    fates = await store.accept(connection, wanted.source, wanted.subject, gap)
    flowing = ", ".join(f"{count} {fate}" for fate, count in sorted(fates.items()) if count)
    return Repaired(
        f"{gap.last - gap.first + 1} given up; of what was held: {flowing}",
        f"{wanted.topic} {wanted.source} {gap}",
        wanted.subject,
        gap.shop,
    )


async def take_again(connection: Connection, store: IngestByHand, row: asyncpg.Record) -> Repaired:
    """Reads a quarantined record again. If it is still not understood it stays, with the reason of now.

    Raises Refused, `not-quarantined`, where another has taken it meanwhile.
    """
    about = f"{row['topic']} partition {row['partition']} offset {row['offset']}"
    headers = headers_from_bytes(row["headers"])
    arrived = Arrived(row["topic"], row["partition"], row["offset"], row["key"], row["value"], headers)
    outcome = await store.take_again(connection, arrived)
    if isinstance(outcome, Quarantined):
        await connection.execute(SAY_WHY, row["position"], outcome.reason)
        return Repaired(f"it stays: {outcome.reason}", about, "", "", done=False)
    # Only now: ingest locks its cursors before it writes here, and so do we.
    if not await connection.fetchval(REMOVE, row["position"]):
        raise not_quarantined(row["position"])
    record, fate = outcome
    envelope = record.envelope
    return Repaired(TAKEN[fate], about, envelope.subject, envelope.shop, envelope.correlationid or envelope.id)


async def quarantined(connection: Connection, wanted: TakeAgain) -> asyncpg.Record:
    """The row that is meant. Raises Refused: `not-quarantined`."""
    row = await connection.fetchrow(FIND, wanted.position)
    if row is None:
        raise not_quarantined(wanted.position)
    return row


def not_quarantined(position: int) -> Refused:
    """The refusal for a row that is not there."""
    return Refused("not-quarantined", f"nothing is quarantined at {position}, or no longer")


__all__ = ["Gap", "accept_gap", "quarantined", "release", "take_again"]

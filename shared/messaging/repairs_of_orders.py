"""What somebody asked for on an order itself: the message or call is found by what the order's log says of it.

Nothing of another order or shop is touched, whatever was asked for.
"""

import asyncpg

from shared.contracts.message import NotUnderstood
from shared.contracts.reading import read_head
from shared.contracts.refusal import Refused
from shared.messaging import entrance, repairs_of_lanes
from shared.messaging.database import Connection
from shared.messaging.repaired import Repaired
from shared.messaging.wanted import AskedOnOrder, SettleEffect

FIND = """
select i.position, i.state, m.type, m.record, l.shop, l.state as lane
from inbox i join message m on m.position = i.position
left join lane l on l."group" = i."group" and l.subject = i.subject
where i."group" = $1 and i.subject = $2 and m.id = $3 and ($4::text is null or m.source = $4)
order by i.position
"""
IS_ITS_OWN = "select exists (select from effect where key = $1 and subject = $2 and shop = $3)"
NOW = "it is tried again now"


async def put_right(connection: Connection, wanted: AskedOnOrder, reason: str) -> Repaired:
    """Does it, in the caller's transaction.

    Raises Refused: `not-there`, `lane-blocked`, and as `repairs_of_lanes` does.
    """
    if wanted.do == "settle":
        return await _settle(connection, wanted, reason)
    row = await _find(connection, wanted)
    group = str(wanted.group)
    if wanted.do == "skip":
        return await repairs_of_lanes.skip(connection, group, row["position"])
    if row["state"] == "dead":
        return await repairs_of_lanes.retry(connection, group, row["position"])
    return await _hurry(connection, wanted, row)


async def _settle(connection: Connection, wanted: AskedOnOrder, reason: str) -> Repaired:
    key = str(wanted.key)
    if not await connection.fetchval(IS_ITS_OWN, key, str(wanted.order), wanted.shop):
        raise Refused("unknown-effect", f"there is no effect {key}")
    effect = SettleEffect(key=key, happened=bool(wanted.happened), again=wanted.again)
    return await repairs_of_lanes.settle_by_person(connection, effect, reason)


async def _find(connection: Connection, wanted: AskedOnOrder) -> asyncpg.Record:
    rows = await connection.fetch(FIND, wanted.group, str(wanted.order), wanted.message, wanted.source)
    for row in rows:
        if _shop_of(row) == wanted.shop:
            return row
    raise Refused("not-there", f"{wanted.group} has no such message that waits or was given up, or no longer")


async def _hurry(connection: Connection, wanted: AskedOnOrder, row: asyncpg.Record) -> Repaired:
    """What waits for its next try is due now."""
    if row["lane"] == "blocked":
        raise Refused("lane-blocked", "it waits behind another message of the order, which was given up")
    subject, group = str(wanted.order), str(wanted.group)
    await entrance.wake(connection, [(group, subject, wanted.shop)])
    about = f"{group} {row['type']} {wanted.message}"
    return Repaired(NOW, about, subject, wanted.shop, group=group, message_id=wanted.message)


def _shop_of(row: asyncpg.Record) -> str:
    try:
        return read_head(row["record"]).shop
    except NotUnderstood:
        return str(row["shop"] or "")

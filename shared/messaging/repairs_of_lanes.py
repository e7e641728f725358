"""What is done by hand to messages in their lanes: the dead are tried again or skipped, unknown effects are settled.

A lane is blocked by the message that died last in it. While that one is dead, no other repair lets the lane go on.
"""

from dataclasses import dataclass
from typing import Any

from shared.contracts.message import Meta, NotUnderstood
from shared.contracts.reading import read_head
from shared.contracts.refusal import Refused
from shared.messaging import settling
from shared.messaging.database import Connection
from shared.messaging.repaired import Repaired
from shared.messaging.wanted import SettleEffect

FIND = """
select i.subject, i.state, m.type, m.record, m.topic, l.shop
from inbox i join message m on m.position = i.position
left join lane l on l."group" = i."group" and l.subject = i.subject
where i.position = $2 and i."group" = $1
"""
LOCK_OR_MAKE = """
insert into lane as l ("group", subject, shop, state) values ($1, $2, $3, 'idle')
on conflict ("group", subject) do update set touched = clock_timestamp() returning state
"""
LOCK = 'select state from lane where "group" = $1 and subject = $2 for update'
IS_DEAD = """
select not exists (
  select from inbox x where x."group" = $1 and x.subject = $2 and x.state = 'dead' and x.died_at > i.died_at) as last
from inbox i where i."group" = $1 and i.subject = $2 and i.position = $3 and i.state = 'dead'
"""
READY = """
update inbox set state = 'ready', attempts = 0, error = null, died_at = null
where "group" = $1 and subject = $2 and position = $3
"""
REMOVE = 'delete from inbox where "group" = $1 and subject = $2 and position = $3'
WAKE = """
update lane set wake = wake + 1, touched = clock_timestamp(),
  state = case when state = 'leased' then state else 'ready' end,
  due = case when state = 'leased' then due else clock_timestamp() end,
  attempts = case when state = 'leased' then attempts else 0 end,
  crashes = case when state = 'leased' then crashes else 0 end,
  failing_since = case when state = 'leased' then failing_since end,
  error = case when state = 'leased' then error end
where "group" = $1 and subject = $2
"""
CAUSE_IS_DEAD = """
select exists (
  select from effect e join inbox i on i."group" = e."group" and i.subject = e.subject and i.position = e.position
  where e.key = $1 and i.state = 'dead')
"""

IN_ITS_PLACE = "it is tried again in its place, and what waits behind it follows in order"
OUT_OF_ORDER = "it is tried again; what came after it may have been handled before it: the order is not kept"
AGAIN = "the call is made again"
GIVEN_UP = "it is given up"
FORGOTTEN = "its message is no longer here, so nothing is handled again"
FIRST_RETRY = "its message is dead, and is handled when it is retried"
STILL_BLOCKED = "it is tried again when its lane goes on, which another dead message of the order blocks"


@dataclass(frozen=True, slots=True)
class DeadMessage:
    """A message that a group has given up, as far as its envelope can be read."""

    group: str
    subject: str
    position: int
    type: str
    shop: str
    meta: Meta | None

    @property
    def lane(self) -> tuple[str, str]:
        return self.group, self.subject

    def repaired(self, answer: str) -> Repaired:
        about = f"{self.group} {self.type} {self.meta.id if self.meta else self.position}"
        correlation = (self.meta.correlationid or self.meta.id) if self.meta else None
        message_id = self.meta.id if self.meta else None
        return Repaired(answer, about, self.subject, self.shop, correlation, group=self.group, message_id=message_id)


async def retry(connection: Connection, group: str, position: int) -> Repaired:
    """Makes a dead message ready in its place, and its lane due now, where nothing else blocks that.

    Raises Refused: `not-dead`.
    """
    message = await _find(connection, group, position)
    state = await connection.fetchval(LOCK_OR_MAKE, *message.lane, message.shop)
    last = await _died_last(connection, message)
    await connection.execute(READY, *message.lane, position)
    if state == "blocked" and not last:
        return message.repaired(STILL_BLOCKED)
    await connection.execute(WAKE, *message.lane)
    return message.repaired(IN_ITS_PLACE if state == "blocked" else OUT_OF_ORDER)


async def skip(connection: Connection, group: str, position: int) -> Repaired:
    """Takes a dead message out of its lane, which goes on if that blocked it. Raises Refused: `not-dead`."""
    message = await _find(connection, group, position)
    state = await connection.fetchval(LOCK, *message.lane)
    last = await _died_last(connection, message)
    await connection.execute(REMOVE, *message.lane, position)
    if state == "blocked" and last:
        await connection.execute(WAKE, *message.lane)
        return message.repaired("it is skipped; what waits behind it goes on")
    return message.repaired("it is skipped")


async def settle_by_person(connection: Connection, wanted: SettleEffect, reason: str) -> Repaired:
    """Says of an unknown effect whether it happened, or that it is given up for this reason.

    Its cause is handled again, which tells the order log. Raises Refused: `unknown-effect`, `not-unknown`.
    """
    try:
        settled = await settling.settle(
            connection, wanted.key, happened=wanted.happened, by="person", again=wanted.again, detail=reason
        )
    except LookupError:
        raise Refused("unknown-effect", f"there is no effect {wanted.key}") from None
    if settled is None:
        raise Refused("not-unknown", f"{wanted.key} is settled already, or was never unknown")
    said = "it happened" if wanted.happened else "it did not happen: " + (AGAIN if wanted.again else GIVEN_UP)
    answer = said if settled.handled_again else f"{said}; {FORGOTTEN}"
    if await connection.fetchval(CAUSE_IS_DEAD, wanted.key):
        answer = f"{said}; {FIRST_RETRY}"
    return Repaired(answer, settled.kind, settled.subject, settled.shop)


async def _find(connection: Connection, group: str, position: int) -> DeadMessage:
    row = await connection.fetchrow(FIND, group, position)
    if row is None or row["state"] != "dead":
        raise _not_dead(group, position)
    meta = _meta(row["record"])
    return DeadMessage(group, row["subject"], position, row["type"], row["shop"] or (meta.shop if meta else ""), meta)


def _meta(record: bytes) -> Meta | None:
    try:
        return read_head(record).meta()
    except NotUnderstood:
        return None


async def _died_last(connection: Connection, message: DeadMessage) -> bool:
    """Whether nothing in its lane, which is locked, died after it. Raises Refused where it is dead no longer."""
    last: Any = await connection.fetchval(IS_DEAD, *message.lane, message.position)
    if last is None:
        raise _not_dead(message.group, message.position)
    return bool(last)


def _not_dead(group: str, position: int) -> Refused:
    return Refused("not-dead", f"{group} has no dead message at {position}, or no longer")

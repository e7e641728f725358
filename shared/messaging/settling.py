"""An unknown is settled by whoever knows: its lane is woken in the same transaction, and the cause is handled again.

What is handled again finds the outcome recorded, or may make the call once more; so the order log is told by the one
handler that always tells it.
"""

import json
from dataclasses import dataclass
from typing import Any, Literal

from shared.messaging.database import Connection
from shared.messaging.entrance import put_in_box, wake

By = Literal["person", "provider"]

FIND = 'select "group", subject, shop, kind, state, position from effect where key = $1'
UPDATE = """
update effect set state = $2, result = $3::jsonb, settled_by = $4,
  request = case when $2 = 'planned' then request end
where key = $1 and state = any($5::text[])
"""
KEPT = "select exists (select from message where position = $1)"


@dataclass(frozen=True)
class Settled:
    """What was settled, and whether its cause is handled again; where it is not, the message is no longer there."""

    key: str
    kind: str
    group: str
    subject: str
    shop: str
    handled_again: bool


async def settle(
    connection: Connection,
    key: str,
    *,
    happened: bool,
    by: By,
    result: dict[str, Any] | None = None,
    again: bool = True,
    detail: str = "",
) -> Settled | None:
    """Settles the effect, in the caller's transaction; None where there is nothing to settle any more.

    `happened`, with the `result` that a call would have given; or it did not, and the call is made `again`, or is given
    up with this `detail`. A provider may also tell of a call that is still under way. Raises LookupError for an unknown
    key.
    """
    row = await connection.fetchrow(FIND, key)
    if row is None:
        raise LookupError(f"there is no effect {key}")
    lane = (row["group"], row["subject"], row["shop"])
    state, said = "done", result or {}
    if not happened:
        state = "planned" if again else "failed"
        said = {} if again else {"reason": f"settled-by-{by}", "detail": detail}
    open_states = ["unknown", "started"] if by == "provider" and state != "planned" else ["unknown"]
    if row["state"] not in open_states:
        return None
    await wake(connection, [lane])
    if await connection.execute(UPDATE, key, state, json.dumps(said), by, open_states) != "UPDATE 1":
        return None
    kept = bool(await connection.fetchval(KEPT, row["position"]))
    if kept:
        await put_in_box(connection, [(row["group"], row["subject"], row["position"])])
    return Settled(key, row["kind"], *lane, handled_again=kept)

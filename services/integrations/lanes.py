"""How what a provider tells, and what a person says of it, gets into the lane of its order."""

from collections.abc import Sequence

from shared.contracts.message import Message, Meta, new_id, now, write_record
from shared.messaging.database import Connection
from shared.messaging.entrance import Entering, enter
from shared.messaging.groups import Group


async def put_into_lane(
    connection: Connection, group: Group, source: str, shop: str, actor: str, messages: Sequence[Message]
) -> None:
    """Puts messages into the lanes of their orders, in the caller's transaction and in the order given."""
    entering = []
    for message in messages:
        meta = Meta(new_id(), source=source, subject=message.subject, shop=shop, actor=actor, time=now())
        entering.append(
            Entering(
                group=group.name,
                shop=shop,
                topic=group.reads.name,
                source=source,
                subject=message.subject,
                id=meta.id,
                type=message.type,
                record=write_record(message, meta).encode(),
            )
        )
    await enter(connection, entering)

"""What the API answers about an order's log."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import BaseModel, Field

from services.orders.domain.repairing import Action, Offered, offered
from services.orders.entry import Entry
from services.orders.repository import seen, shop_of
from services.orders.troubles import OPENING, open_on
from shared.contracts.order_log import Outcome
from shared.messaging.database import Connection


class OfferedRepair(BaseModel):
    """A way out of what an entry tells of."""

    action: Action
    label: str | None = Field(description="The same in words, where a language was asked for.", examples=["Try again"])
    needs: list[str] = Field(description="What has to be said beside the entry's id.", examples=[["reason"]])


class TimelineEntry(BaseModel):
    """One entry of the order's log."""

    n: int = Field(description="Its place on this order's log: 1, 2, 3 …", examples=[2])
    id: str
    source: str = Field(description="Which service wrote it.", examples=["/notifications"])
    type: str = Field(examples=["message.sent.v1"])
    at: datetime
    actor: str
    causationid: str | None
    outcome: Outcome
    summary: str = Field(description="The key of a sentence for people.", examples=["message.sent"])
    parameters: dict[str, Any] = Field(description="What the sentence needs.")
    data: dict[str, Any] = Field(description="What this type of entry says beyond that.")
    text: str | None = Field(description="The same in words, where a language was asked for.")
    repairs: list[OfferedRepair] = Field(description="What can be done about it now, each a POST below the order.")
    recorded_at: datetime
    from_before_restore: bool = Field(
        description="Whether the database had lost this entry in a restore, and the order log brought it back."
    )


class TimelinePage(BaseModel):
    """Some entries of an order's log, oldest first."""

    entries: list[TimelineEntry]
    after: int = Field(description="The last entry's place; ask again with it for what comes later.", examples=[2])
    more: bool = Field(description="Whether there are more already.")


class LogVerified(BaseModel):
    """Whether an order's log is what was recorded (R206)."""

    intact: bool
    entries: int = Field(description="How many there are.", examples=[12])
    first_broken: int | None = Field(description="The place of the first entry that is not what was recorded.")
    entry_id: str | None = Field(description="The id of what stands at that place; none where it is missing.")


def entry_answer(
    n: int,
    entry: Entry,
    text: str | None = None,
    repairs: Sequence[Offered] = (),
    labels: Mapping[str, str] | None = None,
) -> TimelineEntry:
    """An entry as callers see it, with the ways out of what it tells of."""
    own = {"n", "text", "repairs"}
    fields = {name: getattr(entry, name) for name in TimelineEntry.model_fields if name not in own}
    ways = [
        OfferedRepair(action=way.action, label=(labels or {}).get(way.action), needs=list(way.needs)) for way in repairs
    ]
    return TimelineEntry(n=n, text=text, repairs=ways, **fields)


async def ways_out(
    connection: Connection, order_id: UUID, shop: str, shown: Sequence[Entry]
) -> dict[str, list[Offered]]:
    """What can be done now about those of these entries that need it, by their ids."""
    if not any(entry.type in OPENING for entry in shown):
        return {}
    order = await seen(connection, order_id, shop)
    if order is None:
        return {}
    troubles = await open_on(connection, order_id, shop)
    whole = await shop_of(connection, shop)
    return {entry.id: offered(order, troubles[entry.id], whole) for entry in shown if entry.id in troubles}

"""All that an order's page shows, asked for at once; where notifications is away, its box alone is empty."""

import asyncio
from collections.abc import Awaitable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from pydantic import BaseModel

from services.backoffice.order_log import LogEntry
from services.backoffice.orders import ORDERS, shop_of
from services.backoffice.others import Away, Others, Refusal
from services.backoffice.people import NAMES
from services.backoffice.sessions import Visitor
from shared.contracts.order import OrderSnapshot
from shared.contracts.shop_facts import ShopSettings
from shared.contracts.values import Language
from shared.runtime.database import Pool, connected

AT_ONCE = 6
LOG_PAGE = 500
MOST_ENTRIES = 2_000
PERSON = "person/"
WAITING = {"expected", "waiting"}
WORRIES = {"failed", "unknown", "overdue"}
NO_MORE = {"asked-again", "let-be"}
"""Why something that was not done needs nobody: a person has seen to it."""
OF_THE_LOG = {"given-up", "unknown", "failed", "overdue"}
"""Words of attention that follow from the log."""
T = TypeVar("T")


class ShownOrder(OrderSnapshot):
    """The order with what no event says of its customer."""

    personal_identity_number: str = ""


class PossibleAction(BaseModel):
    """What can be done now, or why not."""

    action: str
    possible: bool
    reason: str = ""
    detail: str = ""
    system: str | None = None
    choices: list[str] = []


class Promise(BaseModel):
    """What is expected of another service."""

    what: str
    by: str
    state: str
    reason: str = ""
    due_at: datetime
    entry_id: str | None = None


class Comment(BaseModel):
    """An internal comment."""

    id: str
    at: datetime
    actor: str
    text: str
    deleted_at: datetime | None = None
    deleted_by: str | None = None


class SentMessage(BaseModel):
    """A mail about the order."""

    id: int
    kind: str
    headline: str
    recipient: str
    state: str
    reason: str = ""
    detail: str = ""
    actor: str = ""
    asked_at: datetime
    told_at: datetime


class WholeMessage(SentMessage):
    """One with what it says."""

    text: str


class _Actions(BaseModel):
    actions: list[PossibleAction]


class _Promises(BaseModel):
    promises: list[Promise]


class _Comments(BaseModel):
    comments: list[Comment]


class _Messages(BaseModel):
    messages: list[SentMessage]


class _LogPage(BaseModel):
    entries: list[LogEntry]
    after: int
    more: bool


@dataclass(frozen=True)
class Sheet:
    """What the services say of the order now."""

    shop: ShopSettings
    order: ShownOrder
    actions: Mapping[str, PossibleAction]
    promises: list[Promise]
    comments: list[Comment]
    entries: list[LogEntry]
    messages: list[SentMessage] | None
    """None where notifications is away."""
    names: Mapping[str, str]
    """By `person/<id>`."""

    def may(self, action: str) -> bool:
        """Whether it can be done now."""
        found = self.actions.get(action)
        return found is not None and found.possible

    def who(self, actor: str) -> str:
        """The name of a person; of a process its own."""
        return self.names.get(actor, actor)

    @property
    def troubles(self) -> list[LogEntry]:
        """Entries that tell of something that can be put right, the newest first."""
        return [entry for entry in self.entries[::-1] if entry.repairs]

    @property
    def worries(self) -> list[tuple[Promise, LogEntry | None]]:
        """Promises that need a person and are none of the troubles, each with the entry that said so."""
        said = {entry.id: entry for entry in self.entries}
        known = {entry.id for entry in self.troubles} | {entry.data.get("promise") for entry in self.troubles}
        bad = [each for each in self.promises if each.state in WORRIES and each.reason not in NO_MORE]
        return [(each, said.get(each.entry_id or "")) for each in bad if not {each.entry_id, each.what} & known]

    @property
    def reasons(self) -> list[str]:
        """Why somebody should look at the order, as far as no entry of its log says it better."""
        told = OF_THE_LOG if self.troubles or self.worries else set()
        return [word for word in self.order.attention if word not in told]

    @property
    def waits(self) -> list[Promise]:
        """Promises that are still open."""
        return [each for each in self.promises if each.state in WAITING]

    @property
    def seen(self) -> int:
        """The place of the last entry that is shown."""
        return self.entries[-1].n if self.entries else 0


async def read_sheet(others: Others, pool: Pool, visitor: Visitor, order_id: str, language: Language) -> Sheet:
    """All of it. Raises Away, Refusal: of orders alone."""
    path, hands = f"/v1/orders/{order_id}", asyncio.Semaphore(AT_ONCE)

    async def ask(asked: Awaitable[T]) -> T:
        async with hands:
            return await asked

    (order, actions, promises, comments), (shop, entries, messages) = await asyncio.gather(
        asyncio.gather(
            ask(others.get(ORDERS, path, visitor)),
            ask(others.get(ORDERS, f"{path}/actions", visitor)),
            ask(others.get(ORDERS, f"{path}/promises", visitor)),
            ask(others.get(ORDERS, f"{path}/comments", visitor)),
        ),
        asyncio.gather(
            ask(shop_of(others, visitor)),
            ask(log_of(others, visitor, order_id, language)),
            ask(messages_of(others, visitor, order_id)),
        ),
    )
    told = _Comments.model_validate_json(comments.content).comments
    snapshot = ShownOrder.model_validate_json(order.content)
    actors = {entry.actor for entry in entries} | {snapshot.changed_by or ""}
    actors |= {actor for each in told for actor in (each.actor, each.deleted_by or "")}
    actors |= {each.actor for each in messages or []}
    return Sheet(
        shop=shop,
        order=snapshot,
        actions={each.action: each for each in _Actions.model_validate_json(actions.content).actions},
        promises=_Promises.model_validate_json(promises.content).promises,
        comments=told,
        entries=entries,
        messages=messages,
        names=await names_of(pool, actors),
    )


async def log_of(
    others: Others, visitor: Visitor, order_id: str, language: Language, *types: str, after: int = 0
) -> list[LogEntry]:
    """The log in words, the oldest first; of these types alone where there are some. Raises Away, Refusal."""
    found: list[LogEntry] = []
    more = True
    while more and len(found) < MOST_ENTRIES:
        asked = [
            ("language", language),
            ("limit", str(LOG_PAGE)),
            ("after", str(after)),
            *(("type", each) for each in types),
        ]
        answer = await others.get(ORDERS, f"/v1/orders/{order_id}/log", visitor, asked)
        page = _LogPage.model_validate_json(answer.content)
        found += page.entries
        more, after = page.more and bool(page.entries), page.after
    return found


async def messages_of(others: Others, visitor: Visitor, order_id: str) -> list[SentMessage] | None:
    """The mails about the order, the newest first; None where they cannot be had."""
    try:
        answer = await others.get("notifications", f"/v1/orders/{order_id}/messages", visitor, [("limit", "200")])
    except (Away, Refusal):
        return None
    return _Messages.model_validate_json(answer.content).messages[::-1]


async def names_of(pool: Pool, actors: Collection[str]) -> Mapping[str, str]:
    """What people are called, by `person/<id>`."""
    ids = [actor.removeprefix(PERSON) for actor in actors if actor.startswith(PERSON)]
    if not ids:
        return {}
    async with connected(pool) as connection:
        rows = await connection.fetch(NAMES, ids)
    return {f"{PERSON}{row['id']}": row["name"] for row in rows}

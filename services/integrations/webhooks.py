"""What providers tell of themselves: verified on the raw bytes, taken once, and put into the lane of its order."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

import structlog
from fastapi import APIRouter, Request, Response

from services.integrations import metrics
from services.integrations.accounts import Accounts, UnknownProvider
from services.integrations.connections import Connection, Kind
from services.integrations.known_there import hold, order_of
from services.integrations.lanes import put_into_lane
from services.integrations.pulse import Pulse
from services.integrations.signatures import NotGenuine, verify
from shared.contracts.message import Message, now
from shared.messaging.database import Connection as DatabaseConnection
from shared.messaging.groups import Group
from shared.messaging.settling import settle
from shared.runtime.bodies import whole_body
from shared.runtime.database import Pool, transaction
from shared.runtime.openapi import problem_response
from shared.runtime.problems import Problem

router = APIRouter(prefix="/v1/webhooks", tags=["webhooks"])
log = structlog.stdlib.get_logger(__name__)

TAKE = "insert into webhook (shop, kind, id) values ($1, $2, $3) on conflict do nothing returning true"
OURS = "select subject from effect where key = $1 and shop = $2"
FORGET = "delete from webhook where taken_at < clock_timestamp() - interval '35 days'"
UNKNOWN = problem_response("404", "unknown-connection", "The shop has no such connection.")
NOT_GENUINE = problem_response("401", "not-genuine", "The webhook's signature is not good.")
NOT_UNDERSTOOD = problem_response("422", "not-understood", "The webhook is not what this provider sends.")


@dataclass(frozen=True)
class Heard:
    """How something was told."""

    provider: str
    webhook_id: str
    at: datetime


@dataclass(frozen=True)
class News:
    """What a webhook tells: about which thing there, which call of ours made it happen, and what the lane is told."""

    reference: str
    message: Callable[[UUID, Heard, bool], Message | None]
    """Makes the message for the order of this id; told whether a call of ours made it happen. None: nothing to say."""
    key: str = ""
    result: Mapping[str, Any] = field(default_factory=dict)
    """What the call would have given, where one of ours made it happen."""
    failed: bool = False
    """Whether it did not happen after all."""
    ours: str = ""
    """What we call that thing, where the provider says that too: its own name may have been lost with its answer."""
    keep: Callable[[DatabaseConnection, str, Heard], Awaitable[None]] | None = None
    """Keeps what is about no known order of the shop until the order comes."""


@dataclass(frozen=True)
class Listener:
    """How the webhooks of one kind are read, and whose lanes they go to."""

    group: Group
    source: str
    accounts: Accounts[Any]
    read: Callable[[Any, bytes], News | None]
    """Given the adapter and the body."""
    strangers: set[tuple[str, str]] = field(default_factory=set)
    """Shops whose providers nobody here speaks with, and what was logged of each."""


Listeners = Mapping[Kind, Listener]
Taken = Callable[[DatabaseConnection], Awaitable[None]]


@router.post(
    "/{kind}/{shop}",
    status_code=204,
    summary="Take a provider's webhook",
    responses={401: NOT_GENUINE, 404: UNKNOWN, 422: NOT_UNDERSTOOD},
)
async def told(request: Request, kind: Kind, shop: str) -> Response:
    """Signed as Standard Webhooks has it, with the secret of the shop's connection; told again it changes nothing."""
    listeners: Listeners = request.app.state.listeners
    listener = listeners.get(kind)
    account = await account_of(listener, shop) if listener is not None else None
    if listener is None or account is None:
        raise Problem(404, "unknown-connection", "The shop has no such connection.")
    connection, adapter = account
    body = await whole_body(request)
    pulse: Pulse = request.app.state.pulse
    webhook_id = genuine(connection, request, body, pulse)
    try:
        news = listener.read(adapter, body)
    except (KeyError, TypeError, ValueError) as error:
        log.warning("webhook not understood", kind=kind, shop=shop, error=str(error)[:200])
        raise Problem(422, "not-understood", "The webhook is not what this provider sends.") from None
    if news is not None:
        pool: Pool = request.app.state.pool
        async with transaction(pool) as database:
            await take(database, connection, listener, webhook_id, news)
    return Response(status_code=204)


async def account_of(listener: Listener, shop: str) -> tuple[Connection, Any] | None:
    """The shop's connection and its adapter; None where there is none, or no adapter, which is logged once."""
    try:
        return await listener.accounts.of(shop)
    except UnknownProvider as error:
        if (shop, str(error)) not in listener.strangers:
            listener.strangers.add((shop, str(error)))
            log.warning("webhooks of a provider without an adapter", shop=shop, error=str(error))
        return None


def genuine(connection: Connection, request: Request, body: bytes, pulse: Pulse) -> str:
    """The webhook's id. Raises a 401 Problem for one that is not signed with the connection's secret."""
    try:
        webhook_id = verify(connection.webhook_secret, request.headers, body)
    except NotGenuine as error:
        pulse.webhook(connection.shop, connection.kind, forged=error.reason)
        metrics.webhooks.labels(connection.kind, "not genuine").inc()
        raise Problem(401, "not-genuine", "The webhook's signature is not good.", str(error)) from None
    pulse.webhook(connection.shop, connection.kind)
    return webhook_id


async def take(
    database: DatabaseConnection, connection: Connection, listener: Listener, webhook_id: str, news: News
) -> None:
    """Settles the call that it tells of, and puts it into its order's lane, or keeps it until the order comes.

    An order that comes at the same time waits for the end of this transaction, or this one for its.
    """
    shop, kind = connection.shop, connection.kind
    heard = Heard(connection.provider, webhook_id, now())
    if not await database.fetchval(TAKE, shop, kind, webhook_id):
        metrics.webhooks.labels(kind, "again").inc()
        return
    order_id = await settled(database, shop, news) if news.key else None
    ours = order_id is not None
    if order_id is None:
        if news.keep is not None:
            await hold(database, shop, kind, news.reference)
        order_id = await order_of(database, shop, kind, news.reference, news.ours)
    if order_id is None:
        metrics.webhooks.labels(kind, "unmatched").inc()
        log.info("webhook about nothing that is known", kind=kind, shop=shop, reference=news.reference)
        if news.keep is not None:
            await news.keep(database, shop, heard)
        return
    metrics.webhooks.labels(kind, "ours" if ours else "taken").inc()
    message = news.message(order_id, heard, ours)
    if message is not None:
        await put_into_lane(database, listener.group, listener.source, shop, connection.provider, [message])


async def settled(database: DatabaseConnection, shop: str, news: News) -> UUID | None:
    """The order for which a call of the shop made it happen; one that is under way, or unknown, is settled by it."""
    subject = await database.fetchval(OURS, news.key, shop)
    if subject is None:
        return None
    result = None if news.failed else dict(news.result)
    await settle(database, news.key, happened=not news.failed, by="provider", result=result, again=False)
    return UUID(subject)

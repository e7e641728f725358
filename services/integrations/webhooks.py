"""What providers tell of themselves: verified on the raw bytes, taken once, and put into the lane of its order."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import structlog
from fastapi import APIRouter, Request, Response

from services.integrations import metrics
from services.integrations.accounts import Accounts
from services.integrations.connections import Connection, Kind
from services.integrations.known_there import order_of
from services.integrations.signatures import NotGenuine, verify
from shared.contracts.message import Message, Meta, new_id, now, write_record
from shared.messaging.database import Connection as DatabaseConnection
from shared.messaging.entrance import Entering, enter
from shared.messaging.groups import Group
from shared.messaging.settling import settle
from shared.runtime.bodies import whole_body
from shared.runtime.database import Pool, transaction
from shared.runtime.openapi import problem_response
from shared.runtime.problems import Problem

router = APIRouter(prefix="/v1/webhooks", tags=["webhooks"])
log = structlog.stdlib.get_logger(__name__)

TAKE = "insert into webhook (shop, kind, id) values ($1, $2, $3) on conflict do nothing returning true"
FORGET = "delete from webhook where taken_at < clock_timestamp() - interval '35 days'"
UNKNOWN = problem_response("404", "unknown-connection", "The shop has no such connection.")
NOT_GENUINE = problem_response("401", "not-genuine", "The webhook's signature is not good.")
NOT_UNDERSTOOD = problem_response("422", "not-understood", "The webhook is not what this provider sends.")


@dataclass(frozen=True)
class News:
    """What a webhook tells: about which thing there, which call of ours made it happen, and what the lane is told."""

    reference: str
    message: Callable[[Any], Message]
    """Makes the message for the order of this id."""
    key: str = ""
    result: Mapping[str, Any] = field(default_factory=dict)
    """What the call would have given, where one of ours made it happen."""
    failed: bool = False
    """Whether it did not happen after all; of what was not ours that says nothing."""
    ours: str = ""
    """What we call that thing, where the provider says that too: its own name may have been lost with its answer."""


@dataclass(frozen=True)
class Listener:
    """How the webhooks of one kind are read, and whose lanes they go to."""

    group: Group
    source: str
    accounts: Accounts[Any]
    read: Callable[[Any, bytes], News | None]
    """Given the adapter and the body."""


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
    account = await listener.accounts.of(shop) if listener is not None else None
    if listener is None or account is None:
        raise Problem(404, "unknown-connection", "The shop has no such connection.")
    connection, adapter = account
    body = await whole_body(request)
    webhook_id = genuine(connection, request, body)
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


def genuine(connection: Connection, request: Request, body: bytes) -> str:
    """The webhook's id. Raises a 401 Problem for one that is not signed with the connection's secret."""
    try:
        return verify(connection.webhook_secret, request.headers, body)
    except NotGenuine as error:
        metrics.webhooks.labels(connection.kind, "not genuine").inc()
        raise Problem(401, "not-genuine", "The webhook's signature is not good.", str(error)) from None


async def take(
    database: DatabaseConnection, connection: Connection, listener: Listener, webhook_id: str, news: News
) -> None:
    """Settles the call that it tells of, or puts it into its order's lane; what is about no known order is counted."""
    shop, kind = connection.shop, connection.kind
    if not await database.fetchval(TAKE, shop, kind, webhook_id):
        metrics.webhooks.labels(kind, "again").inc()
        return
    if news.key and await settled(database, news):
        metrics.webhooks.labels(kind, "ours").inc()
        return
    order_id = await order_of(database, shop, kind, news.reference, news.ours)
    if order_id is None or news.failed:
        metrics.webhooks.labels(kind, "unmatched").inc()
        log.warning("webhook about nothing that is known", kind=kind, shop=shop, reference=news.reference)
        return
    metrics.webhooks.labels(kind, "taken").inc()
    message = news.message(order_id)
    actor = connection.provider
    meta = Meta(new_id(), source=listener.source, subject=message.subject, shop=shop, actor=actor, time=now())
    entering = Entering(
        group=listener.group.name,
        shop=shop,
        topic=listener.group.reads.name,
        source=listener.source,
        subject=message.subject,
        id=meta.id,
        type=message.type,
        record=write_record(message, meta).encode(),
    )
    await enter(database, [entering])


async def settled(database: DatabaseConnection, news: News) -> bool:
    """Whether a call of ours made it happen; one that is under way, or unknown, is settled by it."""
    try:
        result = None if news.failed else dict(news.result)
        await settle(database, news.key, happened=not news.failed, by="provider", result=result, again=False)
    except LookupError:
        return False
    return True

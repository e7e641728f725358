"""Who asks by HTTP, and how a command of theirs is carried out."""

from typing import Annotated
from uuid import UUID

from fastapi import Depends, Header, Request, Response

from services.orders import desk as desks
from services.orders.personal_numbers import Holder, PersonalNumbers
from shared.contracts.message import Meta, new_id, now
from shared.contracts.order_commands import OrderCommand
from shared.messaging.database import Connection
from shared.runtime.idempotency import request_content, request_hash
from shared.runtime.openapi import problem_response
from shared.runtime.tokens import Caller, authenticated, of_one_shop

UNKNOWN = problem_response("404", "unknown-order", "There is no such order.")
ETAG = {"ETag": {"schema": {"type": "string"}, "description": "The order's version."}}


async def writer(caller: Annotated[Caller, Depends(authenticated("orders:write"))]) -> Caller:
    """Who may place and handle orders of one shop."""
    return of_one_shop(caller)


async def reader(caller: Annotated[Caller, Depends(authenticated("orders:read"))]) -> Caller:
    """Who may look at orders of one shop."""
    return of_one_shop(caller)


def command_meta(caller: Caller, order_id: UUID) -> Meta:
    """What the envelope of a command would say, had it come by the topic."""
    command_id = new_id()
    return Meta(command_id, source="/http", subject=str(order_id), shop=caller.shop, actor=caller.actor, time=now())


async def version_seen(
    if_match: Annotated[
        str | None,
        Header(pattern=r'^(?:\*|"[1-9][0-9]{0,8}")$', description="The ETag of the order as the caller has seen it."),
    ] = None,
) -> int | None:
    """The version at which the order is to be changed, and at no other (R208)."""
    return None if if_match in {None, "*"} else int(str(if_match).strip('"'))


async def this_request(request: Request, caller: Caller, key: str) -> desks.Request:
    """What makes this request the same as another one."""
    return desks.Request(caller.shop, key, request_hash(request, await request.body()))


async def placed(
    request: Request, caller: Caller, key: str, command: OrderCommand, number: str, reply: desks.Reply
) -> Response:
    """Places an order with the customer's personal identity number, of which the hash of the request tells nothing.

    Raises Refused, `personal-numbers-not-kept`, where there are no keys.
    """
    desk: desks.Desk = request.app.state.desk
    numbers: PersonalNumbers = request.app.state.personal_numbers
    hashes = numbers.require_keys().hashes(request_content(request, await request.body()))

    async def keep(connection: Connection) -> None:
        await numbers.keep(connection, Holder(command.order_id, caller.shop), number)

    received = command.stamped(command_meta(caller, command.order_id))
    answer = await desk.carry_out(received, desks.Request(caller.shop, key, hashes[0], hashes[1:]), reply, keep)
    return answer.response()


async def handled(request: Request, caller: Caller, key: str, command: OrderCommand, reply: desks.Reply) -> Response:
    """Carries out a command, and answers."""
    desk: desks.Desk = request.app.state.desk
    received = command.stamped(command_meta(caller, command.order_id))
    answer = await desk.carry_out(received, await this_request(request, caller, key), reply)
    return answer.response()

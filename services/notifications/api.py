"""The HTTP face of notifications: what was written to whom about an order, for a token of its shop."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Query, Request
from pydantic import BaseModel, Field

from services.notifications.archive import Archive, State
from shared.runtime.openapi import problem_response
from shared.runtime.problems import Problem
from shared.runtime.tokens import Caller, authenticated, of_one_shop

router = APIRouter(prefix="/v1/orders/{order_id}/messages", tags=["messages"])
UNKNOWN = problem_response("404", "unknown-message", "There is no such message.")


class SentMessage(BaseModel):
    """A message that was sent, or was to be sent, about an order."""

    id: int = Field(description="Its place among all; later ones have greater ones.", examples=[17])
    message_id: str = Field(examples=["<4f1c2a…@mail.example>"])
    kind: str = Field(description="Which message of the catalogue.", examples=["order-received"])
    headline: str = Field(description="The mail's subject.")
    recipient: str = Field(examples=["asa.oberg@example.org"])
    language: str
    state: State = Field(description="`unknown`: nobody can say whether the mail server took it.")
    reason: str = Field(description="A stable word for why it failed.", examples=["", "address-refused"])
    detail: str = Field(description="The mail server's own words.")
    cause: str = Field(description="The id of the event that sent it.")
    actor: str = Field(description="Who made that happen.", examples=["person/7"])
    asked_at: datetime
    told_at: datetime = Field(description="Since when its state is known.")


class SentMessages(BaseModel):
    """An order's messages, oldest first; none also where there is no such order."""

    messages: list[SentMessage]
    after: int = Field(description="Ask again with it for what follows.")
    more: bool


class WholeMessage(SentMessage):
    """One of them, with what it says."""

    text: str


async def reader(caller: Annotated[Caller, Depends(authenticated("messages:read"))]) -> Caller:
    """Who may read messages of one shop."""
    return of_one_shop(caller)


@router.get("", summary="List an order's messages")
async def list_messages(
    request: Request,
    caller: Annotated[Caller, Depends(reader)],
    order_id: UUID,
    after: Annotated[int, Query(ge=0, le=2**62, description="The last id that was seen.")] = 0,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> SentMessages:
    """Every e-mail about the order, to whomever it went (R056, R119)."""
    archive: Archive = request.app.state.archive
    rows = await archive.of_order(caller.shop, order_id, after, limit + 1)
    messages = [SentMessage(**as_told(row)) for row in rows[:limit]]
    return SentMessages(messages=messages, after=messages[-1].id if messages else after, more=len(rows) > limit)


@router.get("/{message}", summary="Read a message", responses={404: UNKNOWN})
async def read_message(
    request: Request,
    caller: Annotated[Caller, Depends(reader)],
    order_id: UUID,
    message: Annotated[int, Path(ge=1, le=2**62)],
) -> WholeMessage:
    """The message with its plain text."""
    archive: Archive = request.app.state.archive
    row = await archive.find(caller.shop, order_id, message)
    if row is None:
        raise Problem(404, "unknown-message", "There is no such message.")
    return WholeMessage(**as_told(row))


def as_told(row: dict[str, Any]) -> dict[str, Any]:
    """The row with its place as its id."""
    return {"id": row["place"], **row}

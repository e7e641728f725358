"""The shop's API tokens, service by service: each is shown once, and one that is in use is not revoked by mistake."""

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel
from starlette.responses import Response

from services.backoffice.administration.frame import KeeperOfTokens, NotSo, Tried, refused, show, write_down, zone_of
from services.backoffice.administration.history import Done
from services.backoffice.others import Refusal, or_away
from services.backoffice.people import names_of
from services.backoffice.sessions import Visitor
from services.backoffice.visiting import Form, Posted, go_to, new_secret, others_of
from shared.runtime.database import connected
from shared.runtime.problems import Problem
from shared.runtime.tokens import OPERATOR

router = APIRouter(include_in_schema=False)
SERVICES = ("orders", "notifications", "documents", "integrations")
LATELY = timedelta(hours=1)
LONGEST = 128
Word = Annotated[str, Query(max_length=100)]


class Token(BaseModel):
    """What is known of one; tolerant of fields that a newer version adds."""

    id: str
    name: str
    scopes: list[str]
    created_at: datetime
    made_by: str
    last_used_at: datetime | None

    @property
    def lately(self) -> bool:
        """Whether it was used within the last hour: something would stop working."""
        return self.last_used_at is not None and datetime.now(UTC) - self.last_used_at < LATELY


class Tokens(BaseModel):
    """Those of a service, and what a new one may do."""

    tokens: list[Token]
    scopes: list[str]

    @property
    def given(self) -> list[str]:
        """What a token of one shop can be given; `operator` is for tokens of any shop."""
        return [scope for scope in self.scopes if scope != OPERATOR]


@router.get("/settings/tokens")
async def tokens(request: Request, visitor: KeeperOfTokens, *, add: Word = "", revoke: Word = "") -> Response:
    """All services with their tokens; `add` opens the form of a new one, `revoke` asks about one."""
    return await drawn(request, visitor, add=add, revoke=revoke)


@router.post("/settings/tokens")
async def change(request: Request, visitor: KeeperOfTokens, sent: Posted) -> Response:
    """Make a token, which is on this answer alone, or revoke one."""
    do, service = sent.one("do"), sent.one("service")
    if do not in {"make", "revoke"} or service not in SERVICES:
        raise Problem(422, "invalid-request", "There is no such thing to do.")
    try:
        if do == "make":
            return await make(request, visitor, sent, service)
        return await revoke_one(request, visitor, sent, service)
    except NotSo as no:
        tried = Tried(do, sent, sent.one("token") or service, no.reason, "", no.fields)
        return await drawn(request, visitor, add=service, revoke=sent.one("token"), tried=tried)
    except Refusal as no:
        tried = refused(no, do, sent, sent.one("token") or service)
        return await drawn(request, visitor, add=service, tried=tried, status=no.status)


async def make(request: Request, visitor: Visitor, sent: Form, service: str) -> Response:
    """A new one. Raises NotSo, Refusal, Away."""
    name, scopes = sent.one("name").strip(), sent.all("scope")
    if not name or len(name) > LONGEST:
        raise NotSo("token-nameless", "name")
    if not scopes:
        raise NotSo("token-without-scopes", "scopes")
    body = {"name": name, "scopes": scopes}
    made = await others_of(request).post(service, "/v1/tokens", visitor, body, key=sent.one("key")[:60] or new_secret())
    what = {"service": service, "name": name, "scopes": scopes}
    await write_down(request, visitor, visitor.shop or "", "tokens", Done("token-made", made.body["id"], what))
    return await drawn(request, visitor, made={"service": service, "name": name, "token": made.body["token"]})


async def revoke_one(request: Request, visitor: Visitor, sent: Form, service: str) -> Response:
    """It works no longer; where it was used within the hour, only for whoever knows that. Raises NotSo, Refusal."""
    known = {each.id: each for each in (await tokens_of(request, visitor, service)).tokens}
    token = known.get(sent.one("token"))
    if token is None:
        raise NotSo("unknown-token")
    if token.lately and not sent.one("sure"):
        raise NotSo("token-in-use", "sure")
    await others_of(request).delete(service, f"/v1/tokens/{quote(token.id, safe='')}", visitor)
    what = {"service": service, "name": token.name, "scopes": token.scopes}
    await write_down(request, visitor, visitor.shop or "", "tokens", Done("token-revoked", token.id, what))
    return go_to(request, "/settings/tokens?done=revoke")


async def tokens_of(request: Request, visitor: Visitor, service: str) -> Tokens:
    """The shop's tokens at one service. Raises Away, Refusal."""
    return Tokens.model_validate_json(
        (await others_of(request).get(service, "/v1/tokens", visitor, asked_of(visitor))).content
    )


def asked_of(visitor: Visitor) -> list[tuple[str, str]]:
    """An operator says which shop is meant."""
    return [("shop", visitor.shop or "")] if visitor.may(OPERATOR) else []


async def drawn(
    request: Request,
    visitor: Visitor,
    *,
    add: str = "",
    revoke: str = "",
    tried: Tried | None = None,
    made: Mapping[str, str] | None = None,
    status: int = 422,
) -> Response:
    """The page; a service that is away says so in its box."""
    time_zone, found = await asyncio.gather(
        zone_of(request, visitor),
        asyncio.gather(*(or_away(tokens_of(request, visitor, service)) for service in SERVICES)),
    )
    services: dict[str, Any] = dict(zip(SERVICES, found, strict=True))
    makers = {token.made_by for each in found if each for token in each.tokens}
    async with connected(request.app.state.pool) as connection:
        names = await names_of(connection, makers)
    return await show(
        request,
        visitor,
        "tokens",
        shop=visitor.shop,
        time_zone=time_zone,
        status=status if tried else 200,
        tried=tried,
        services=services,
        names=names,
        add=add,
        revoke=revoke,
        made=made,
        key=new_secret(),
    )

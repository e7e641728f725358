"""API tokens by HTTP: a shop sees, makes and revokes its own, and gives nobody more than whoever asks may do."""

from collections.abc import Iterator
from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, FastAPI, Query, Request, Response
from fastapi.routing import APIRoute, iter_route_contexts
from pydantic import BaseModel, ConfigDict, Field

from shared.contracts.values import Name, ShopId
from shared.runtime.bodies import json_body
from shared.runtime.database import connected, transaction
from shared.runtime.openapi import calls, problem_response
from shared.runtime.problems import Problem
from shared.runtime.tokens import (
    ANY_SHOP,
    LONGEST,
    OPERATOR,
    Caller,
    TokenRow,
    authenticated,
    list_tokens,
    make_token,
    revoke_token,
)

router = APIRouter(prefix="/v1/tokens", tags=["tokens"])

Shop = ShopId | Literal["*"]
Whoever = Annotated[Caller, Depends(authenticated("tokens:write"))]
NO_SUCH = problem_response("404", "unknown-token", "There is no such token.")
NO_SCOPE = problem_response("422", "unknown-scope", "No route of this service needs that scope.")
MORE = problem_response("403", "missing-scope", "Nobody gives what they may not do themselves.")
WHOSE = "Said by operators alone; `*`, any shop, goes with the scope `operator` and no other."


class ApiToken(BaseModel):
    """What is known of a token; the token itself only its owner has."""

    id: str = Field(description="The sixteen digits behind `ot_`.", examples=["5f2b7c1e9a3d4860"])
    shop: str = Field(examples=["nordic-tea"])
    name: str = Field(description="What it is for.", examples=["Shop front"])
    scopes: list[str] = Field(examples=[["orders:read", "orders:write"]])
    created_at: datetime
    made_by: str = Field(description="Empty where that was not kept yet.", examples=["person/5c1d"])
    last_used_at: datetime | None = Field(description="To the minute.")
    revoked_at: datetime | None
    revoked_by: str | None


class ApiTokens(BaseModel):
    """The tokens of a shop, the oldest first, and what a new one may do."""

    tokens: list[ApiToken]
    scopes: list[str] = Field(description="What the caller can give.", examples=[["orders:read", "orders:write"]])


class TokenToMake(BaseModel):
    """A token that is wanted."""

    model_config = ConfigDict(extra="forbid")

    name: Annotated[Name, Field(max_length=LONGEST, description="What it is for, in your words.")]
    scopes: Annotated[list[str], Field(min_length=1, max_length=50, examples=[["orders:read"]])]
    shop: Annotated[Shop | None, Field(description=WHOSE)] = None


class MadeToken(BaseModel):
    """A new token, which is shown this once."""

    id: str
    token: str = Field(description="Keep it now.", examples=["ot_5f2b7c1e9a3d4860_" + "x" * 43])


@router.get("", summary="List API tokens")
async def read_tokens(
    request: Request,
    caller: Whoever,
    shop: Annotated[Shop | None, Query(description="Only of this shop; for operators.")] = None,
    *,
    revoked: Annotated[bool, Query(description="Those that work no longer, too.")] = False,
) -> ApiTokens:
    """Those of the shop for this service; each service has its own."""
    async with connected(request.app.state.pool) as connection:
        rows = await list_tokens(connection, shop if caller.shop == ANY_SHOP else caller.shop)
    shown = [answer_of(row) for row in rows if revoked or row.revoked_at is None]
    return ApiTokens(tokens=shown, scopes=sorted(filter(caller.may, known_scopes(request.app))))


@router.post(
    "",
    status_code=201,
    summary="Make an API token",
    responses={403: MORE, 422: NO_SCOPE},
)
async def write_token(
    request: Request, caller: Whoever, wanted: Annotated[TokenToMake, Depends(json_body(TokenToMake))]
) -> Response:
    """It is shown this once, so a request that is repeated makes another: revoke the one that got lost.

    Its scopes are some of your own; an operator gives any.
    """
    refuse_more(request.app, caller, wanted.scopes)
    shop = wanted.shop or caller.shop if caller.shop == ANY_SHOP else caller.shop
    async with transaction(request.app.state.pool) as connection:
        try:
            token = await make_token(connection, shop, wanted.name, wanted.scopes, caller.actor)
        except ValueError as error:
            raise Problem(422, "unfit-token", "There can be no such token.", str(error)) from None
    body = MadeToken(id=token.split("_")[1], token=token).model_dump_json()
    return Response(body, 201, headers={"Cache-Control": "no-store"}, media_type="application/json")


@router.delete("/{token_id}", status_code=204, summary="Revoke an API token", responses={404: NO_SUCH})
async def revoke(request: Request, caller: Whoever, token_id: str) -> Response:
    """Within seconds it works no longer; one that was revoked stays so."""
    async with transaction(request.app.state.pool) as connection:
        own = await list_tokens(connection, None if caller.shop == ANY_SHOP else caller.shop)
        if token_id not in {row.id for row in own}:
            raise Problem(404, "unknown-token", "There is no such token.")
        await revoke_token(connection, token_id, caller.actor)
    return Response(status_code=204)


def refuse_more(app: FastAPI, caller: Caller, scopes: list[str]) -> None:
    """Raises a Problem for a scope that the caller lacks, or that nothing here needs."""
    for scope in scopes:
        if not caller.may(scope):
            raise Problem(403, "missing-scope", "Nobody gives what they may not do themselves.", scope=scope)
        if scope not in known_scopes(app):
            raise Problem(422, "unknown-scope", "No route of this service needs that scope.", scope=scope)


def known_scopes(app: FastAPI) -> frozenset[str]:
    """What the routes of an app ask for."""
    return frozenset(scopes_of_routes(app)) | {OPERATOR}


def scopes_of_routes(app: FastAPI) -> Iterator[str]:
    """The scope of each route that needs one."""
    for route in iter_route_contexts(app.routes):
        if isinstance(route.original_route, APIRoute):
            for call in calls(route.dependant):
                if hasattr(call, "needs_token"):
                    yield call.needs_token


def answer_of(row: TokenRow) -> ApiToken:
    """A token as it is shown."""
    return ApiToken.model_validate({name: getattr(row, name) for name in ApiToken.model_fields})

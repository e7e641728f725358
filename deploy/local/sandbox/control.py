"""By `/sandbox/…` a sandbox is told how to misbehave and what shall happen, and shows what it did."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from fastapi import APIRouter, FastAPI, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ValidationError

from deploy.local.sandbox.answers import Refused
from deploy.local.sandbox.desk import Desk
from deploy.local.sandbox.executed import Executed
from deploy.local.sandbox.ledger import Entry
from deploy.local.sandbox.webhooks import Webhooks

TICK = 0.05
"""Seconds between two looks at what shall happen by itself."""


class Going(Protocol):
    """Things outside that go on step by step: a refund settles, a parcel travels."""

    def due(self, before: float) -> list[str]:
        """The ids of those whose last step was before this second of the epoch."""
        ...

    async def advance(self, name: str) -> Entry:
        """One step on. Raises Refused for what has no next step."""
        ...


@dataclass(frozen=True)
class Vendor:
    """One company, ready to be served."""

    name: str
    router: APIRouter
    desk: Desk
    executed: Executed
    webhooks: Webhooks | None = None
    going: Going | None = None


class Step(BaseModel):
    """What shall go a step on."""

    id: str


def app_of(vendor: Vendor) -> FastAPI:
    """The vendor's HTTP face, and beside it the one by which it is controlled."""

    @contextlib.asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        if vendor.webhooks is not None:
            vendor.webhooks.resume(vendor.executed.entries())
        clock = asyncio.create_task(_let_things_go_on(vendor))
        yield
        clock.cancel()
        if vendor.webhooks is not None:
            await vendor.webhooks.close()

    app = FastAPI(title=vendor.name, lifespan=lifespan, openapi_url=None)
    app.include_router(vendor.router)
    app.include_router(_orders(vendor))
    app.include_router(_shows(vendor))
    return app


def _orders(vendor: Vendor) -> APIRouter:
    """What it can be told."""
    router = APIRouter()

    @router.put("/sandbox/misbehaviour", response_model=None)
    async def misbehave(asked: dict[str, Any]) -> Response:
        try:
            behaviour = vendor.desk.behave(asked)
        except ValidationError as error:
            return JSONResponse({"wrong": error.errors(include_context=False)}, 422)
        if vendor.webhooks is not None:
            vendor.webhooks.hold(behaviour.webhooks_held)
        return JSONResponse(behaviour.model_dump())

    @router.post("/sandbox/advance", response_model=None)
    async def advance(step: Step) -> Response:
        if vendor.going is None:
            return JSONResponse({"wrong": "nothing here goes on by steps"}, 404)
        try:
            return JSONResponse(await vendor.going.advance(step.id))
        except Refused as refused:
            return JSONResponse({"wrong": refused.message}, refused.status)

    return router


def _shows(vendor: Vendor) -> APIRouter:
    """What it shows."""
    router = APIRouter()

    @router.get("/sandbox/misbehaviour")
    async def misbehaviour() -> dict[str, Any]:
        return vendor.desk.misbehaviour.model_dump()

    @router.get("/sandbox/ledger")
    async def ledger() -> dict[str, Sequence[Entry]]:
        return {"entries": await asyncio.to_thread(vendor.executed.entries)}

    @router.get("/sandbox/calls")
    async def calls() -> dict[str, Sequence[Entry]]:
        return {"entries": await asyncio.to_thread(vendor.desk.calls)}

    @router.get("/sandbox/untold")
    async def untold() -> dict[str, Sequence[dict[str, Any]]]:
        return {"webhooks": vendor.webhooks.untold() if vendor.webhooks else []}

    @router.get("/readyz")
    async def readyz() -> dict[str, str]:
        return {"status": "ok"}

    return router


async def _let_things_go_on(vendor: Vendor) -> None:
    while vendor.going is not None:
        await asyncio.sleep(TICK)
        seconds = vendor.desk.misbehaviour.by_itself
        if seconds is not None:
            for name in vendor.going.due(time.time() - seconds):
                with contextlib.suppress(Refused):  # somebody else has told it to go on in the meantime
                    await vendor.going.advance(name)

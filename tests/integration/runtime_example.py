"""A service as small as one can be, for tests that start, stop and break a real process."""

import asyncio
import logging
import time
from typing import Annotated, Literal

import structlog
from fastapi import APIRouter, Depends
from pydantic_settings import SettingsConfigDict

from shared.runtime.database import open_pool
from shared.runtime.service import Service, run
from shared.runtime.settings import Role, ServiceSettings
from shared.runtime.tokens import Caller, authenticated

log = structlog.stdlib.get_logger("example")

router = APIRouter()


class ExampleSettings(ServiceSettings):
    """How the part is to behave."""

    model_config = SettingsConfigDict(env_prefix="EXAMPLE_")

    behaviour: Literal["good", "dies", "returns", "hangs", "refuses"] = "good"


class Part:
    """A component that does what a test wants of it."""

    def __init__(self, name: str, behaviour: str = "good") -> None:
        self.name = name
        self.behaviour = behaviour
        self.ticked = time.monotonic()
        self.trouble: str | None = None
        self.begun = False

    async def run(self, stopping: asyncio.Event) -> None:
        """Turn until told to stop."""
        self.begun = True
        if self.behaviour == "dies":
            raise ValueError("no mail for asa.oberg@example.org")
        while not stopping.is_set() and self.behaviour != "returns":
            self.ticked = time.monotonic()
            await asyncio.sleep(0.01)
        if self.behaviour == "hangs":
            await asyncio.sleep(3600)
        while self.behaviour == "refuses":
            try:
                await asyncio.sleep(3600)
            except asyncio.CancelledError:
                continue
        if self.behaviour == "good":
            log.info("lease given back", part=self.name)

    def last_tick(self) -> float:
        """Give the last turn."""
        return self.ticked

    def problem(self) -> str | None:
        """Give the trouble."""
        return self.trouble


@router.get("/slow")
async def slow() -> dict[str, bool]:
    """Take half a second."""
    log.info("slow begun")
    await asyncio.sleep(0.5)
    return {"done": True}


@router.get("/say")
async def say() -> dict[str, bool]:
    """Log a line in each of the ways."""
    with structlog.contextvars.bound_contextvars(order_id="order-7"):
        log.info("structured", email="asa.oberg@example.org", customer={"phone": "070", "country": "SE"})
        logging.getLogger("aiokafka.consumer").warning("plain for %s", "asa.oberg@example.org", extra={"phone": "070"})
    return {"said": True}


@router.get("/fail")
async def fail() -> None:
    """Fail."""
    raise ValueError("no mail for asa.oberg@example.org")


@router.get("/mine")
async def mine(caller: Annotated[Caller, Depends(authenticated("things:read"))]) -> dict[str, str]:
    """Say whose it is."""
    return {"shop": caller.shop}


async def compose(settings: ExampleSettings) -> Service:
    """Put the service together."""
    pool = await open_pool(settings.database_url.get_secret_value(), name="example")
    parts = {Role.RELAY: [Part("relay", settings.behaviour)], Role.WORK: [Part("work:letters")]}
    return Service("example", settings, pool, components=parts, routers=[router])


if __name__ == "__main__":
    run("example", ExampleSettings, compose, personal={"email", "phone"})

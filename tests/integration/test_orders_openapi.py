"""The OpenAPI document of orders is true: whatever it allows or forbids, the service answers as it says."""

import asyncio
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import schemathesis
import uvicorn
from hypothesis import HealthCheck, given, settings
from jsonschema import Draft202012Validator
from schemathesis import Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi import checks

from services.orders.actions import router as actions
from services.orders.api import router
from services.orders.list_api import router as lists
from services.orders.log_api import router as logs
from services.orders.shop_api import router as shop
from shared.runtime.database import transaction
from shared.runtime.http import make_app
from shared.runtime.tokens import make_token
from tests.plugins.orders import app_of, orders_on
from tests.plugins.waiting import eventually

CHECKS = [
    not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_headers_conformance,
    checks.response_schema_conformance,
]
DOCUMENT: dict[str, Any] = make_app("orders", [lists, router, logs, actions, shop]).openapi()
OPERATIONS = [(path, method) for path, methods in DOCUMENT["paths"].items() for method in methods]


@dataclass
class Served:
    """The service behind a real port."""

    address: str = ""
    token: str = ""


async def serve(url: str, served: Served, started: threading.Event, stopping: asyncio.Event) -> None:
    async with orders_on(url) as alone:
        async with transaction(alone.pool) as connection:
            served.token = await make_token(
                connection, "nordic-tea", "a test", ["orders:read", "orders:write", "shop:write"]
            )
        server = uvicorn.Server(uvicorn.Config(app_of(alone), port=0, log_config=None, lifespan="off"))
        serving = asyncio.create_task(server.serve())
        await eventually(lambda: server.started)
        served.address = "http://{}:{}".format(*server.servers[0].sockets[0].getsockname()[:2])
        started.set()
        await stopping.wait()
        server.should_exit = True
        await serving


@pytest.fixture
def served(orders_url: str) -> Iterator[Served]:
    """The service on a thread of its own, because schemathesis waits for each answer."""
    known, started, loop, stopping = Served(), threading.Event(), asyncio.new_event_loop(), asyncio.Event()
    thread = threading.Thread(target=lambda: loop.run_until_complete(serve(orders_url, known, started, stopping)))
    thread.start()
    assert started.wait(30)
    yield known
    loop.call_soon_threadsafe(stopping.set)
    thread.join(30)
    loop.close()


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE])
def test_whatever_the_document_allows_or_forbids_is_answered_as_it_says(served: Served, mode: GenerationMode) -> None:
    document = schemathesis.openapi.from_dict(DOCUMENT)
    headers = {"authorization": f"Bearer {served.token}"}
    for path, method in OPERATIONS:

        @given(case=document[path][method.upper()].as_strategy(generation_mode=mode))
        @settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck), database=None)
        def answered(case: Case[Any]) -> None:
            case.call_and_validate(base_url=served.address, headers=headers, checks=CHECKS)

        answered()


def test_every_example_in_the_document_fits_its_schema() -> None:
    checked = 0
    for content in contents(DOCUMENT["paths"]):
        if "example" in content:
            schema = {**content["schema"], "components": DOCUMENT["components"]}
            Draft202012Validator(schema).validate(content["example"])
            checked += 1
    assert checked > len(OPERATIONS) * 4


def contents(node: Any) -> Iterator[dict[str, Any]]:
    """Every media type object of the document."""
    if isinstance(node, dict):
        if "schema" in node and "in" not in node:
            yield node
        for value in node.values():
            yield from contents(value)

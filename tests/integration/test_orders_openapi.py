"""The OpenAPI document of orders is true: whatever it allows or forbids, the service answers as it says."""

import asyncio
import copy
import json
import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import pytest
import schemathesis
import uvicorn
from hypothesis import HealthCheck, given, settings
from jsonschema import Draft202012Validator
from schemathesis import Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi import checks

from shared.contracts.message import new_id
from shared.runtime.database import transaction
from shared.runtime.http import make_app
from shared.runtime.tokens import make_token
from tests.integration.test_orders_requests import ALL
from tests.plugins.fuzzed import as_a_request
from tests.plugins.orders import ROUTERS, app_of, orders_on
from tests.plugins.waiting import eventually

pytestmark = pytest.mark.timeout(420)

CHECKS = [
    not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_headers_conformance,
    checks.response_schema_conformance,
]
DOCUMENT: dict[str, Any] = make_app("orders", ROUTERS).openapi()
SCOPES = ("orders:read", "orders:write", "orders:reveal", "shop:write", "shop:audit", "tokens:write")
STORIES = 12
OF_AN_ORDER = r"^/v1/orders(/\{order_id\}.*)?$"
OPERATIONS = [(path, method) for path, methods in DOCUMENT["paths"].items() for method in methods]


@dataclass
class Served:
    """The service behind a real port."""

    address: str = ""
    token: str = ""


async def serve(url: str, served: Served, started: threading.Event, stopping: asyncio.Event) -> None:
    async with orders_on(url) as alone:
        await alone.know(ALL)
        async with transaction(alone.pool) as connection:
            served.token = await make_token(connection, "nordic-tea", "a test", SCOPES)
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
            as_a_request(case).call_and_validate(base_url=served.address, headers=headers, checks=CHECKS)

        answered()


def test_a_story_of_linked_requests_is_answered_as_the_document_says(served: Served) -> None:
    document = schemathesis.openapi.from_dict(DOCUMENT)
    document.config.update(base_url=served.address)
    document.config.generation.update(modes=[GenerationMode.POSITIVE])
    document.config.phases.stateful.inference.algorithms = []  # the document's own links alone
    machine = document.include(path_regex=OF_AN_ORDER).as_state_machine()
    answered: Counter[tuple[str, int]] = Counter()

    class Story(machine):  # type: ignore[misc, valid-type]
        """Orders are placed as the example is, and handled in any order, as the examples are or otherwise."""

        def before_call(self, case: Case[Any]) -> None:
            placing = case.path == "/v1/orders" and case.method == "POST"
            if placing:
                case.body = {**example_of(case), "order_id": str(uuid4())}
            elif isinstance(case.body, dict) and len(json.dumps(case.body)) % 2:
                case.body = example_of(case)

        def get_call_kwargs(self, case: Case[Any]) -> dict[str, Any]:  # noqa: ARG002 - the machine's own interface
            return {"headers": {"authorization": f"Bearer {served.token}", "idempotency-key": new_id()}}

        def validate_response(self, response: Any, case: Case[Any], **kwargs: Any) -> None:
            answered[f"{case.method} {case.path}", response.status_code] += 1
            case.validate_response(response, checks=CHECKS, transport_kwargs=kwargs)

    Story.run(
        settings=settings(
            max_examples=STORIES,
            stateful_step_count=30,
            deadline=None,
            derandomize=True,
            database=None,
            suppress_health_check=list(HealthCheck),
        )
    )
    handled = {operation for operation, status in answered if "{order_id}" in operation and status < 300}
    assert len(handled) > 12, answered
    assert {status for _, status in answered} >= {200, 201, 202, 409, 422}
    assert answered["POST /v1/orders", 201] > STORIES // 2


def example_of(case: Case[Any]) -> Any:
    """The document's own example of the request's body."""
    content = DOCUMENT["paths"][case.path][case.method.lower()]["requestBody"]["content"]["application/json"]
    return copy.deepcopy(content.get("example", case.body))


def test_what_was_placed_leads_to_all_that_is_below_it() -> None:
    links = DOCUMENT["paths"]["/v1/orders"]["post"]["responses"]["201"]["links"]
    below = [
        operation["operationId"]
        for path, operations in DOCUMENT["paths"].items()
        for operation in operations.values()
        if path.startswith("/v1/orders/{order_id}")
    ]
    assert sorted(links) == sorted(below)
    assert {"$response.body#/id"} == {link["parameters"]["order_id"] for link in links.values()}
    assert "x-leads-to" not in json.dumps(DOCUMENT)


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

"""What the API's document says of the operators' part is true: whatever it allows or forbids is answered as it says."""

import asyncio
import threading
from collections.abc import Iterator
from typing import Any

import asyncpg
import pytest
import schemathesis
import uvicorn
from hypothesis import HealthCheck, given, settings
from jsonschema import Draft202012Validator
from schemathesis import Case, GenerationMode

from shared.runtime.http import make_app
from shared.runtime.migrations import RUNTIME_MIGRATIONS, migrate
from shared.runtime.operators import router
from shared.runtime.tokens import make_token
from tests.integration.test_kit_ingest import log
from tests.integration.test_orders_openapi import CHECKS, Served, contents
from tests.plugins.broken import a_group
from tests.plugins.fuzzed import as_a_request
from tests.plugins.kit import FOLDERS, Kit
from tests.plugins.operators_http import app_on
from tests.plugins.waiting import eventually

DOCUMENT: dict[str, Any] = make_app("shop", [router]).openapi()
OPERATIONS = [(path, method) for path, methods in DOCUMENT["paths"].items() for method in methods]


async def serve(url: str, served: Served, started: threading.Event, stopping: asyncio.Event) -> None:
    connection = await asyncpg.connect(url)
    await migrate(connection, [*FOLDERS, RUNTIME_MIGRATIONS])
    served.token = await make_token(connection, "*", "a test", ["operator"])
    await connection.close()
    async with asyncpg.create_pool(url, min_size=0, max_size=4) as pool, app_on(Kit(url, pool), [a_group(), log]) as on:
        server = uvicorn.Server(uvicorn.Config(on[0], port=0, log_config=None, lifespan="off"))
        serving = asyncio.create_task(server.serve())
        await eventually(lambda: server.started)
        served.address = "http://{}:{}".format(*server.servers[0].sockets[0].getsockname()[:2])
        started.set()
        await stopping.wait()
        server.should_exit = True
        await serving


@pytest.fixture
def served(database_url: str) -> Iterator[Served]:
    """A service on a thread of its own, because schemathesis waits for each answer."""
    known, started, loop, stopping = Served(), threading.Event(), asyncio.new_event_loop(), asyncio.Event()
    thread = threading.Thread(target=lambda: loop.run_until_complete(serve(database_url, known, started, stopping)))
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
        @settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck), database=None)
        def answered(case: Case[Any]) -> None:
            as_a_request(case).call_and_validate(base_url=served.address, headers=headers, checks=CHECKS)

        answered()


def test_every_example_in_the_document_fits_its_schema() -> None:
    checked = 0
    for content in contents(DOCUMENT["paths"]):
        if "example" in content:
            schema = {**content["schema"], "components": DOCUMENT["components"]}
            Draft202012Validator(schema).validate(content["example"])
            checked += 1
    assert checked > len(OPERATIONS) * 4


def test_every_part_has_an_example_of_its_answer() -> None:
    for path, method in OPERATIONS:
        answers = DOCUMENT["paths"][path][method]["responses"]
        (body, *_) = (answers[status]["content"] for status in ("200", "202") if status in answers)
        assert "example" in body["application/json"], path

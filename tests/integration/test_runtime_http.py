"""Whatever comes in over HTTP gets its clear answer: a problem document, never a 500 and never silence."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Annotated, Any

import asyncpg
import httpx2
import pytest
import pytest_asyncio
from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, ConfigDict, Field, SecretStr
from starlette.responses import Response
from structlog.testing import capture_logs

from shared.runtime.bodies import json_body
from shared.runtime.database import Pool, connected, open_pool, transaction
from shared.runtime.idempotency import Answer, IdempotencyKey, claimed, remember, request_hash
from shared.runtime.service import Process, Service
from shared.runtime.settings import ServiceSettings
from shared.runtime.tokens import Caller, authenticated, make_token
from tests.integration.runtime_database import own_database
from tests.plugins.waiting import eventually

pytestmark = pytest.mark.asyncio(loop_scope="module")

LIMIT = 64 * 1024


class Line(BaseModel):
    """A line."""

    model_config = ConfigDict(extra="forbid")

    article: str = Field(max_length=20)
    quantity: int = Field(gt=0, le=1000)
    price: float = 0


class Basket(BaseModel):
    """A basket."""

    model_config = ConfigDict(extra="forbid")

    lines: list[Line]
    notes: dict[str, Any] | None = None


class Receipt(BaseModel):
    """What comes back."""

    shop: str
    lines: list[Line]


router = APIRouter()
Writer = Annotated[Caller, Depends(authenticated("baskets:write"))]
Body = Annotated[Basket, Depends(json_body(Basket))]


@router.post("/baskets", status_code=201)
async def add_basket(caller: Writer, basket: Body) -> Receipt:
    """Answer with what came."""
    return Receipt(shop=caller.shop, lines=basket.lines)


@router.post("/plain", response_model=None, include_in_schema=False)
async def add_plainly(basket: Basket) -> dict[str, int]:
    """Read the body as FastAPI does."""
    return {"lines": len(basket.lines)}


@router.post("/keyed", status_code=201)
async def add_once(caller: Writer, key: IdempotencyKey, basket: Body, request: Request) -> Response:
    """Keep the answer under its key."""
    pool: Pool = request.app.state.pool
    wanted = request_hash(request, await request.body())
    answer = Answer(201, json.dumps({"lines": len(basket.lines)}).encode())
    async with transaction(pool, wait=0.2) as connection:
        await connection.execute("select pg_sleep(0.05)")
        await remember(connection, caller.shop, key, wanted, answer)
    return answer.response()


@router.post("/claimed")
async def add_claimed(caller: Writer, key: IdempotencyKey, request: Request) -> Response:
    """Say in the database that the work has begun."""
    pool: Pool = request.app.state.pool
    async with transaction(pool) as connection, claimed(connection, caller.shop, key, b"") as claim:
        claim.answer = claim.seen or Answer(200, b"{}")
        return claim.answer.response()


@router.get("/baskets/{number}")
async def find_basket(number: int, limit: Annotated[int, Field(le=100)] = 10) -> dict[str, int]:
    """Answer with the parameters."""
    return {"number": number, "limit": limit}


@router.get("/mistake")
async def mistake() -> None:
    """Fail in a way that nobody foresaw, with something personal in the error."""
    raise RuntimeError("no mail for asa.oberg@example.org")


@dataclass(frozen=True)
class House:
    """A process that serves all tests of this file, one after the other."""

    url: str
    pool: Pool
    port: int
    token: str


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def house(postgres_url: str) -> AsyncIterator[House]:
    async with own_database(postgres_url) as url:
        pool = await open_pool(url, name="test", connections=2)
        settings = ServiceSettings(
            database_url=SecretStr(url), kafka=("nowhere:9092",), migrate=True, body_limit=LIMIT, database_wait=0.2
        )
        process = Process(Service("baskets", settings, pool, routers=[router]), asyncio.Event())
        life = asyncio.create_task(process.live())
        await eventually(lambda: process.health.phase is None)
        async with connected(pool) as connection:
            token = await make_token(connection, "tea", "till", ["baskets:write"])
        yield House(url, pool, process.port, token)
        process.stopping.set()
        assert await life == 0


@pytest.fixture
def pool(house: House) -> Pool:
    return house.pool


@pytest_asyncio.fixture(loop_scope="module")
async def client(house: House) -> AsyncIterator[httpx2.AsyncClient]:
    headers = {"Authorization": f"Bearer {house.token}"}
    async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{house.port}", headers=headers, timeout=20) as client:
        yield client


GOOD = {"lines": [{"article": "TEA-1", "quantity": 2}]}


def problem(answer: httpx2.Response, status: int, slug: str) -> dict[str, Any]:
    """See that it is this problem, and give its document."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    document: dict[str, Any] = answer.json()
    assert document["type"] == f"/problems/{slug}"
    assert document["status"] == status
    assert document["title"]
    return document


async def test_a_good_request_is_answered(client: httpx2.AsyncClient) -> None:
    answer = await client.post("/baskets", json=GOOD)
    assert answer.status_code == 201
    assert answer.json() == {"shop": "tea", "lines": [{"article": "TEA-1", "quantity": 2, "price": 0}]}


@pytest.mark.parametrize("path", ["/baskets", "/plain"])
@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b'{"lines": [}',
        b"\xff\xfe",
        b'{"lines": [{"article": "\\ud800", "quantity": 1}]}',
        b'{"lines": [], "notes": ' + b'{"a":' * 10_000 + b"1" + b"}" * 10_001,
        b'{"lines": [], "notes": {"a":' + b"[" * 10_000 + b"]" * 10_000 + b"}}",
        b"[" * 50_000,
    ],
)
async def test_what_is_no_json_is_refused(body: bytes, path: str, client: httpx2.AsyncClient) -> None:
    answer = await client.post(path, content=body, headers={"Content-Type": "application/json"})
    if path == "/baskets":
        problem(answer, 400, "malformed-json")
    else:
        assert answer.status_code in {400, 422}
        problem(answer, answer.status_code, answer.json()["type"].removeprefix("/problems/"))


@pytest.mark.parametrize(
    "body",
    [
        b'{"lines": [{"article": "a", "quantity": 1, "price": NaN}]}',
        b'{"lines": [{"article": "a", "quantity": 1, "price": 1e400}]}',
        b'{"lines": [{"article": "a", "quantity": 1, "price": -Infinity}]}',
        b'{"lines": [], "notes": {"a": [1, {"b": 1e999}]}}',
    ],
)
async def test_numbers_that_are_none_are_refused(body: bytes, client: httpx2.AsyncClient) -> None:
    answer = await client.post("/baskets", content=body, headers={"Content-Type": "application/json"})
    problem(answer, 400, "malformed-json")


async def test_wrong_fields_are_named_and_what_was_in_them_is_not_repeated(client: httpx2.AsyncClient) -> None:
    body = {
        "lines": [
            {"article": "asa.oberg@example.org-and-more", "quantity": 1},
            {"article": "b", "quantity": "2"},
            {"article": "c", "quantity": -1},
            {"article": "d", "quantity": 10**30},
            {"article": "e", "quantity": 1, "colour": "red"},
            {"quantity": 1},
        ]
    }
    answer = await client.post("/baskets", json=body)
    document = problem(answer, 422, "invalid-request")
    assert {fault["pointer"]: fault["code"] for fault in document["errors"]} == {
        "#/lines/0/article": "string_too_long",
        "#/lines/1/quantity": "int_type",
        "#/lines/2/quantity": "greater_than",
        "#/lines/3/quantity": "less_than_equal",
        "#/lines/4/colour": "extra_forbidden",
        "#/lines/5/article": "missing",
    }
    assert "example.org" not in answer.text
    assert '"red"' not in answer.text


async def test_of_a_thousand_faults_fifty_are_told(client: httpx2.AsyncClient) -> None:
    answer = await client.post("/baskets", json={"lines": [{}] * 500})
    document = problem(answer, 422, "invalid-request")
    assert len(document["errors"]) == 51
    assert document["errors"][-1]["detail"] == "and 950 more"


@pytest.mark.parametrize(
    "headers",
    [
        {"Content-Type": "text/plain"},
        {"Content-Type": "application/x-www-form-urlencoded"},
        {"Content-Type": ""},
        {"Content-Type": "application/json", "Content-Encoding": "gzip"},
    ],
)
async def test_another_content_type_is_refused(headers: dict[str, str], client: httpx2.AsyncClient) -> None:
    answer = await client.post("/baskets", content=json.dumps(GOOD).encode(), headers=headers)
    problem(answer, 415, "unsupported-media-type")
    assert answer.headers["accept"] == "application/json"


@pytest.mark.parametrize("path", ["/baskets", "/plain"])
async def test_a_body_over_the_limit_is_refused_and_the_connection_goes_on(
    path: str, client: httpx2.AsyncClient
) -> None:
    body = b'{"lines": [], "notes": {"a": "' + b"x" * LIMIT + b'"}}'
    answer = await client.post(path, content=body, headers={"Content-Type": "application/json"})
    assert problem(answer, 413, "too-large")["limit"] == LIMIT
    assert (await client.post("/baskets", json=GOOD)).status_code == 201


async def test_a_body_much_over_the_limit_is_heard_out_but_not_kept(client: httpx2.AsyncClient) -> None:
    body = b" " * 10 * LIMIT
    answer = await client.post("/baskets", content=body, headers={"Content-Type": "application/json"})
    problem(answer, 413, "too-large")
    assert "connection" not in answer.headers


async def raw_answer(client: httpx2.AsyncClient, head: str, body: bytes = b"", times: int = 1) -> bytes:
    """Send a request by hand, `times` the body or until the other side has had enough, and give what came back."""
    reader, writer = await asyncio.open_connection("127.0.0.1", client.base_url.port)
    lines = [head, "Host: x", f"Authorization: {client.headers['authorization']}", "Content-Type: application/json"]
    writer.write("\r\n".join([*lines, "", ""]).encode())
    answer = asyncio.create_task(reader.read())
    sent = 0
    while sent < times and not answer.done():
        writer.write(body)
        sent += 1
        await asyncio.wait({answer, asyncio.ensure_future(writer.drain())}, return_when=asyncio.FIRST_COMPLETED)
    assert sent < times or times == 1
    try:
        return await answer
    finally:
        writer.close()


@pytest.mark.parametrize("path", ["/baskets", "/plain"])
async def test_a_body_in_chunks_without_end_is_cut_while_it_is_read(path: str, client: httpx2.AsyncClient) -> None:
    head = f"POST {path} HTTP/1.1\r\nTransfer-Encoding: chunked"
    chunk = b"%x\r\n%b\r\n" % (16 * 1024, b" " * 16 * 1024)
    try:
        answer = await raw_answer(client, head, chunk, times=10_000)
    except ConnectionError:
        return
    assert answer.startswith(b"HTTP/1.1 413")
    assert b"connection: close" in answer


@pytest.mark.parametrize("extra", ["Content-Length: 1000000000000", "Content-Length: 200000\r\nExpect: 100-continue"])
async def test_a_client_that_asks_or_says_too_much_is_told_before_it_sends(
    extra: str, client: httpx2.AsyncClient
) -> None:
    answer = await raw_answer(client, f"POST /baskets HTTP/1.1\r\n{extra}")
    assert answer.startswith(b"HTTP/1.1 413")
    assert b"connection: close" in answer


async def test_a_body_of_exactly_the_limit_is_read(client: httpx2.AsyncClient) -> None:
    body = json.dumps(GOOD).encode()
    padded = body + b" " * (LIMIT - len(body))
    answer = await client.post("/baskets", content=padded, headers={"Content-Type": "application/json"})
    assert answer.status_code == 201


@pytest.mark.parametrize(
    "header", [None, "", "Bearer", "Basic YTpi", "Bearer ot_0123456789abcdef_" + "A" * 43, "Bearer \xe5"]
)
async def test_without_a_working_token_nobody_comes_in(header: str | None, client: httpx2.AsyncClient) -> None:
    del client.headers["Authorization"]
    headers = {} if header is None else {b"Authorization": header.encode("latin-1")}
    answer = await client.post("/baskets", json=GOOD, headers=headers)
    problem(answer, 401, "unauthorized")
    assert answer.headers["www-authenticate"].startswith("Bearer ")


async def test_a_stranger_is_sent_away_before_the_body_is_looked_at(client: httpx2.AsyncClient) -> None:
    del client.headers["Authorization"]
    problem(await client.post("/baskets", content=b"{", headers={"Content-Type": "text/x"}), 401, "unauthorized")


async def test_a_token_without_the_scope_is_told_which_one_is_missing(client: httpx2.AsyncClient, pool: Pool) -> None:
    async with connected(pool) as connection:
        token = await make_token(connection, "tea", "till", ["baskets:read"])
    answer = await client.post("/baskets", json=GOOD, headers={"Authorization": f"Bearer {token}"})
    assert problem(answer, 403, "missing-scope")["scope"] == "baskets:write"


async def test_an_unknown_path_and_a_wrong_method_are_problems(client: httpx2.AsyncClient) -> None:
    problem(await client.get("/nothing"), 404, "not-found")
    problem(await client.get("/baskets/1/"), 404, "not-found")
    answer = await client.delete("/baskets")
    problem(answer, 405, "wrong-method")
    assert answer.headers["allow"] == "POST"


async def test_wrong_parameters_are_named(client: httpx2.AsyncClient) -> None:
    document = problem(await client.get("/baskets/x", params={"limit": 1000}), 422, "invalid-request")
    assert document["location"] == "path, query"
    assert {fault["pointer"] for fault in document["errors"]} == {"#/number", "#/limit"}
    document = problem(await client.post("/keyed", json=GOOD), 422, "invalid-request")
    assert (document["location"], document["errors"][0]["pointer"]) == ("header", "#/Idempotency-Key")


async def test_an_unforeseen_exception_tells_the_caller_nothing_and_the_log_everything(
    client: httpx2.AsyncClient,
) -> None:
    with capture_logs() as lines:
        answer = await client.get("/mistake")
    problem(answer, 500, "unforeseen")
    assert "RuntimeError" not in answer.text
    assert "mail" not in answer.text
    assert [(line["event"], line["path"], line["exc_info"]) for line in lines] == [("request failed", "/mistake", True)]


async def test_the_same_key_gives_the_first_answer_even_when_it_comes_twice_at_once(
    client: httpx2.AsyncClient,
) -> None:
    headers = {"Idempotency-Key": "one"}
    answers = await asyncio.gather(*(client.post("/keyed", json=GOOD, headers=headers) for _ in range(2)))
    assert [answer.status_code for answer in answers] == [201, 201]
    assert answers[0].json() == answers[1].json() == {"lines": 1}
    other = await client.post("/keyed", json={"lines": []}, headers=headers)
    problem(other, 422, "idempotency-key-reused")


async def test_with_all_connections_in_use_a_request_is_told_to_come_back(
    client: httpx2.AsyncClient, pool: Pool
) -> None:
    await client.post("/baskets", json=GOOD)
    async with connected(pool), connected(pool):
        answer = await client.post("/keyed", json=GOOD, headers={"Idempotency-Key": "busy"})
    problem(answer, 503, "unavailable")
    assert answer.headers["retry-after"] == "2"


async def test_a_connection_lost_in_the_middle_is_no_mistake_of_the_caller(
    client: httpx2.AsyncClient, pool: Pool, house: House
) -> None:
    await client.post("/baskets", json=GOOD)
    other = await asyncpg.connect(house.url)
    async with transaction(pool) as connection:
        await connection.execute("insert into idempotency (shop, key, request_hash) values ('tea', 'k', '')")
        running = asyncio.create_task(client.post("/claimed", headers={"Idempotency-Key": "k"}))

        async def waiting() -> bool:
            query = "select pg_terminate_backend(pid) from pg_locks where not granted"
            return bool(await other.fetchval(query))

        await eventually(waiting)
        problem(await running, 503, "unavailable")
    await other.close()


async def test_requests_are_counted_by_their_route_and_health_is_not(client: httpx2.AsyncClient) -> None:
    await client.get("/baskets/17")
    metrics = (await client.get("/metrics")).text
    assert 'http_request_seconds_count{method="GET",route="/baskets/{number}",status="200"} 1.0' in metrics
    assert "readyz" not in metrics
    assert "event_loop_lag_seconds" in metrics
    assert "process_resident_memory_bytes" in metrics


async def test_the_openapi_document_shows_the_bodies_and_the_problems(client: httpx2.AsyncClient) -> None:
    document = (await client.get("/openapi.json")).json()
    operation = document["paths"]["/baskets"]["post"]
    assert operation["requestBody"]["content"]["application/json"]["schema"] == {"$ref": "#/components/schemas/Basket"}
    schemas = document["components"]["schemas"]
    assert schemas["Basket"]["properties"]["lines"]["items"] == {"$ref": "#/components/schemas/Line"}
    assert set(operation["responses"]) == {"201", "400", "401", "403", "413", "415", "422", "429", "500", "503"}
    shown = operation["responses"]["413"]["content"]["application/problem+json"]
    assert shown["example"]["type"] == "/problems/too-large"
    assert operation["security"]
    assert set(document["paths"]["/baskets/{number}"]["get"]["responses"]) == {"200", "422", "500", "503"}
    assert "HTTPValidationError" not in json.dumps(document)
    assert "/livez" not in document["paths"]

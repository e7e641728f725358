"""Somebody asks whether a connection works now, and is told how the provider answered, whatever it does."""

import asyncio
import socket
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest

from deploy.local.ports import HOST, take_port
from services.integrations import calling
from services.integrations.connections import Kind
from tests.plugins.integrations import Door
from tests.plugins.sandboxes import Sandbox

SANDBOXES: tuple[Kind, ...] = ("payment", "shipping", "erp")
WRONG = {"payment": "nonsense", "shipping": "not a number!", "erp": "no-password"}


@pytest.fixture
async def caller(door: Door) -> AsyncIterator[httpx2.AsyncClient]:
    async with await door.caller("nordic-tea", "connections:read", "connections:write") as client:
        yield client


@pytest.fixture
def sandboxes(payment_sandbox: Sandbox, shipping_sandbox: Sandbox, erp_sandbox: Sandbox) -> dict[Kind, Sandbox]:
    return {"payment": payment_sandbox, "shipping": shipping_sandbox, "erp": erp_sandbox}


async def checked(caller: httpx2.AsyncClient, kind: str = "payment") -> tuple[str, str]:
    """The outcome, and how the connection is from then on."""
    answer = await caller.post(f"/v1/connections/{kind}/check")
    assert answer.status_code == 200, answer.text
    outcome = answer.json()
    found = {each["kind"]: each for each in (await caller.get("/v1/connections")).json()["connections"]}[kind]
    assert found["last_check"] == {name: outcome[name] for name in ("at", "outcome", "ms")}
    return outcome["outcome"], found["state"]


async def problem(caller: httpx2.AsyncClient, kind: str = "payment") -> tuple[int, str, httpx2.Headers]:
    answer = await caller.post(f"/v1/connections/{kind}/check")
    return answer.status_code, answer.json()["type"].removeprefix("/problems/"), answer.headers


@pytest.mark.parametrize("kind", SANDBOXES)
async def test_each_provider_answers_who_has_its_key_and_refuses_who_has_not(
    door: Door, caller: httpx2.AsyncClient, sandboxes: dict[Kind, Sandbox], kind: Kind
) -> None:
    sandbox = sandboxes[kind]
    await door.connect("nordic-tea", kind, sandbox.running.url, sandbox.api_key)
    assert await checked(caller, kind) == ("answered", "healthy")
    (asked,) = await sandbox.calls()
    assert (asked["method"], asked["did"]) == ("GET", "read"), "nothing was done there"
    assert await sandbox.ledger() == []
    await door.connect("nordic-tea", kind, sandbox.running.url, WRONG[kind])
    assert await checked(caller, kind) == ("refused", "refused")


@pytest.mark.parametrize(
    ("mishap", "expected"),
    [
        ("lost", ("no-answer", "unreachable")),
        ("busy", ("failing", "troubled")),
        ("error-before", ("failing", "troubled")),
        ("error-after", ("failing", "troubled")),
    ],
)
async def test_whatever_a_provider_does_is_an_outcome(
    door: Door, caller: httpx2.AsyncClient, payment_sandbox: Sandbox, mishap: str, expected: tuple[str, str]
) -> None:
    await door.connect("nordic-tea", "payment", payment_sandbox.running.url, payment_sandbox.api_key)
    await payment_sandbox.misbehave(next=[mishap], reads=True)
    assert await checked(caller) == expected


async def test_who_does_not_answer_in_time_is_not_waited_for(
    door: Door, caller: httpx2.AsyncClient, shipping_sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(calling, "CHECK_WITHIN", 0.3)
    await door.connect("nordic-tea", "shipping", shipping_sandbox.running.url, shipping_sandbox.api_key)
    await shipping_sandbox.misbehave(late=1.0, seconds=600, reads=True)
    assert await checked(caller, "shipping") == ("no-answer", "unreachable")


@pytest.mark.parametrize(
    "url",
    ["http://127.0.0.1:1", "nonsense", "http://[::1", "http://127.0.0.1:99999", "ftp://127.0.0.1", "http://no.invalid"],
)
async def test_where_nobody_is_nobody_is_reached_however_odd_the_address(
    door: Door, caller: httpx2.AsyncClient, url: str
) -> None:
    await door.connect("nordic-tea", "payment", url, "sk_sandbox_x")
    assert await checked(caller) == ("not-reached", "unreachable")


@pytest.mark.parametrize("key", ["nyckel-på-svenska", "two\nlines", ""])
async def test_a_key_that_cannot_be_sent_is_an_outcome_too(
    door: Door, caller: httpx2.AsyncClient, payment_sandbox: Sandbox, key: str
) -> None:
    await door.connect("nordic-tea", "payment", payment_sandbox.running.url, key)
    assert (await checked(caller))[0] in {"not-reached", "no-answer", "refused"}


@pytest.mark.parametrize(
    ("status", "body"),
    [("200 OK", "hej!"), ("200 OK", "[]"), ("200 OK", '{"merchant": null}'), ("302 Found", ""), ("404 Not Found", "")],
)
async def test_somebody_else_at_the_address_is_not_taken_for_the_provider(
    door: Door, caller: httpx2.AsyncClient, status: str, body: str
) -> None:
    async def somebody(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        head = f"HTTP/1.1 {status}\r\nlocation: http://elsewhere.example/\r\ncontent-length: {len(body)}\r\n\r\n"
        writer.write(f"{head}{body}".encode())
        writer.close()

    async with await asyncio.start_server(somebody, HOST, 0) as server:
        port = server.sockets[0].getsockname()[1]
        await door.connect("nordic-tea", "payment", f"http://{HOST}:{port}", "sk_sandbox_x")
        assert await checked(caller) == ("failing", "troubled")


async def test_who_takes_the_connection_and_says_nothing_gives_no_answer(
    door: Door, caller: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(calling, "CHECK_WITHIN", 0.3)
    with socket.create_server((HOST, take_port())) as silent:
        await door.connect("nordic-tea", "payment", f"http://{HOST}:{silent.getsockname()[1]}", "sk_sandbox_x")
        assert await checked(caller) == ("no-answer", "unreachable")


async def test_nobody_hammers_a_provider_however_many_ask_at_once(
    door: Door, caller: httpx2.AsyncClient, payment_sandbox: Sandbox
) -> None:
    await door.connect("nordic-tea", "payment", payment_sandbox.running.url, payment_sandbox.api_key)
    answers = await asyncio.gather(*(caller.post("/v1/connections/payment/check") for _ in range(20)))
    assert sorted(answer.status_code for answer in answers) == [200] + [429] * 19
    assert len(await payment_sandbox.calls()) == 1
    status, slug, headers = await problem(caller)
    assert (status, slug) == (429, "checked-just-now")
    assert 1 <= int(headers["retry-after"]) <= 10
    assert headers["ratelimit-policy"] == '"checks";q=1;w=10'
    assert (await checked(caller, "shipping"))[0] == "not-reached", "each connection by itself"


async def test_a_connection_that_was_changed_is_checked_at_once_and_as_it_is_now(
    door: Door, caller: httpx2.AsyncClient, payment_sandbox: Sandbox
) -> None:
    url = payment_sandbox.running.url
    await door.connect("nordic-tea", "payment", url, "nonsense")
    assert await checked(caller) == ("refused", "refused")
    await door.connect("nordic-tea", "payment", url, payment_sandbox.api_key)
    (found,) = [each for each in (await caller.get("/v1/connections")).json()["connections"] if each["host"] in url]
    assert found["state"] == "untried", "what the old key was told says nothing of the new one"
    assert await checked(caller) == ("answered", "healthy")


async def test_what_is_not_connected_or_not_spoken_with_is_a_problem_of_its_own(
    door: Door, caller: httpx2.AsyncClient
) -> None:
    assert (await problem(caller, "erp"))[:2] == (404, "unknown-connection")
    assert (await problem(caller, "coffee"))[:2] == (422, "invalid-request")
    await door.connect("nordic-tea", "erp", "http://127.0.0.1:1", "x:y", provider="unheard-of")
    assert (await problem(caller, "erp"))[:2] == (409, "no-adapter")
    await door.pool.execute("update connection set secret = 'x', changed_at = clock_timestamp() where kind = 'payment'")
    assert (await problem(caller))[:2] == (503, "sealing-key-missing")


async def test_neither_key_nor_address_is_in_what_is_answered(door: Door, caller: httpx2.AsyncClient) -> None:
    await door.connect("nordic-tea", "payment", "http://u:s3cret@127.0.0.1:1/?k=s3cret", "s3cret")
    answer: Any = await caller.post("/v1/connections/payment/check")
    assert "s3cret" not in answer.text

"""A sandbox goes wrong as it is told to, the same way each time, and its ledger tells the truth of it."""

import asyncio
import signal

import httpx2
import pytest

from tests.plugins.sandboxes import Sandbox, StartSandbox, as_a_new_customer

WANTED = {"amount": 100, "currency": "SEK", "reference": "o1"}


async def create(sandbox: Sandbox, key: str) -> httpx2.Response:
    return await sandbox.http.post("/v1/payments", json=WANTED, headers={"Idempotency-Key": key})


@pytest.mark.parametrize(
    ("mishap", "status", "executed"),
    [("busy", 429, 0), ("error-before", 5, 0), ("error-after", 5, 1), ("slow", 201, 1), ("late", 201, 1)],
)
async def test_a_mishap_answers_otherwise_than_was_done(
    payment_sandbox: Sandbox, mishap: str, status: int, executed: int
) -> None:
    await payment_sandbox.misbehave(next=[mishap], seconds=0.01, retry_after=7)
    answer = await create(payment_sandbox, "k")
    assert status in {answer.status_code, answer.status_code // 100}
    assert answer.headers.get("retry-after") == ("7" if mishap == "busy" else None)
    assert len(await payment_sandbox.ledger()) == executed
    (call,) = await payment_sandbox.calls()
    assert (call["mishap"], call["did"]) == (mishap, "executed" if executed else "nothing")
    assert (await create(payment_sandbox, "k")).status_code == 201
    assert len(await payment_sandbox.ledger()) == 1


async def test_a_lost_answer_cuts_the_connection_after_it_was_done(payment_sandbox: Sandbox) -> None:
    await payment_sandbox.misbehave(next=["lost"])
    with pytest.raises(httpx2.TransportError):
        await create(payment_sandbox, "k")
    assert len(await payment_sandbox.ledger()) == 1


async def test_the_next_calls_go_as_named_and_reads_are_spared_unless_meant(payment_sandbox: Sandbox) -> None:
    await payment_sandbox.misbehave(next=["busy", "none", "busy"])
    look_up = "/v1/transactions?idempotency_key=k"
    seen = [(await create(payment_sandbox, f"k{n}")).status_code for n in range(2)]
    seen.append((await payment_sandbox.http.get(look_up)).status_code)
    seen += [(await create(payment_sandbox, f"k{n}")).status_code for n in range(2, 4)]
    assert seen == [429, 201, 200, 429, 201]
    await payment_sandbox.misbehave(next=["busy"], reads=True)
    assert (await payment_sandbox.http.get(look_up)).status_code == 429


async def test_what_goes_wrong_is_the_same_for_the_same_seed_key_and_try(start_sandbox: StartSandbox) -> None:
    async def run(seed: str) -> list[int]:
        running = start_sandbox("payment", "--seed", seed)
        await running.start()
        async with as_a_new_customer(running) as sandbox:
            sandbox.http.headers["Authorization"] = "Bearer sk_sandbox_always_the_same"
            await sandbox.misbehave(busy=0.3, error_before=0.3)
            return [(await create(sandbox, f"k{n % 10}")).status_code for n in range(20)]

    first, again, other = [await run(seed) for seed in ("7", "7", "8")]
    assert first == again != other
    assert {201, 429} < set(first)


async def test_a_share_of_chaos_can_be_asked_for_at_the_start(start_sandbox: StartSandbox) -> None:
    running = start_sandbox("payment", "--chaos", "0.6", "--seed", "3")
    await running.start()
    async with httpx2.AsyncClient(base_url=running.url) as http:
        shown = (await http.get("/sandbox/misbehaviour")).json()
    assert shown["seed"] == 3
    assert {round(shown[name], 6) for name in ("slow", "late", "busy", "error_before", "error_after", "lost")} == {0.1}


async def test_a_closed_one_does_nothing_and_says_when_it_opens(payment_sandbox: Sandbox) -> None:
    await payment_sandbox.misbehave(closed_for=600)
    answers = [await create(payment_sandbox, "k"), await payment_sandbox.http.get("/v1/payments/x")]
    assert [answer.status_code for answer in answers] == [503, 503]
    assert 590 < int(answers[0].headers["retry-after"]) <= 600
    assert await payment_sandbox.ledger() == []
    await payment_sandbox.misbehave()
    assert (await create(payment_sandbox, "k")).status_code == 201


async def test_misbehaviour_that_does_not_exist_is_refused(payment_sandbox: Sandbox) -> None:
    for asked in ({"rude": 1.0}, {"slow": 0.6, "busy": 0.6}, {"next": ["sulk"]}):
        assert (await payment_sandbox.http.put("/sandbox/misbehaviour", json=asked)).status_code == 422


async def test_killed_in_the_middle_it_has_executed_each_key_at_most_once(
    start_sandbox: StartSandbox,
) -> None:
    running = start_sandbox("payment")
    await running.start()
    async with as_a_new_customer(running) as sandbox:
        keys = [f"k{n}" for n in range(200)]
        calls = [asyncio.create_task(create(sandbox, key)) for key in keys]
        await asyncio.wait(calls, return_when=asyncio.FIRST_COMPLETED)
        await running.stop(signal.SIGKILL)
        answers = await asyncio.gather(*calls, return_exceptions=True)
        await running.start()
        told = {key: said.json() for key, said in zip(keys, answers, strict=True) if isinstance(said, httpx2.Response)}
        again = {key: (await create(sandbox, key)).json() for key in keys}
        assert told
        assert {key: again[key] for key in told} == told
        assert sorted(entry["key"] for entry in await sandbox.ledger()) == sorted(keys)


async def test_it_ends_at_sigterm(start_sandbox: StartSandbox) -> None:
    running = start_sandbox("erp")
    await running.start()
    assert running.process is not None
    running.process.send(signal.SIGTERM)
    assert await running.process.ended(within=20.0)

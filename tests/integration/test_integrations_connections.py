"""How connections are is told by facts from the database, to those alone whom it concerns, in one statement."""

import asyncio
import time
from typing import Any
from uuid import uuid4

import asyncpg
import pytest

from services.integrations.connections import Connections, remove_connection
from services.integrations.connections_api import CheckOutcome, ConnectionPage
from services.integrations.erp.sandbox import SandboxErp
from services.integrations.health import READ, read_health
from services.integrations.payment.port import Move
from services.integrations.payment.sandbox import SandboxPay
from services.integrations.pulse import FORGET, Pulse
from shared.messaging.breaker import LeftAlone
from shared.messaging.database import KEYS_ONLY
from shared.messaging.effects import NotSent, Permit
from shared.messaging.outbox import Outbox
from shared.messaging.sealing import Seal
from shared.messaging.wakeup import Bell
from shared.runtime.database import transaction
from shared.runtime.tokens import ANY_SHOP, OPERATOR
from tests.builders import an_order
from tests.plugins.integrations import KEY, Door, told
from tests.plugins.operator import ops
from tests.plugins.sandboxes import Sandbox
from tests.plugins.waiting import eventually

EFFECT = """
insert into effect (key, "group", subject, shop, kind, state, attempts, token, started_at, deadline, result)
values ($1, $2, gen_random_uuid(), $3, 'capture', $4, 1, gen_random_uuid(),
  clock_timestamp() - make_interval(hours => $5), now(), $6::jsonb)
"""
LANE = 'insert into lane ("group", subject, shop, state, due, error) values ($1, $2, $3, $4, $5, $6)'
SECRETS = ("sk_sandbox", "whsec_", "customer-x", "api_key", "secret")


async def listed(door: Door, caller_of: str = "nordic-tea", **wanted: Any) -> list[dict[str, Any]]:
    scope = OPERATOR if caller_of == ANY_SHOP else "connections:read"
    async with await door.caller(caller_of, scope) as caller:
        answer = await caller.get("/v1/connections", params=wanted)
    assert answer.status_code == 200, answer.text
    return list(answer.json()["connections"])


async def payment(door: Door) -> dict[str, Any]:
    (found,) = [each for each in await listed(door) if each["kind"] == "payment"]
    return found


async def effect(
    door: Door, state: str, hours: int = 0, shop: str = "nordic-tea", group: str = "payment", reason: str = ""
) -> None:
    result = f'{{"reason": "{reason}", "detail": "said so"}}' if reason else "{}"
    await door.pool.execute(EFFECT, str(uuid4()), f"integrations.{group}", shop, state, hours, result)


async def lane(door: Door, state: str, *, due: bool, error: str | None, shop: str = "nordic-tea") -> None:
    at = await door.pool.fetchval("select clock_timestamp()") if due else None
    await door.pool.execute(LANE, "integrations.payment", str(uuid4()), shop, state, at, error)


async def test_what_is_connected_is_shown_without_a_secret_and_untried_while_nothing_was_asked(door: Door) -> None:
    await door.connect("nordic-tea", "erp", "https://user:s3cret@books.example:8443/api?k=s3cret", "c:s3cret")
    found = await listed(door)
    assert [(each["kind"], each["provider"], each["state"]) for each in found] == [
        ("erp", "sandbox", "untried"),
        ("payment", "sandbox", "untried"),
        ("shipping", "sandbox", "untried"),
    ]
    assert [each["host"] for each in found] == ["books.example:8443", "127.0.0.1:1", "127.0.0.1:1"]
    assert [each["capture"] for each in found] == [None, "by-hand", None]
    assert [each["webhooks"] is None for each in found] == [True, False, False], "ERP sends none"
    assert not [secret for secret in (*SECRETS, "s3cret") if secret in str(found)]


async def test_what_was_done_and_what_failed_in_a_day_is_counted_and_the_last_of_each_is_shown(door: Door) -> None:
    for state, hours, reason in (
        ("done", 1, ""),
        ("done", 23, ""),
        ("done", 25, ""),
        ("failed", 2, "card_declined"),
        ("failed", 30, "ArticleRefused"),
        ("planned", 0, ""),
    ):
        await effect(door, state, hours, reason=reason)
    await effect(door, "done", shop="other-shop")
    await effect(door, "done", group="shipping")
    found = await payment(door)
    assert (found["calls"]["done"], found["calls"]["failed"], found["calls"]["unknown"]) == (2, 1, 0)
    assert found["calls"]["last_failed_reason"] == "card-declined"
    assert found["calls"]["last_failed_at"] < found["calls"]["last_done_at"] == found["last_answer_at"]
    assert found["state"] == "untried", "all of it was before the connection was changed, a moment ago"
    await effect(door, "failed", reason="card_declined")
    assert (await payment(door))["state"] == "healthy", "a card that is declined is no trouble of the connection"
    await effect(door, "unknown", 300)
    found = await payment(door)
    assert (found["calls"]["unknown"], found["state"]) == (1, "troubled"), "however old it is, a person must say"


async def test_orders_that_wait_or_are_blocked_are_counted_for_their_own_shop_alone(door: Door) -> None:
    await effect(door, "done")
    await lane(door, "idle", due=False, error=None)
    await lane(door, "leased", due=True, error=None)
    assert (await payment(door))["state"] == "healthy"
    await lane(door, "ready", due=True, error="Retry: not sent")
    await lane(door, "blocked", due=False, error="Reject: no")
    await lane(door, "blocked", due=False, error="Reject: no", shop="other-shop")
    found = await payment(door)
    assert (found["orders"], found["state"]) == ({"waiting": 1, "blocked": 1}, "troubled")


async def test_how_a_providers_answers_went_is_written_down_and_the_last_word_counts(
    door: Door, payment_sandbox: Sandbox
) -> None:
    await door.connect("nordic-tea", "payment", payment_sandbox.running.url, payment_sandbox.api_key)
    account = await door.listeners["payment"].accounts.of("nordic-tea", anew=True)
    assert account is not None
    pay: SandboxPay = account[1]
    await pay.standing("pay_nobody")
    await door.pulse.turn()
    found = await payment(door)
    assert (found["state"], found["last_trouble"]) == ("healthy", None), "a clear no is an answer"
    await payment_sandbox.misbehave(next=["busy"])
    with pytest.raises(NotSent):
        await pay.move(Move("void", "pay_1", 0, "void:1"), Permit(time.monotonic(), 5))
    await door.pulse.turn()
    found = await payment(door)
    assert (found["state"], found["last_trouble"]) == ("troubled", "failing")
    assert found["last_answer_at"] < found["last_trouble_at"]
    await payment_sandbox.running.stop()
    with pytest.raises(NotSent):
        await pay.move(Move("void", "pay_1", 0, "void:1"), Permit(time.monotonic(), 5))
    await payment_sandbox.running.start()
    await door.pulse.turn()
    assert (await payment(door))["state"] == "unreachable"
    await pay.standing("pay_nobody")
    await door.pulse.turn()
    found = await payment(door)
    assert (found["state"], found["last_trouble"]) == ("healthy", "not-reached"), "what is over is still shown"


async def test_a_call_that_its_caller_has_waited_long_enough_for_was_not_answered(
    door: Door, erp_sandbox: Sandbox
) -> None:
    await erp_sandbox.misbehave(slow=1.0, seconds=600, reads=True)
    await door.connect("nordic-tea", "erp", erp_sandbox.running.url, erp_sandbox.api_key)
    connection = await Connections(door.pool, Seal([KEY])).of("nordic-tea", "erp")
    assert connection is not None
    system = SandboxErp(connection, seconds=0.5, heard=door.pulse.of(connection))
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.5):
            await system.find(an_order())
    await system.close()
    await door.pulse.turn()
    (found,) = [each for each in await listed(door) if each["kind"] == "erp"]
    assert (found["state"], found["last_trouble"]) == ("unreachable", "no-answer")


async def test_of_two_processes_whoever_heard_last_is_believed_whoever_writes_last(door: Door) -> None:
    slow, quick = Pulse(door.pool), Pulse(door.pool)
    slow.exchanged("nordic-tea", "payment", "not-reached")
    await door.pool.fetchval("select pg_sleep(0.01)")
    quick.exchanged("nordic-tea", "payment", "failing")
    quick.exchanged("nordic-tea", "payment", "answered")
    await quick.turn()
    await slow.turn()
    found = await payment(door)
    assert (found["state"], found["last_trouble"]) == ("healthy", "failing")


async def test_what_could_not_be_written_is_written_the_next_time(door: Door) -> None:
    door.pulse.exchanged("nordic-tea", "payment", "refused")
    async with transaction(door.pool) as connection:
        await connection.execute("alter table connection_heard rename to hidden")
        await connection.execute("create table connection_heard (x int)")
    with pytest.raises(asyncpg.PostgresError):
        await door.pulse.turn()
    door.pulse.webhook("nordic-tea", "payment")
    async with transaction(door.pool) as connection:
        await connection.execute("drop table connection_heard")
        await connection.execute("alter table hidden rename to connection_heard")
    await door.pulse.turn()
    found = await payment(door)
    assert (found["last_trouble"], found["webhooks"]["last_genuine_at"] is None) == ("refused", False)


async def test_a_process_says_whom_it_leaves_alone_and_is_believed_while_it_says_so(door: Door) -> None:
    await effect(door, "done")
    open_ones = [LeftAlone("integrations.payment", "sandbox:nordic-tea", 12.0)]
    one, other = Pulse(door.pool, left_alone=lambda: open_ones), Pulse(door.pool, left_alone=lambda: open_ones)
    await one.turn()
    await other.turn()
    found = await payment(door)
    assert (found["breaker"]["open_in"], found["state"]) == (2, "troubled")
    assert found["breaker"]["since"] is not None
    (shipping,) = [each for each in await listed(door) if each["kind"] == "shipping"]
    assert shipping["breaker"] == {"open_in": 0, "since": None}
    await door.pool.execute("update connection_left_alone set said_at = said_at - interval '1 minute'")
    assert (await payment(door))["breaker"]["open_in"] == 0, "processes that were killed say nothing more"
    await door.pool.execute("update connection_left_alone set said_at = said_at - interval '2 days'")
    await door.pool.execute(FORGET)
    await one.turn()
    assert (await payment(door))["breaker"]["open_in"] == 1
    open_ones.clear()
    await one.turn()
    assert await door.pool.fetchval("select count(*) from connection_left_alone") == 0


async def test_a_process_that_ends_writes_what_it_has_heard_and_leaves_nobody_alone(door: Door) -> None:
    pulse = Pulse(door.pool, left_alone=lambda: [LeftAlone("integrations.payment", "sandbox:nordic-tea", 1.0)])
    await pulse.turn()
    stopping = asyncio.Event()
    stopping.set()
    pulse.exchanged("nordic-tea", "payment", "answered")
    await pulse.run(stopping)
    found = await payment(door)
    assert (found["breaker"]["open_in"], found["state"]) == (0, "healthy")


async def test_the_last_webhook_is_shown_and_one_that_is_not_genuine_makes_no_connection_ill(door: Door) -> None:
    await effect(door, "done")
    await door.tell(told())
    await door.pulse.turn()
    found = await payment(door)
    assert found["webhooks"]["last_genuine_at"] is not None
    assert found["webhooks"]["not_genuine"] is None
    await door.tell(told(), secret="whsec_b3RoZXI=")
    await door.tell_of("shipping", told(), **{"webhook-timestamp": "1"})
    await door.pulse.turn()
    shown = {each["kind"]: each for each in await listed(door)}
    assert shown["payment"]["webhooks"]["not_genuine"] == "wrong-signature"
    assert shown["payment"]["webhooks"]["last_not_genuine_at"] > shown["payment"]["webhooks"]["last_genuine_at"]
    assert shown["payment"]["state"] == "healthy", "anybody can send one"
    assert shown["shipping"]["webhooks"]["not_genuine"] == "wrong-time"


async def test_a_connection_that_is_removed_takes_what_was_heard_of_it_with_it(door: Door) -> None:
    door.pulse.exchanged("nordic-tea", "payment", "refused")
    await door.pulse.turn()
    async with transaction(door.pool) as connection:
        outbox = Outbox("/integrations", Bell())
        assert await remove_connection(connection, "nordic-tea", "payment", outbox, "test")
    door.pulse.exchanged("nordic-tea", "payment", "refused")
    await door.pulse.turn()
    assert await door.pool.fetchval("select count(*) from connection_heard") == 0


async def test_an_operator_sees_all_shops_page_by_page_and_a_shop_its_own_alone(door: Door) -> None:
    kinds = [
        ("nordic-tea", "payment"),
        ("nordic-tea", "shipping"),
        ("other-shop", "payment"),
        ("other-shop", "shipping"),
    ]
    everything = await listed(door, ANY_SHOP)
    assert [(each["shop"], each["kind"]) for each in everything] == kinds
    assert [each["shop"] for each in await listed(door, ANY_SHOP, shop="other-shop")] == ["other-shop"] * 2
    async with await door.caller(ANY_SHOP, OPERATOR) as caller:
        seen: list[tuple[str, str]] = []
        after = None
        while after is not None or not seen:
            page = (
                await caller.get("/v1/connections", params={"limit": 1} | ({"after": after} if after else {}))
            ).json()
            seen += [(each["shop"], each["kind"]) for each in page["connections"]]
            after = page["next"]
    assert seen == kinds
    assert [each["shop"] for each in await listed(door, "other-shop")] == ["other-shop"] * 2
    assert await listed(door, "other-shop", shop="nordic-tea") == []
    assert await listed(door, "other-shop", after="a/payment", limit=200) == await listed(door, "other-shop")


@pytest.mark.parametrize("wanted", [{"limit": "0"}, {"limit": "201"}, {"after": "nordic-tea"}, {"after": "\x00/erp"}])
@pytest.mark.parametrize("more", [{}, {"shop": "nordic-tea"}])
async def test_what_cannot_be_meant_is_refused(door: Door, wanted: dict[str, str], more: dict[str, str]) -> None:
    async with await door.caller("nordic-tea", "connections:read") as caller:
        answer = await caller.get("/v1/connections", params=wanted | more)
        assert (answer.status_code, answer.json()["type"]) == (422, "/problems/invalid-request")
        assert (
            await caller.get("/v1/connections", params={"shop": "\ud800".encode("utf-8", "surrogatepass")})
        ).is_error


async def test_the_document_shows_what_is_answered(door: Door) -> None:
    paths = door.app.openapi()["paths"]
    listed_example = example_of(paths["/v1/connections"]["get"])
    page = ConnectionPage.model_validate(listed_example, extra="forbid")
    assert page.model_dump(mode="json") == listed_example
    check = paths["/v1/connections/{kind}/check"]["post"]
    assert CheckOutcome.model_validate(example_of(check), extra="forbid").outcome == "answered"
    problems = {
        status: answer["content"]["application/problem+json"]["example"]["type"].removeprefix("/problems/")
        for status, answer in check["responses"].items()
        if status != "200"
    }
    assert {status: problems[status] for status in ("404", "409", "429")} == {
        "404": "unknown-connection",
        "409": "no-adapter",
        "429": "checked-just-now",
    }


def example_of(operation: dict[str, Any]) -> Any:
    return operation["responses"]["200"]["content"]["application/json"]["example"]


async def test_however_many_connections_there_are_it_is_one_statement_by_keys(door: Door) -> None:
    asked: list[str] = []
    async with transaction(door.pool) as connection:
        with connection.query_logger(lambda query: asked.append(query.query)):
            assert len(await read_health(connection, None)) == 4
            await eventually(lambda: bool(asked), waiting_for="what was asked to be told")
        assert asked == [READ]
        for name, value in KEYS_ONLY.items():
            await connection.execute("select set_config($1, $2, true)", name, value)
        plan = await connection.fetch(f"explain {READ}", "nordic-tea", None, None, 50, 24, 20.0)
    lines = [row[0].strip() for row in plan]
    assert not [line for line in lines if "Seq Scan" in line]
    conditions = [line for line in lines if line.startswith("Index Cond") and "started_at > (now()" in line]
    assert len(conditions) == 2, "what is older than a day is not even passed over"


async def test_an_operator_types_a_command_and_sees_the_same(door: Door, database_url: str) -> None:
    await effect(door, "failed", reason="card_declined")
    door.pulse.exchanged("nordic-tea", "payment", "refused")
    await door.pulse.turn()
    database = f"integrations={database_url}"
    shown = await ops("connections", "health", "-d", database, "--json", "--shop", "nordic-tea")
    assert [(each["kind"], each["state"]) for each in shown.document] == [
        ("payment", "refused"),
        ("shipping", "untried"),
    ]
    assert shown.document[0]["failed_reason"] == "card-declined"
    table = await ops("connections", "health", "-d", database)
    assert table.code == 0
    assert "refused" in table.out
    assert "other-shop" in table.out
    assert not [secret for secret in SECRETS if secret in shown.out + table.out]
    assert (
        await ops("connections", "health", "-d", database, "--shop", "nobody")
    ).out.strip() == "nothing is connected"


async def test_an_operator_is_shown_where_it_is_and_never_how_to_get_in(door: Door, database_url: str) -> None:
    database, url = f"integrations={database_url}", "https://user:s3cret@books.example:8443/api?k=s3cret"
    words = ("nordic-tea", "erp", "--url", url, "-d", database)
    env = {"INTEGRATIONS_SEALING_KEYS": KEY, "CONNECTION_API_KEY": "c:s3cret"}
    saved = await ops("connections", "save", *words, env=env)
    assert saved.out.strip() == "nordic-tea has connected erp: sandbox at https://books.example:8443/api"
    table = await ops("connections", "list", "-d", database)
    listed_as_json = await ops("connections", "list", "--shop", "nordic-tea", "-d", database, "--json")
    assert [each["url"] for each in listed_as_json.document if each["kind"] == "erp"] == [
        "https://books.example:8443/api"
    ]
    assert "books.example:8443/api" in table.out
    assert "s3cret" not in saved.out + saved.err + table.out + listed_as_json.out
    kept = await door.pool.fetchval("select url from connection where kind = 'erp'")
    assert kept == url, "it is kept as it was said"


@pytest.mark.parametrize("name", ["Nordic Tea", "nordic_tea", "-tea", "té", "t" * 64, "", "nordic-tea\n"])
async def test_only_a_shop_that_can_be_is_connected(door: Door, database_url: str, name: str) -> None:
    words = ("--url", "http://127.0.0.1:1", "-d", f"integrations={database_url}", "--", name, "erp")
    env = {"INTEGRATIONS_SEALING_KEYS": KEY, "CONNECTION_API_KEY": "c:s3cret"}
    refused = await ops("connections", "save", *words, env=env)
    assert refused.code == 2
    assert "expected a shop's short name" in " ".join(refused.err.replace("│", " ").split())
    assert await door.pool.fetchval("select count(*) from connection where kind = 'erp'") == 0

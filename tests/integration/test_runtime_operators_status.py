"""How a service stands is one answer for operators only; where Kafka is away the other numbers stand."""

from collections.abc import AsyncIterator
from uuid import uuid4

import pytest

from shared.contracts.order_events import OrderPlaced
from shared.messaging.repair_desk import ask
from shared.messaging.repairs import Operator
from shared.messaging.wanted import SkipDead
from shared.runtime.health import Health, Heart
from tests.builders import an_order, to_place
from tests.integration.test_kit_ingest import an_entry, log
from tests.integration.test_kit_repairs_of_records import quarantine, take
from tests.integration.test_kit_trouble import PARKED, UNKNOWN
from tests.integration.test_ops_status import NOTHING_READ
from tests.plugins.broken import a_dead_message, a_group, dead, story
from tests.plugins.kit import Kit
from tests.plugins.operators_http import Caller, app_on, calling, one

FAILING = """
insert into lane ("group", subject, shop, state, attempts, due, failing_since, error) values
  ('notifications', $1, 'nordic-tea', 'ready', 3, now() + interval '30 s', now() - interval '2 min',
  '451 busy, for asa@example.org')
"""


@pytest.fixture
async def operator(kit: Kit) -> AsyncIterator[Caller]:
    """Somebody with the scope."""
    async with app_on(kit, [a_group(), log]) as (app, _), calling(app, kit, "operator") as caller:
        yield caller


async def test_without_the_scope_nobody_sees_how_a_service_stands(kit: Kit) -> None:
    async with app_on(kit, [a_group()]) as (app, _), calling(app, kit) as nobody:
        assert (await nobody.get("status")).status_code == 401
        async with calling(app, kit, "orders:read", shop="nordic-tea") as shop:
            assert (await shop.get("status")).status_code == 403


async def test_a_service_where_nothing_is_wrong_has_nothing_to_show(kit: Kit, operator: Caller) -> None:
    status = (await operator.get("status")).json()
    counts = ("dead", "waiting", "unknown", "calls", "quarantined", "parked", "passed")
    assert {name: status[name] for name in counts} == dict.fromkeys(counts, 0)
    assert (status["service"], status["groups"], status["topics"]) == ("shop", [], [])
    assert status["outbox"] == {"rows": 0, "oldest_seconds": 0.0, "relay": False}
    assert (status["process"]["ready"], status["process"]["consent"]) == (True, True)
    assert status["life"]["incarnation"] == await kit.pool.fetchval("select incarnation from relay")
    assert status["life"]["restored"] is False


async def test_each_number_is_the_length_of_its_list(kit: Kit, operator: Caller) -> None:
    order = an_order(id=uuid4())
    await dead(kit, a_group(), story(an_order(id=uuid4()), "ppc"), given_up=[0])
    await dead(kit, a_group(), story(an_order(id=uuid4()), "cc"), given_up=[1])
    for statement in (UNKNOWN, PARKED, FAILING):
        await kit.pool.execute(statement, str(order.id))
    await quarantine(kit, b"\xff", b"{}")
    await take(kit, *(an_entry(str(uuid4()), n) for n in (1, 4, 5)))
    await kit.say(to_place(order).meta, [OrderPlaced(order=order)])
    async with kit.pool.acquire() as connection:
        await ask(connection, [SkipDead(group="notifications", position=1)], Operator(actor="maria", reason="x"))

    status = (await operator.get("status")).json()
    for kind in ("dead", "waiting", "unknown", "quarantined", "parked"):
        assert status[kind] == len((await operator.get(kind)).json()["items"]) > 0, kind
    assert status["held"]["records"] == 2
    assert status["asked"]["count"] == 1
    assert status["outbox"]["rows"] >= 1
    assert status["outbox"]["oldest_seconds"] > 0
    (lanes,) = [group for group in status["groups"] if group["group"] == "notifications"]
    assert (lanes["dead"], lanes["waiting"], lanes["blocked"], lanes["messages"]) == (2, 1, 1, 2)


async def test_what_is_unread_is_counted_by_topic(kit_on_kafka: Kit) -> None:
    kit, order = kit_on_kafka, an_order(id=uuid4())
    await kit.pool.execute(NOTHING_READ)
    await kit.publish_messages(*story(order, "pcc"))
    async with app_on(kit, [a_group()]) as (app, _), calling(app, kit, "operator") as operator:
        status = (await operator.get("status")).json()
    assert status["topics"] == [
        {"topic": "orders.events", "group": "shop.orders.events", "unread": 3, "lost": 0},
    ]


async def test_where_kafka_is_away_the_other_numbers_stand(kit: Kit) -> None:
    await kit.pool.execute(NOTHING_READ)
    kit.kafka = "127.0.0.1:1"
    async with app_on(kit, [a_group()]) as (app, _), calling(app, kit, "operator") as operator:
        answer = await operator.get("status")
    assert (answer.status_code, answer.json()["topics"]) == (200, None)


async def test_a_process_that_is_not_ready_says_why(kit: Kit) -> None:
    async def wrong() -> str:
        return "orders.events has 1 partition, 24 are declared"

    async with app_on(kit, [a_group()]) as (app, _), calling(app, kit, "operator") as operator:
        app.state.health = Health(app.state.pool, Heart(), checks={"topics": wrong}, phase=None)
        process = (await operator.get("status")).json()["process"]
    assert (process["ready"], process["reasons"]) == (False, {"topics": await wrong()})


async def test_lanes_that_are_tried_again_are_listed_with_their_error_and_next_try(kit: Kit, operator: Caller) -> None:
    order = str(uuid4())
    await kit.pool.execute(FAILING, order)
    (item,) = (await operator.get("waiting", shop="nordic-tea", group="notifications", error="busy")).json()["items"]
    assert (item["order"], item["attempts"]) == (order, 3)
    assert item["error"] == "451 busy, for a***@example.org"
    full = (await operator.get(one("waiting", item["id"]))).json()
    assert (full["due"] > full["at"], full["messages"], full["message"]) == (True, 0, None)
    assert (await operator.get("waiting", shop="another")).json()["items"] == []


async def test_lists_begin_with_the_latest_where_that_is_asked(kit: Kit, operator: Caller) -> None:
    positions = [(await a_dead_message(kit))[1] for _ in range(3)]
    first = (await operator.get("dead", latest_first=True, limit=2)).json()
    second = (await operator.get("dead", latest_first=True, limit=2, after=first["following"])).json()
    assert [item["position"] for page in (first, second) for item in page["items"]] == positions[::-1]


async def test_dead_messages_are_found_by_type_and_calls_by_kind(kit: Kit, operator: Caller) -> None:
    await a_dead_message(kit)
    await kit.pool.execute(UNKNOWN, str(uuid4()))
    assert len((await operator.get("dead", type="order.placed.v1")).json()["items"]) == 1
    assert (await operator.get("dead", type="order.noted.v1")).json()["items"] == []
    assert len((await operator.get("unknown", kind="mail")).json()["items"]) == 3
    assert (await operator.get("unknown", kind="payment")).json()["items"] == []


async def test_how_far_many_repairs_are_is_counted_between_their_positions(kit: Kit, operator: Caller) -> None:
    await dead(kit, a_group(), story(an_order(id=uuid4()), "ccc"), given_up=[0, 1, 2])
    await operator.post("dead/retry", filter={"error": "no such thing"})
    many = (await operator.post("dead/skip", filter={}, reason="a test order")).json()
    await operator.post("dead/skip", filter={}, reason="again")
    page = (await operator.get("repairs", since=many["first_position"], until=many["last_position"], limit=1)).json()
    assert (page["counts"], len(page["items"])) == ({"asked": 3, "done": 0, "refused": 0}, 1)
    assert (await operator.get("repairs")).json()["counts"] is None
    dry = (await operator.post("dead/skip", filter={}, reason="x", dry_run=True)).json()
    assert (dry["first_position"], dry["last_position"]) == (None, None)

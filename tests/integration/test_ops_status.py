"""One table says how the services stand, and each thing that needs a person is a sentence below it."""

from uuid import uuid4

from shared.contracts.order_events import OrderPlaced
from shared.messaging.relay import Relay
from tests.builders import an_order, to_place
from tests.plugins.kit import Kit, running
from tests.plugins.operator import ops
from tests.plugins.waiting import eventually

BLOCKED = """
insert into lane ("group", subject, shop, state, attempts, failing_since, error)
values ('notifications', $1, 'nordic-tea', 'blocked', 9, now() - interval '1 day', 'refused for asa@example.org')
"""
UNKNOWN = """
insert into effect (key, "group", subject, kind, state, attempts, token, started_at, deadline, result)
values ('mail:1', 'notifications', $1, 'mail', 'unknown', 1, gen_random_uuid(), now(), now(), '{}')
"""
NOTHING_READ = """
insert into consumed (topic, partition, next, first) select 'orders.events', n, 0, 0 from generate_series(0, 1) n
"""
PARKED = "insert into parked (topic, aggregateid, error) values ('orders.events', $1, 'too large')"


async def test_what_waits_and_what_needs_a_person_is_shown(kit: Kit) -> None:
    order = an_order(id=uuid4())
    await kit.say(to_place(order).meta, [OrderPlaced(order=order)])
    for statement in (BLOCKED, UNKNOWN, PARKED):
        await kit.pool.execute(statement, str(order.id))

    answer = await ops("status", "-d", f"orders={kit.dsn}")
    assert answer.code == 0, answer.err
    table = {" ".join(line.split()[:-1]): line.split()[-1] for line in answer.out.splitlines() if line.strip()}
    assert (table["outbox rows"], table["relay"], table["parked keys"]) == ("2", "none", "1")
    assert (table["lanes notifications blocked"], table["effects unknown"]) == ("1", "1")
    assert f"! orders: lane notifications of order {order.id} is blocked: refused for a***@example.org" in answer.out
    assert f"! orders: effect mail of order {order.id} is unknown since" in answer.out
    assert f"! orders: order {order.id} is parked on orders.events since" in answer.out


async def test_a_running_relay_and_unread_records_are_seen(kit_on_kafka: Kit) -> None:
    kit, order = kit_on_kafka, an_order(id=uuid4())
    await kit.pool.execute(NOTHING_READ)
    await kit.say(to_place(order).meta, [OrderPlaced(order=order)])
    where = ("-d", f"orders={kit.dsn}", "--kafka", kit.kafka, "--prefix", kit.prefix)
    async with running(Relay(kit.dsn, kit.kafka, kit.bell, prefix=kit.prefix, poll=0.05)):
        await eventually(lambda: outbox_is_empty(kit))
        document = (await ops("status", *where, "--json")).document
    assert document["orders"]["relay"] == "active"
    assert document["orders"]["unread orders.events"] == 1
    assert document["orders"]["needs"] == []


async def outbox_is_empty(kit: Kit) -> bool:
    return await kit.count("outbox") == 0


async def test_a_service_that_is_away_does_not_hide_the_others(kit: Kit) -> None:
    away = "notifications=postgresql://a:b@127.0.0.1:1/notifications"
    answer = await ops("status", "-d", f"orders={kit.dsn}", "-d", away)
    assert answer.code == 3
    assert "outbox rows" in answer.out
    assert "Not asked: the database of notifications cannot be reached" in answer.err
    document = (await ops("status", "-d", f"orders={kit.dsn}", "-d", away, "--json")).document
    assert document["orders"]["outbox rows"] == 0
    assert len(document["notifications"]["missing"]) == 1


async def test_a_database_without_tables_is_told_which_migration_it_misses(database_url: str) -> None:
    answer = await ops("status", "-d", f"orders={database_url}")
    assert answer.code == 3
    assert answer.err == (
        "Not asked: the database of orders has not had all migrations; missing: messaging/0001_kit, "
        "messaging/0002_under_fire\n"
    )

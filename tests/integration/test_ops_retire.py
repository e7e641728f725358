"""A type can go when nobody writes it and nothing of it waits; then it is said what goes with it."""

from pathlib import Path

import pytest

from shared.contracts.order_commands import PlaceOrder
from shared.contracts.order_events import OrderPlaced
from shared.ops.retire import where_named
from tests.builders import an_order, to_place
from tests.integration.test_kit_ingest import commands
from tests.plugins.kit import Kit
from tests.plugins.lanes import arrive
from tests.plugins.operator import ops

TYPE = "order.place.v1"


async def test_a_type_that_nobody_writes_and_nothing_waits_of_can_go(kit: Kit) -> None:
    answer = await ops("contracts", "retire", TYPE, "-d", f"orders={kit.dsn}")
    assert answer.code == 0, answer.err
    assert "order.place.v1 can go. Delete:" in answer.out
    for line in (
        "  shared/contracts/schemas/order.place.v1.json",
        "  shared/contracts/examples/order.place.v1.json",
        "  class PlaceOrder in shared/contracts/order_commands.py:",
        "  services/orders/handlers.py:",
        "  tests/builders.py:",
        "contracts check --new-type order.place.v1",
        "orders.commands has records of it for 14 days",
    ):
        assert line in answer.out
    assert "Ask first those who write it from elsewhere: shop fronts, other services." in answer.err


@pytest.mark.parametrize(
    ("statement", "reason"),
    [
        (
            (
                "insert into passed (topic, source, subject, id, type, shop, record) "
                "values ('t', 's', 's', 'i', 'order.place.v1', 'shop', '')"
            ),
            "1 record passed over by an older version",
        ),
        (
            (
                "insert into held (topic, source, subject, incarnation, n, id, type, shop, record, partition, "
                "\"offset\", headers) values ('t', 's', 's', 1, 2, 'i', 'order.place.v1', 'shop', '', 0, 0, '')"
            ),
            "1 record held for an earlier one",
        ),
        (
            (
                "insert into outbox (id, topic, aggregatetype, aggregateid, type, payload, sequence, headers) "
                "values (gen_random_uuid(), 't', 'order', 'o', 'order.place.v1', '{}', '', '{}')"
            ),
            "1 record not published yet",
        ),
        (
            (
                'insert into timer (key, "group", subject, shop, due_at, topic, source, id, type, record) '
                "values ('k', 'g', 's', 'shop', now(), 't', 's', 'i', 'order.place.v1', '')"
            ),
            "1 record due later",
        ),
    ],
)
async def test_a_type_of_which_something_waits_stays(kit: Kit, statement: str, reason: str) -> None:
    await kit.pool.execute(statement)
    answer = await ops("contracts", "retire", TYPE, "-d", f"orders={kit.dsn}")
    assert (answer.code, answer.out) == (1, "")
    assert answer.err == f"the database of orders: {reason}\norder.place.v1 cannot go yet.\n"


async def test_a_type_of_which_a_message_waits_in_an_inbox_stays(kit: Kit) -> None:
    await arrive(kit, commands, [to_place(an_order())])
    answer = await ops("contracts", "retire", TYPE, "-d", f"orders={kit.dsn}")
    assert answer.code == 1
    assert "the database of orders: 1 record received and not handled" in answer.err


async def test_a_type_that_code_can_write_or_a_process_is_told_to_stays(kit: Kit) -> None:
    answer = await ops("contracts", "retire", "order.placed.v1", "-d", f"orders={kit.dsn}")
    assert answer.code == 1
    assert "services/orders/domain/order.py:" in answer.err
    assert "can write it" in answer.err
    told = await ops(
        "contracts", "retire", TYPE, "-d", f"orders={kit.dsn}", env={"ORDERS_EMITS": f"order.edited.v1, {TYPE}"}
    )
    assert told.code == 1
    assert "ORDERS_EMITS names it" in told.err


async def test_records_that_are_not_read_yet_keep_a_type(kit_on_kafka: Kit) -> None:
    kit, command = kit_on_kafka, to_place(an_order())
    where = ("-d", f"orders={kit.dsn}", "--kafka", kit.kafka, "--prefix", kit.prefix)
    await kit.pool.execute("insert into consumed select 'orders.commands', n, 0, 0 from generate_series(0, 1) n")
    await kit.publish_messages(command)
    answer = await ops("contracts", "retire", TYPE, *where)
    assert answer.code == 1
    assert "orders: 1 record of orders.commands" in answer.err
    await kit.pool.execute("update consumed set next = 1")
    assert (await ops("contracts", "retire", TYPE, *where)).code == 0


async def test_a_type_that_is_none_is_asked_wrongly(kit: Kit) -> None:
    assert (await ops("contracts", "retire", "order.flown.v1", "-d", f"orders={kit.dsn}")).code == 2


def test_what_makes_a_message_is_told_from_what_only_names_it(tmp_path: Path) -> None:
    (tmp_path / "services").mkdir()
    code = [
        "from shared.contracts.order_events import OrderPlaced",
        "from shared.contracts import order_events as all_of_them",
        "a = OrderPlaced(order=1)",
        "b = all_of_them.OrderPlaced(order=1)",
        "c = OrderPlaced.model_validate_json(text)",
        "d = isinstance(a, OrderPlaced)",
        "e = OrderPlacedElsewhere()",
        "# OrderPlaced",
    ]
    (tmp_path / "services" / "x.py").write_text("\n".join(code))
    found = {(each.line, each.writes) for each in where_named(OrderPlaced, tmp_path)}
    assert {line for line, _ in found} == {1, 3, 4, 5, 6}
    assert {line for line, writes in found if writes} == {3, 4, 5}
    assert not list(where_named(PlaceOrder, tmp_path))

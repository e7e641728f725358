"""What operators do to orders' own messages stands on the order's timeline at once, also while Kafka is away."""

from services.orders.handlers import commands, log
from services.orders.timeline import read_page, verify
from shared.contracts.message import write_record
from shared.contracts.topics import ORDERS_COMMANDS
from shared.messaging.ingest_store import IngestStore
from shared.messaging.intake import Arrived
from shared.messaging.repairs import Operator, Repairs
from shared.messaging.wanted import SkipDead
from shared.runtime.database import connected
from tests.builders import an_order, to_place
from tests.plugins.broken import repair
from tests.plugins.orders import OrdersAlone


async def test_a_repair_of_a_command_is_on_the_timeline_of_its_order(orders_alone: OrdersAlone) -> None:
    command = to_place(an_order())
    record = write_record(command, command.meta).encode()
    arrived = Arrived("orders.commands", 0, 0, command.subject.encode(), record, [])
    await IngestStore(orders_alone.pool, ORDERS_COMMANDS, [commands]).take([arrived])
    await orders_alone.pool.execute("update inbox set state = 'dead', died_at = now(), error = 'x'")
    await orders_alone.pool.execute("update lane set state = 'blocked', due = null")
    position = await orders_alone.pool.fetchval("select position from inbox")

    repairs = Repairs(orders_alone.pool, orders_alone.outbox, [commands, log])
    operator = Operator(actor="maria", reason="placed twice")
    await repair(repairs, SkipDead(group="orders.commands", position=position), operator)

    async with connected(orders_alone.pool) as connection:
        page = await read_page(connection, command.order_id, "nordic-tea", limit=10)
        ((_, entry),) = page.entries
        assert (entry.type, entry.actor, entry.source) == ("repair.made.v1", "maria", "/orders")
        assert await verify(connection, command.order_id) is None

"""The composition root of orders: the one file that knows all its parts."""

from collections.abc import Sequence
from pathlib import Path

import services.orders
import shared.messaging
from services.orders.actions import router as actions
from services.orders.api import documents, router
from services.orders.changes_api import router as changes
from services.orders.desk import Desk
from services.orders.flags import Flags
from services.orders.handlers import commands, log, reports
from services.orders.list_api import router as lists
from services.orders.live import TOPICS, Live
from services.orders.log_api import router as logs
from services.orders.number_api import reveals
from services.orders.number_api import router as personal_number
from services.orders.numbers import Numbers
from services.orders.overdue import Overdue
from services.orders.payment_api import router as payment
from services.orders.personal_numbers import PersonalNumbers
from services.orders.promises import Expectations
from services.orders.repository import Orders
from services.orders.settings import OrdersSettings
from services.orders.shop_api import router as shop
from services.orders.shop_api import shops as all_shops
from services.orders.shops import Shops
from services.orders.timeline import Timeline, record
from services.orders.vat_api import router as vat_rates
from shared.contracts.message import Message, personal_field_names
from shared.messaging.database import Connection
from shared.messaging.ends import Ends
from shared.messaging.incarnations import recognise
from shared.messaging.outbox import Appended
from shared.runtime.database import open_pool
from shared.runtime.kit import Messaging
from shared.runtime.operators import router as operators
from shared.runtime.service import Service, run
from shared.runtime.settings import Role
from shared.runtime.tokens_api import router as tokens

KIT = Path(shared.messaging.__path__[0])
MIGRATIONS = (
    ("messaging", KIT / "migrations"),
    ("announced", KIT / "announced"),
    ("orders", Path(services.orders.__path__[0]) / "sql" / "migrations"),
)


def keeping(expectations: Expectations) -> Appended:
    """What orders says is kept where it is said: on the timeline, and as what is expected of others."""

    async def appended(connection: Connection, stamped: Sequence[Message]) -> None:
        await record(connection, stamped)
        await expectations.note(connection, stamped)

    return appended


async def compose(settings: OrdersSettings) -> Service:
    """Orders, put together as its settings say; nothing is connected yet."""
    dsn = settings.database_url.get_secret_value()
    pool = await open_pool(dsn, name="orders", connections=settings.database_connections, on_connect=recognise)
    numbers_pool = await open_pool(dsn, name="orders numbers", connections=2, on_connect=recognise)
    keyed = await open_pool(
        dsn, name="orders kit", connections=settings.database_connections, keys_only=True, on_connect=recognise
    )
    appended = keeping(Expectations())
    messaging = Messaging("orders", settings, pool, keyed, source="/orders", appended=appended, keeps=True)
    shops, numbers = Shops(), Numbers(numbers_pool)

    def orders(connection: Connection) -> Orders:
        return Orders(connection, shops, numbers)

    messaging.work_inside(commands, {Orders: orders})
    messaging.work_inside(log, {Timeline: Timeline})
    messaging.work_inside(reports, {Orders: orders})
    desk = Desk(
        pool,
        commands,
        messaging.outbox,
        orders,
        outbox_age=lambda: messaging.gauges.outbox_age,
        outbox_age_limit=settings.outbox_age_limit,
        wait=settings.database_wait,
        refused=lambda: messaging.consent.refused,
    )
    messaging.work_beside(Overdue(pool, messaging.outbox))
    messaging.work_beside(Flags(pool))
    live = Live(
        pool,
        lambda: Ends(messaging.kafka, settings.topic_prefix, TOPICS),
        most=settings.live_streams,
        most_of_a_shop=settings.live_streams_of_a_shop,
    )
    components = messaging.components(facts=True)
    components[Role.API].append(live)
    return Service(
        "orders",
        settings,
        pool,
        components=components,
        routers=(
            *(lists, router, payment, logs, actions, personal_number, shop, vat_rates, reveals),
            *(all_shops, tokens, changes, documents, operators),
        ),
        state={
            "desk": desk,
            "repairs": messaging.repairs,
            "stands": messaging.stands(),
            "live": live,
            "personal_numbers": PersonalNumbers(settings.keyring),
        },
        migrations=MIGRATIONS,
        checks=messaging.checks(),
        more_pools=(keyed, numbers_pool),
    )


if __name__ == "__main__":
    run("orders", OrdersSettings, compose, personal=personal_field_names())

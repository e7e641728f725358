"""`python -m benchmarks.reactor`: a service whose one reaction to an order is an effect that calls nobody."""

from collections.abc import Sequence
from pathlib import Path

from pydantic_settings import SettingsConfigDict

import shared.messaging
from benchmarks.effects import entry_about
from shared.contracts.message import Message
from shared.contracts.order_events import OrderPlaced
from shared.contracts.topics import ORDERS_EVENTS
from shared.messaging.effects import Done, Effects, Permit
from shared.messaging.groups import Group
from shared.runtime.database import open_pool
from shared.runtime.kit import Messaging
from shared.runtime.service import Service, run
from shared.runtime.settings import ServiceSettings

MIGRATIONS = (("messaging", Path(shared.messaging.__path__[0]) / "migrations"),)
reactor = Group("reactor", reads=ORDERS_EVENTS)


class ReactorSettings(ServiceSettings):
    """The settings of any service, with the prefix `REACTOR_`."""

    model_config = SettingsConfigDict(env_prefix="REACTOR_")


@reactor.on(OrderPlaced)
async def react(event: OrderPlaced, effects: Effects) -> Sequence[Message]:
    """The effect is started and recorded as any other, and told on the order log."""
    await effects.once(key=f"bench:{event.meta.id}", kind="bench", call=_nobody, timeout=5)
    return [entry_about(event)]


async def _nobody(permit: Permit, _request: bytes) -> Done:
    permit.check()
    return Done({})


async def compose(settings: ReactorSettings) -> Service:
    """The reactor, put together as its settings say; nothing is connected yet."""
    dsn = settings.database_url.get_secret_value()
    pool = await open_pool(dsn, name="reactor", connections=settings.database_connections)
    keyed = await open_pool(dsn, name="reactor kit", connections=settings.database_connections, keys_only=True)
    messaging = Messaging("reactor", settings, pool, keyed, source="/reactor")
    messaging.work_outside([reactor], {Effects: Effects(keyed)})
    return Service(
        "reactor",
        settings,
        pool,
        components=messaging.components(facts=True),
        migrations=MIGRATIONS,
        checks=messaging.checks(),
        more_pools=(keyed,),
    )


if __name__ == "__main__":
    run("reactor", ReactorSettings, compose)

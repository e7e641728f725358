"""`python -m tests.faults.payer.app`: a small service on the kit that calls a provider once for each event."""

from pathlib import Path

from pydantic import Field
from pydantic_settings import SettingsConfigDict

import shared.messaging
from shared.contracts.message import personal_field_names
from shared.messaging.effects import Effects
from shared.messaging.incarnations import recognise
from shared.runtime.database import open_pool
from shared.runtime.kit import Messaging
from shared.runtime.service import Service, run
from shared.runtime.settings import ServiceSettings
from tests.faults.payer.handlers import payer
from tests.faults.payer.till import Till

MIGRATIONS = (("messaging", Path(shared.messaging.__path__[0]) / "migrations"),)


class PayerSettings(ServiceSettings):
    """The settings of the payer; each is an environment variable with the prefix `PAYER_`."""

    model_config = SettingsConfigDict(env_prefix="PAYER_")

    provider_url: str
    charge_timeout: float = Field(default=5.0, gt=0, le=60, description="seconds that one charge may take in all")


async def compose(settings: PayerSettings) -> Service:
    """The payer, put together as its settings say; nothing is connected yet."""
    dsn = settings.database_url.get_secret_value()
    pool = await open_pool(dsn, name="payer", connections=settings.database_connections, on_connect=recognise)
    keyed = await open_pool(
        dsn, name="payer kit", connections=settings.database_connections, keys_only=True, on_connect=recognise
    )
    messaging = Messaging("payer", settings, pool, keyed, source="/payer")
    till = Till(Effects(keyed), settings.provider_url, settings.charge_timeout)
    messaging.work_outside([payer], {Till: till})
    return Service(
        "payer",
        settings,
        pool,
        components=messaging.components(facts=True),
        migrations=MIGRATIONS,
        checks=messaging.checks(),
        more_pools=(keyed,),
        closing=(till.close,),
    )


if __name__ == "__main__":
    run("payer", PayerSettings, compose, personal=personal_field_names())

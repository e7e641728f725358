"""`python -m tests.faults.payer.app`: a small service on the kit that calls a provider once for each event."""

from pathlib import Path

from pydantic import Field
from pydantic_settings import SettingsConfigDict

import shared.messaging
from shared.contracts.message import personal_field_names
from shared.messaging.effects import Effects
from shared.messaging.incarnations import recognise
from shared.messaging.sealing import Seal
from shared.runtime.database import open_pool
from shared.runtime.kit import Messaging
from shared.runtime.service import Service, run
from shared.runtime.settings import ServiceSettings
from tests.faults.payer.handlers import payer
from tests.faults.payer.till import Terms, Till
from tests.faults.payer.webhook import router

MIGRATIONS = (("messaging", Path(shared.messaging.__path__[0]) / "migrations"),)


class PayerSettings(ServiceSettings):
    """The settings of the payer; each is an environment variable with the prefix `PAYER_`."""

    model_config = SettingsConfigDict(env_prefix="PAYER_")

    provider_url: str
    charge_timeout: float = Field(default=5.0, gt=0, le=60, description="seconds that one charge may take in all")
    provider_remembers: float = Field(default=86_400.0, ge=0, description="seconds; 0: it knows no keys")
    thinks: float = Field(default=0.0, ge=0, description="seconds that it takes over each charge that was made")
    provider_look_up: bool = Field(default=True, description="whether charges can be looked up by their keys")


async def compose(settings: PayerSettings) -> Service:
    """The payer, put together as its settings say; nothing is connected yet."""
    dsn = settings.database_url.get_secret_value()
    pool = await open_pool(dsn, name="payer", connections=settings.database_connections, on_connect=recognise)
    keyed = await open_pool(
        dsn, name="payer kit", connections=settings.database_connections, keys_only=True, on_connect=recognise
    )
    messaging = Messaging("payer", settings, pool, keyed, source="/payer")
    terms = Terms(
        settings.provider_url,
        settings.charge_timeout,
        settings.provider_remembers,
        look_up=settings.provider_look_up,
        thinks=settings.thinks,
    )
    till = Till(Effects(keyed, seal=Seal.from_setting(settings.sealing_keys)), terms)
    messaging.work_outside([payer], {Till: till})
    return Service(
        "payer",
        settings,
        pool,
        routers=(router,),
        components=messaging.components(facts=True),
        migrations=MIGRATIONS,
        checks=messaging.checks(),
        more_pools=(keyed,),
        closing=(till.close,),
    )


if __name__ == "__main__":
    run("payer", PayerSettings, compose, personal=personal_field_names())

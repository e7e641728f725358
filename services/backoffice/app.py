"""The composition root of backoffice: the one file that knows all its parts."""

from datetime import timedelta
from pathlib import Path

import services.backoffice
from services.backoffice import (
    changes,
    connection_page,
    files,
    guesses,
    order_acting,
    order_list,
    order_page,
    payment_page,
    sessions,
    several,
    sign_in,
)
from services.backoffice.failures import as_pages
from services.backoffice.live import Live
from services.backoffice.looks import Looks
from services.backoffice.others import Others
from services.backoffice.passwords import Passwords
from services.backoffice.settings import BackofficeSettings
from shared.runtime.actors import Signer
from shared.runtime.database import open_pool
from shared.runtime.housekeeping import Housekeeping
from shared.runtime.service import Service, run
from shared.runtime.settings import Role

MIGRATIONS = (("backoffice", Path(services.backoffice.__path__[0]) / "sql" / "migrations"),)
ROUTERS = (
    *(sign_in.router, order_list.router, several.router, changes.router),
    *(order_page.router, order_acting.router, files.router, payment_page.router, connection_page.router),
)


async def compose(settings: BackofficeSettings) -> Service:
    """Backoffice, put together as its settings say; nothing is connected yet."""
    dsn = settings.database_url.get_secret_value()
    pool = await open_pool(dsn, name="backoffice", connections=settings.database_connections)
    urls = {name: getattr(settings, f"{name}_url") for name in ("orders", "notifications", "documents", "integrations")}
    others = Others(urls, Signer(settings.actor_key.get_secret_value()), seconds=settings.call_timeout)
    idle, longest = timedelta(hours=settings.idle_hours), timedelta(hours=settings.session_hours)
    live = Live(others)
    state = {
        "live": live,
        "looks": Looks(https=settings.https),
        "others": others,
        "passwords": Passwords(),
        "sessions": sessions.Sessions(pool, idle=idle, longest=longest, wait=settings.database_wait),
        "guesses": guesses.Guesses(pool, settings.guesses_per_account, settings.guesses_per_address),
        "proxies": settings.proxies,
    }
    return Service(
        "backoffice",
        settings,
        pool,
        components={Role.API: [live], Role.WORK: [Housekeeping(pool, also=(sessions.FORGET, guesses.FORGET))]},
        routers=ROUTERS,
        state=state,
        migrations=MIGRATIONS,
        arrange=(as_pages,),
        closing=(others.close,),
    )


if __name__ == "__main__":
    run("backoffice", BackofficeSettings, compose, personal={"email", "name", "password"})

"""The composition root of notifications: the one file that knows all its parts."""

from pathlib import Path

import services.notifications
import shared.messaging
from services.notifications.api import router
from services.notifications.archive import Archive
from services.notifications.handlers import messages_of, notifications
from services.notifications.outgoing import Outgoing, Sending
from services.notifications.renderer import Renderer
from services.notifications.settings import NotificationsSettings
from services.notifications.smtp import SmtpPost, SmtpServer
from shared.contracts.message import personal_field_names
from shared.contracts.shop_facts import ShopMessages
from shared.messaging.effects import Effects
from shared.messaging.facts import Facts
from shared.messaging.incarnations import recognise
from shared.messaging.sealing import Seal
from shared.runtime.database import open_pool
from shared.runtime.facts_told import FactsTold
from shared.runtime.kit import Messaging
from shared.runtime.operators import router as operators
from shared.runtime.service import Service, run
from shared.runtime.tokens_api import router as tokens

MIGRATIONS = (
    ("messaging", Path(shared.messaging.__path__[0]) / "migrations"),
    ("notifications", Path(services.notifications.__path__[0]) / "sql" / "migrations"),
)


async def compose(settings: NotificationsSettings) -> Service:
    """Notifications, put together as its settings say; nothing is connected yet."""
    dsn = settings.database_url.get_secret_value()
    pool = await open_pool(dsn, name="notifications", connections=settings.database_connections, on_connect=recognise)
    keyed = await open_pool(
        dsn, name="notifications kit", connections=settings.database_connections, keys_only=True, on_connect=recognise
    )
    messaging = Messaging("notifications", settings, pool, keyed, source="/notifications")
    renderer = Renderer(seconds=settings.render_timeout)
    server = SmtpServer(
        settings.smtp_host,
        settings.smtp_port,
        settings.smtp_user,
        settings.smtp_password.get_secret_value(),
        starttls=settings.smtp_starttls,
        tls=settings.smtp_tls,
        local_hostname=settings.sender_domain,
    )
    post = SmtpPost(server, answer_within=settings.mail_timeout)
    sending = Sending(settings.sender_domain, settings.sender_address, settings.mail_timeout, settings.smtp_connections)
    archive = Archive(pool)
    effects = Effects(keyed, seal=Seal.from_setting(settings.sealing_keys))
    outgoing = Outgoing(effects, Facts(pool), renderer, post, archive, sending)
    messaging.work_outside([notifications], {Outgoing: outgoing})
    messaging.take_repairs()
    messaging.work_beside(
        FactsTold(pool, messaging.outbox, ShopMessages, lambda shop: messages_of(shop, settings.promised_within))
    )
    return Service(
        "notifications",
        settings,
        pool,
        components=messaging.components(facts=True),
        routers=(router, tokens, operators),
        state={"repairs": messaging.repairs, "stands": messaging.stands(), "archive": archive},
        migrations=MIGRATIONS,
        checks=messaging.checks(),
        more_pools=(keyed,),
        closing=(post.close, renderer.close),
    )


if __name__ == "__main__":
    run("notifications", NotificationsSettings, compose, personal=personal_field_names())

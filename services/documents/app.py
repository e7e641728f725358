"""The composition root of documents: the one file that knows all its parts."""

from pathlib import Path

import services.documents
import shared.messaging
from services.documents.api import router
from services.documents.archive import Archive
from services.documents.handlers import documents, looks_of
from services.documents.links import Links
from services.documents.press import Press
from services.documents.printing import Printing
from services.documents.settings import DocumentsSettings
from services.documents.store import Files
from shared.contracts.message import personal_field_names
from shared.contracts.shop_facts import ShopLooks
from shared.messaging.facts import Facts
from shared.messaging.incarnations import recognise
from shared.runtime.database import open_pool
from shared.runtime.facts_told import FactsTold
from shared.runtime.kit import Messaging
from shared.runtime.operators import router as operators
from shared.runtime.service import Service, run
from shared.runtime.tokens_api import router as tokens

MIGRATIONS = (
    ("messaging", Path(shared.messaging.__path__[0]) / "migrations"),
    ("documents", Path(services.documents.__path__[0]) / "sql" / "migrations"),
)


async def compose(settings: DocumentsSettings) -> Service:
    """Documents, put together as its settings say; nothing is connected yet."""
    dsn = settings.database_url.get_secret_value()
    pool = await open_pool(dsn, name="documents", connections=settings.database_connections, on_connect=recognise)
    keyed = await open_pool(
        dsn, name="documents kit", connections=settings.database_connections, keys_only=True, on_connect=recognise
    )
    messaging = Messaging("documents", settings, pool, keyed, source="/documents")
    press = Press(seconds=settings.print_timeout, presses=settings.presses)
    files, archive = Files(settings.store), Archive(pool)
    messaging.work_outside([documents], {Printing: Printing(Facts(pool), press, files, archive)})
    messaging.take_repairs()
    messaging.work_beside(
        FactsTold(pool, messaging.outbox, ShopLooks, lambda shop: looks_of(shop, settings.promised_within))
    )
    links = Links(settings.link_keys) if settings.link_keys else None
    return Service(
        "documents",
        settings,
        pool,
        components=messaging.components(facts=True),
        routers=(router, tokens, operators),
        state={
            "repairs": messaging.repairs,
            "stands": messaging.stands(),
            "archive": archive,
            "files": files,
            "links": links,
        },
        migrations=MIGRATIONS,
        checks=messaging.checks(),
        more_pools=(keyed,),
        closing=(press.close,),
    )


if __name__ == "__main__":
    run("documents", DocumentsSettings, compose, personal=personal_field_names())

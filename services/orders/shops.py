"""The shops' settings: orders owns them, so what stands in its table is what the others are told on shops.facts."""

import time

from shared.contracts.message import Meta, new_id, now
from shared.contracts.refusal import Refused
from shared.contracts.shop_facts import ShopSettings
from shared.messaging.database import Connection
from shared.messaging.outbox import Outbox

SAVE = """
insert into shop (shop, settings) values ($1, $2)
on conflict (shop) do update set settings = excluded.settings, changed_at = clock_timestamp()
"""
FIND = "select settings from shop where shop = $1"
LIST = "select settings from shop order by shop"


class Shops:
    """Settings as orders are placed with them: a change made by another process is seen within `keep` seconds."""

    def __init__(self, keep: float = 3.0) -> None:
        self._keep = keep
        self._known: dict[str, tuple[ShopSettings, float]] = {}

    async def get(self, connection: Connection, shop: str) -> ShopSettings:
        """The settings of a shop. Raises Refused: `unknown-shop`."""
        settings, until = self._known.get(shop, (None, 0.0))
        if settings is None or until < time.monotonic():
            until = time.monotonic() + self._keep
            settings = await find_shop(connection, shop)
            if settings is None:
                self._known.pop(shop, None)
                raise Refused("unknown-shop", f"there is no shop {shop}")
            self._known[shop] = (settings, until)
        return settings


async def save_shop(connection: Connection, settings: ShopSettings, outbox: Outbox, actor: str = "operator") -> None:
    """Store a shop's settings and tell everybody, in the caller's transaction; ring the outbox after the commit."""
    await connection.execute(SAVE, settings.shop, settings.model_dump_json())
    cause = Meta(
        id=new_id(), source=outbox.source, subject=settings.subject, shop=settings.shop, actor=actor, time=now()
    )
    await outbox.append(connection, [(cause, [settings])])


async def find_shop(connection: Connection, shop: str) -> ShopSettings | None:
    """The settings of a shop; None where there is no such shop."""
    settings = await connection.fetchval(FIND, shop)
    return None if settings is None else ShopSettings.model_validate_json(settings)


async def list_shops(connection: Connection) -> list[ShopSettings]:
    """All shops, by their short names."""
    return [ShopSettings.model_validate_json(row["settings"]) for row in await connection.fetch(LIST)]

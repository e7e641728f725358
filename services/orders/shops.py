"""The shops' settings: orders owns them, so what stands in its table is what the others are told on shops.facts."""

import time

from services.orders.domain.statuses import catalogue_of, require_usable
from services.orders.domain.vat_rates import require_known
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
LOCK = "select from shop where shop = $1 for update"
HAS_ORDERS = """
select exists (
  select from (
    select * from orders where order_keys(shop, placed_at, tags) && (
      select order_keys_wanted($1, $2::text[], order_week(min(placed_at)), order_week(max(placed_at)))
      from orders where shop = $1
    ) offset 0
  ) o where shop = $1 and tags @> $2::text[]
)
"""
TAGS = {"order": "s", "line": "l", "internal": "i"}
"""As in `order_tags`."""
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


async def change_shop(
    connection: Connection, before: ShopSettings | None, after: ShopSettings, outbox: Outbox, actor: str
) -> None:
    """Store a shop's changed settings, as `save_shop` does, where its orders allow it.

    Raises Refused: `status-in-use`, `status-twice`, `folder-in-use`, `unknown-vat-country`.
    """
    require_known(after.vat_country)
    gone = [] if before is None else [(s.axis, s.id) for s in catalogue_of(before)]
    kept = {(status.axis, status.id) for status in catalogue_of(after)}
    gone = [each for each in gone if each not in kept]
    in_use = [each for each in gone if await _has_orders(connection, after.shop, f"{TAGS[each[0]]}:{each[1]}")]
    require_usable(after, in_use)
    folders = {folder.id for folder in after.folders}
    for folder in before.folders if before is not None else ():
        if folder.id not in folders and await _has_orders(connection, after.shop, f"f:{folder.id}"):
            raise Refused("folder-in-use", f"orders lie in the folder {folder.id}")
    await save_shop(connection, after, outbox, actor)


async def _has_orders(connection: Connection, shop: str, tag: str) -> bool:
    found: bool = await connection.fetchval(HAS_ORDERS, shop, [tag])
    return found


async def find_shop(connection: Connection, shop: str) -> ShopSettings | None:
    """The settings of a shop; None where there is no such shop."""
    settings = await connection.fetchval(FIND, shop)
    return None if settings is None else ShopSettings.model_validate_json(settings)


async def list_shops(connection: Connection) -> list[ShopSettings]:
    """All shops, by their short names."""
    return [ShopSettings.model_validate_json(row["settings"]) for row in await connection.fetch(LIST)]

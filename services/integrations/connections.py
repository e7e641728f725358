"""What each shop has connected: kept with its secrets sealed, and told on shops.facts without them."""

import json
import time
from dataclasses import dataclass
from typing import Literal

import asyncpg

from shared.contracts.message import Meta, new_id, now
from shared.contracts.shop_facts import ErpConnection, PaymentConnection, ShippingConnection, ShopConnections
from shared.messaging.database import Connection as DatabaseConnection
from shared.messaging.outbox import Outbox
from shared.messaging.sealing import Seal
from shared.runtime.database import Pool, connected

Kind = Literal["payment", "shipping", "erp"]
Capture = Literal["by-hand", "when-shipped"]

FIND = "select * from connection where shop = $1 and kind = $2"
LIST = """
select shop, kind, provider, url, capture, changed_at from connection where $1::text in (shop, '') order by 1, 2
"""
SAVE = """
insert into connection (shop, kind, provider, url, capture, secret) values ($1, $2, $3, $4, $5, $6)
on conflict (shop, kind) do update set provider = excluded.provider, url = excluded.url, capture = excluded.capture,
  secret = excluded.secret, changed_at = clock_timestamp()
"""
REMOVE = "delete from connection where shop = $1 and kind = $2"
FORGET_HEARD = "delete from connection_heard where shop = $1 and kind = $2"
ONE_AT_A_TIME = "select pg_advisory_xact_lock(hashtextextended('connections of ' || $1, 0))"


@dataclass(frozen=True)
class Connection:
    """One account of a shop at a provider."""

    shop: str
    kind: Kind
    provider: str
    """Which adapter speaks with it."""
    url: str
    api_key: str
    webhook_secret: str = ""
    capture: Capture = "by-hand"

    @property
    def name(self) -> str:
        """What breaks as one."""
        return f"{self.provider}:{self.shop}"


class Connections:
    """Reads connections; a change made by another process is seen within `keep` seconds."""

    def __init__(self, pool: Pool, seal: Seal, keep: float = 3.0) -> None:
        self._pool, self._seal, self._keep = pool, seal, keep
        self._known: dict[tuple[str, Kind], tuple[Connection | None, float]] = {}

    async def of(self, shop: str, kind: Kind, *, anew: bool = False) -> Connection | None:
        """The shop's connection of this kind, where it has one; `anew`: as it is at this moment."""
        found, until = self._known.get((shop, kind), (None, 0.0))
        if anew or until < time.monotonic():
            async with connected(self._pool) as connection:
                row = await connection.fetchrow(FIND, shop, kind)
            found = None if row is None else self._opened(row)
            self._known[shop, kind] = found, time.monotonic() + self._keep
        return found

    def _opened(self, row: asyncpg.Record) -> Connection:
        secrets = json.loads(self._seal.open(row["secret"]))
        fields = {name: row[name] for name in ("shop", "kind", "provider", "url", "capture")}
        return Connection(**fields, **secrets)


async def save_connection(
    database: DatabaseConnection, new: Connection, seal: Seal, outbox: Outbox, actor: str
) -> None:
    """Keeps a connection in place of the shop's one of its kind, and tells everybody, in the caller's transaction."""
    secret = seal.seal(json.dumps({"api_key": new.api_key, "webhook_secret": new.webhook_secret}).encode())
    await database.execute(ONE_AT_A_TIME, new.shop)
    await database.execute(SAVE, new.shop, new.kind, new.provider, new.url, new.capture, secret)
    await _tell(database, new.shop, outbox, actor)


async def remove_connection(database: DatabaseConnection, shop: str, kind: Kind, outbox: Outbox, actor: str) -> bool:
    """Forgets a connection and tells everybody, in the caller's transaction; False where there was none."""
    await database.execute(ONE_AT_A_TIME, shop)
    if await database.execute(REMOVE, shop, kind) == "DELETE 0":
        return False
    await database.execute(FORGET_HEARD, shop, kind)
    await _tell(database, shop, outbox, actor)
    return True


async def list_connections(database: DatabaseConnection, shop: str = "") -> list[asyncpg.Record]:
    """Every shop's connections, or one's, without their secrets."""
    return list(await database.fetch(LIST, shop))


async def _tell(database: DatabaseConnection, shop: str, outbox: Outbox, actor: str) -> None:
    rows = {row["kind"]: row for row in await list_connections(database, shop)}
    payment, shipping, erp = (rows.get(kind) for kind in ("payment", "shipping", "erp"))
    fact = ShopConnections(
        shop=shop,
        payment=PaymentConnection(provider=payment["provider"], capture=payment["capture"]) if payment else None,
        shipping=ShippingConnection(provider=shipping["provider"]) if shipping else None,
        erp=ErpConnection(provider=erp["provider"]) if erp else None,
    )
    cause = Meta(id=new_id(), source=outbox.source, subject=fact.subject, shop=shop, actor=actor, time=now())
    await outbox.append(database, [(cause, [fact])])

"""Every start gives each shop a new token and takes back that of the start before; settings are told only when new."""

from collections.abc import Iterable

import asyncpg

from services.orders.shops import find_shop, save_shop
from shared.contracts.shop_facts import ShopSettings
from shared.messaging.outbox import Outbox
from shared.messaging.wakeup import Bell
from shared.runtime.tokens import list_tokens, make_token, revoke_token

_NAME = "demo"
_SCOPES = ("orders:read", "orders:write")


async def set_up_shops(database_url: str, shops: Iterable[ShopSettings]) -> dict[str, str]:
    """Makes the shops in the database of orders, or brings them up to date; returns a token for each."""
    connection = await asyncpg.connect(database_url)
    try:
        return {settings.shop: await _set_up(connection, settings) for settings in shops}
    finally:
        await connection.close()


async def _set_up(connection: "asyncpg.Connection[asyncpg.Record]", settings: ShopSettings) -> str:
    async with connection.transaction():
        if await find_shop(connection, settings.shop) != settings:
            await save_shop(connection, settings, Outbox("/orders", Bell()), actor=_NAME)
        for token in await list_tokens(connection, settings.shop):
            if token.name == _NAME and token.revoked_at is None:
                await revoke_token(connection, token.id)
        return await make_token(connection, settings.shop, _NAME, _SCOPES)

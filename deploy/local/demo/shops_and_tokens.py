"""Every start gives each shop a new token and takes back that of the start before; settings are told only when new."""

from collections.abc import Iterable, Sequence

import asyncpg

from services.orders.shops import find_shop, save_shop
from shared.contracts.shop_facts import ShopSettings
from shared.messaging.database import Connection
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


async def new_tokens(database_url: str, shops: Iterable[ShopSettings], scopes: Sequence[str]) -> dict[str, str]:
    """A token for each shop in the database of a service."""
    connection = await asyncpg.connect(database_url)
    try:
        return {settings.shop: await _new_token(connection, settings.shop, scopes) for settings in shops}
    finally:
        await connection.close()


async def _set_up(connection: Connection, settings: ShopSettings) -> str:
    async with connection.transaction():
        if await find_shop(connection, settings.shop) != settings:
            await save_shop(connection, settings, Outbox("/orders", Bell()), actor=_NAME)
    return await _new_token(connection, settings.shop, _SCOPES)


async def _new_token(connection: Connection, shop: str, scopes: Sequence[str]) -> str:
    async with connection.transaction():
        for token in await list_tokens(connection, shop):
            if token.name == _NAME and token.revoked_at is None:
                await revoke_token(connection, token.id)
        return await make_token(connection, shop, _NAME, scopes)

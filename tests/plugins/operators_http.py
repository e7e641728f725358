"""The operators' part of a service's API on a kit's database, and somebody who calls it."""

import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import asyncpg
import httpx2
from fastapi import FastAPI

from shared.contracts.message import new_id
from shared.messaging.groups import Group
from shared.messaging.repairs import Repairs
from shared.runtime.database import open_pool, transaction
from shared.runtime.http import make_app
from shared.runtime.migrations import RUNTIME_MIGRATIONS, migrate
from shared.runtime.operator_status import Lag, Stands
from shared.runtime.operators import router
from shared.runtime.tokens import ANY_SHOP, Tokens, make_token
from tests.plugins.kit import Kit


@dataclass
class Caller:
    """Somebody with a token; `post` sends under a new key where none is said."""

    client: httpx2.AsyncClient

    async def get(self, path: str, **parameters: Any) -> httpx2.Response:
        return await self.client.get(f"/v1/operators/{path}", params=parameters)

    async def post(self, path: str, key: str | None = None, **body: Any) -> httpx2.Response:
        headers = {"idempotency-key": key or new_id(), "content-type": "application/json"}
        return await self.client.post(f"/v1/operators/{path}", content=json.dumps(body).encode(), headers=headers)


def one(kind: str, item_id: str, action: str = "") -> str:
    """The path of an item, or of an action on it."""
    return f"{kind}/{quote(item_id, safe='')}{f'/{action}' if action else ''}"


@asynccontextmanager
async def app_on(kit: Kit, groups: Sequence[Group]) -> AsyncIterator[tuple[FastAPI, Repairs]]:
    """The app of a service with these groups."""
    connection = await asyncpg.connect(kit.dsn)
    await migrate(connection, [RUNTIME_MIGRATIONS])
    await connection.close()
    pool = await open_pool(kit.dsn, name="operators", connections=8)
    repairs = Repairs(pool, kit.outbox, groups, [kit.bell])
    stands = Stands(Lag("shop", kit.kafka, kit.prefix))
    state = {"pool": pool, "tokens": Tokens(pool), "repairs": repairs, "stands": stands}
    yield make_app("shop", [router], state=state), repairs
    await pool.close()


@asynccontextmanager
async def calling(app: FastAPI, kit: Kit, *scopes: str, shop: str = ANY_SHOP) -> AsyncIterator[Caller]:
    """Somebody whose token has these scopes; none: without a token."""
    headers = {}
    if scopes:
        pool = await open_pool(kit.dsn, name="operators", connections=1)
        async with transaction(pool) as connection:
            headers["authorization"] = f"Bearer {await make_token(connection, shop, 'a test', scopes)}"
        await pool.close()
    transport = httpx2.ASGITransport(app)
    async with httpx2.AsyncClient(transport=transport, base_url="http://shop", headers=headers) as client:
        yield Caller(client)

"""How a shop's connections are, read beside 100,000 calls of a day, and what keeping the key for it costs each call.

The reference of the first is reading the connections alone, of the second the same calls without that key.
"""

import time
from collections.abc import Awaitable, Callable

import asyncpg

from benchmarks.rounds import progress
from benchmarks.rows import Row
from benchmarks.world import World
from services.integrations.app import MIGRATIONS
from services.integrations.health import read_health
from shared.messaging.database import KEYS_ONLY

CALLS = 100_000
AT_ONCE = 200
"""Calls that are begun, or recorded, in one statement: as many as the kit puts together."""
ROUNDS, READS = 3, 30
CONNECT = """
insert into connection (shop, kind, provider, url, secret)
select 'shop-' || n, kind, 'sandbox', 'https://api.provider.example', ''
from generate_series(1, 100) n, unnest(array['payment', 'shipping', 'erp']) kind
"""
BEGIN = """
insert into effect (key, "group", subject, shop, kind, state, attempts, token, started_at, deadline)
select 'capture:' || n, 'integrations.payment', md5(n::text), $3, 'capture', 'started', 1, gen_random_uuid(),
  clock_timestamp() - make_interval(secs => n * 0.8), now()
from generate_series($1::int, $2::int) n
"""
RECORD = """
update effect set state = case when k.n % 20 = 0 then 'failed' else 'done' end,
  result = '{"reason": "card_declined", "detail": ""}'
from (select n, 'capture:' || n as key from generate_series($1::int, $2::int) n) k where effect.key = k.key
"""
WITHOUT = "drop index effect_health"
WITH = 'create index effect_health on effect (shop, "group", state, started_at)'
ALONE = "select * from connection where shop = $1 order by kind"


async def measure(world: World) -> list[Row]:
    """Milliseconds of a reading, and calls a second."""
    count, kept, bare = world.size(CALLS), list[float](), list[float]()
    async with world.database(MIGRATIONS) as url:
        connection = await asyncpg.connect(url, server_settings=KEYS_ONLY)
        try:
            await connection.execute(CONNECT)
            for number in range(ROUNDS):
                progress(f"  round {number + 1}: {count:,} calls …")
                await connection.execute(WITHOUT)
                bare.append(await _calls(connection, count))
                await connection.execute(f"truncate effect; {WITH}")
                kept.append(await _calls(connection, count))
                await connection.execute("truncate effect" if number + 1 < ROUNDS else "vacuum analyze effect")
            progress("  readings …")
            one = await _milliseconds(lambda: read_health(connection, "shop-1"))
            page = await _milliseconds(lambda: read_health(connection, None, limit=50))
            alone = await _milliseconds(lambda: connection.fetch(ALONE, "shop-1"))
        finally:
            await connection.close()
    progress("")
    name = f"connections: beside {count:,} calls of a shop in a day"
    return [
        Row(f"{name}, how its three are", " ms", one, alone, note="reference: the three rows alone"),
        Row(f"{name}, a page of fifty of all shops", " ms", page, alone),
        Row("connections: calls begun and recorded, by SQL alone", "/s", kept, bare, note="reference: without the key"),
    ]


async def _calls(connection: asyncpg.Connection, count: int) -> float:
    began = time.perf_counter()
    for first in range(1, count + 1, AT_ONCE):
        await connection.execute(BEGIN, first, min(count, first + AT_ONCE - 1), "shop-1")
        await connection.execute(RECORD, first, min(count, first + AT_ONCE - 1))
    return count / (time.perf_counter() - began)


async def _milliseconds(read: Callable[[], Awaitable[object]]) -> list[float]:
    taken = []
    for _ in range(READS):
        began = time.perf_counter()
        await read()
        taken.append((time.perf_counter() - began) * 1000)
    return sorted(taken)[READS // 10 : -READS // 10]

"""Orders handed over to an ERP system, beside the same client that makes the same calls to it and writes nothing.

The system is Sandbox ERP, which syncs what it was asked and what it did, each before it answers.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import asyncpg
import httpx2

from benchmarks.effects import EMPTY, fill
from benchmarks.material import Letter, new_order_id, order_of
from benchmarks.rounds import Counted, in_turn, rate_of, running
from benchmarks.rows import Row
from benchmarks.world import READY_WITHIN, World
from deploy.local.demo.connect import key_of
from deploy.local.ports import HOST, take_port
from deploy.local.processes import until_it_answers
from services.integrations.accounts import Accounts
from services.integrations.app import MIGRATIONS
from services.integrations.connections import Connection, Connections, save_connection
from services.integrations.erp.handlers import erp
from services.integrations.erp.handover import EFFECT, Handover
from services.integrations.erp.port import ErpSystem
from services.integrations.erp.sandbox import SandboxErp, sales_order
from shared.contracts.message import new_id
from shared.contracts.order_events import TransferRequested
from shared.contracts.topics import ORDERS_EVENTS
from shared.messaging import metrics
from shared.messaging.database import KEYS_ONLY
from shared.messaging.effects import Effects
from shared.messaging.ingest_store import IngestStore
from shared.messaging.lanes import MOST_LANES
from shared.messaging.outbox import Outbox
from shared.messaging.outside import OutsideWorker
from shared.messaging.sealing import Seal
from shared.messaging.wakeup import Bell
from tests.builders import stamped

HANDOVERS = 1_500
LINES = 5
SECONDS = 20.0
ORDER = order_of(LINES)
BODY = json.dumps(sales_order(ORDER))
SEAL = Seal(["bG9jYWwtc3RhY2stb25seS1uZXZlci1lbHNld2hlcmU="])
EXPORTED = "select count(*) from effect where kind = $1 and state = 'done'"


@dataclass(frozen=True)
class Company:
    """A client of Sandbox ERP, with a company's credentials."""

    http: httpx2.AsyncClient

    async def post(self, order_id: str) -> None:
        """Make a sales order of this reference."""
        headers = {"content-type": "application/json"}
        body = BODY.replace(str(ORDER.id), order_id)
        (await self.http.post("/api/salesorders", content=body, headers=headers)).raise_for_status()

    async def look_and_post(self, order_id: str) -> None:
        """Ask whether there is one before."""
        (await self.http.get("/api/salesorders", params={"externalReference": order_id})).raise_for_status()
        await self.post(order_id)


async def measure(world: World) -> list[Row]:
    """Hand-overs per second: each is looked for, started and recorded in the database, told, and made once."""
    count = world.size(HANDOVERS)
    async with (
        world.database(MIGRATIONS) as dsn,
        _sandbox(world) as url,
        asyncpg.create_pool(dsn, min_size=16, max_size=16, server_settings=KEYS_ONLY) as pool,
        _company(url) as company,
        _accounts(pool, url) as accounts,
    ):
        figures = await in_turn(
            world,
            {
                "bare POST": lambda: _bare(company.post, count),
                "bare GET, POST": lambda: _bare(company.look_and_post, count),
                "hand-over": lambda: _ours(pool, dsn, accounts, count),
            },
        )
    note = (
        f"{LINES} lines, {MOST_LANES} at a time, one order in each lane, an order is asked for before it is made; "
        "reference: httpx2 alone, as many at a time"
    )
    ours = figures["hand-over"]
    return [
        Row("hand-overs: beside the POSTs alone", "/s", ours, figures["bare POST"], note=note),
        Row("hand-overs: beside the same two calls, GET and POST", "/s", ours, figures["bare GET, POST"]),
    ]


async def _ours(pool: asyncpg.Pool, dsn: str, accounts: Accounts[ErpSystem], count: int) -> float:
    bell = Bell()
    event = stamped(TransferRequested(order=ORDER, request_id=new_id()))
    await pool.execute(EMPTY)
    await fill(IngestStore(pool, ORDERS_EVENTS, [erp]), Letter.of(event), count)
    handover = Handover(Effects(pool, seal=SEAL), accounts, seconds=SECONDS, holds=SECONDS)
    made = Counted(metrics.effects, kind=EFFECT, outcome="done")
    outbox = Outbox("/integrations/erp", bell)
    async with running(OutsideWorker(pool, dsn, [erp], outbox, bell, {Handover: handover})):
        rate = await rate_of(made.now, count)
    done = await pool.fetchval(EXPORTED, EFFECT)
    if done != count:
        raise RuntimeError(f"{done} of {count} orders are handed over")
    return rate


async def _bare(hand_over: Callable[[str], Coroutine[Any, Any, None]], count: int) -> float:
    order_ids, made = iter([new_order_id() for _ in range(count)]), 0

    async def work() -> None:
        nonlocal made
        for order_id in order_ids:
            await hand_over(order_id)
            made += 1

    working = asyncio.gather(*(work() for _ in range(MOST_LANES)))
    rate = await rate_of(lambda: made, count)
    await working
    return rate


@asynccontextmanager
async def _sandbox(world: World) -> AsyncIterator[str]:
    port = take_port()
    with TemporaryDirectory(dir=world.folder) as folder:
        words = ["erp", "--port", str(port), "--folder", str(Path(folder) / "erp")]
        async with world.python("deploy.local.sandbox", *words) as process:
            await until_it_answers(process, f"http://{HOST}:{port}/readyz", READY_WITHIN)
            yield f"http://{HOST}:{port}"


@asynccontextmanager
async def _company(url: str) -> AsyncIterator[Company]:
    limits = httpx2.Limits(max_connections=MOST_LANES, max_keepalive_connections=MOST_LANES)
    user, _, password = key_of("erp", "bare").partition(":")
    async with httpx2.AsyncClient(base_url=url, auth=(user, password), limits=limits, timeout=SECONDS) as http:
        yield Company(http)


@asynccontextmanager
async def _accounts(pool: asyncpg.Pool, url: str) -> AsyncIterator[Accounts[ErpSystem]]:
    """Those of integrations, with one shop that has connected the system."""
    new = Connection(ORDER.shop, "erp", "sandbox", url, key_of("erp", ORDER.shop))
    async with pool.acquire() as connection, connection.transaction():
        await save_connection(connection, new, SEAL, Outbox("/integrations", Bell()), "bench")
    adapters: Mapping[str, Callable[[Connection], ErpSystem]] = {
        "sandbox": lambda connection: SandboxErp(connection, seconds=SECONDS)
    }
    accounts = Accounts[ErpSystem](Connections(pool, SEAL), "erp", adapters)
    yield accounts
    await accounts.close()

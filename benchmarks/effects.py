"""Effects against a provider with a ledger that is synced, beside the same client that calls it and writes nothing."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager

import asyncpg
import httpx2

from benchmarks.material import Letter, event_letter, new_order_id
from benchmarks.rounds import Counted, in_turn, rate_of, running
from benchmarks.rows import Row, Target
from benchmarks.world import KIT_MIGRATIONS, READY_WITHIN, World
from deploy.local.ports import HOST, take_port
from deploy.local.processes import until_it_answers
from shared.contracts.message import Message, new_id
from shared.contracts.order_events import OrderPlaced
from shared.contracts.order_log import MessageSent
from shared.contracts.topics import ORDERS_EVENTS
from shared.messaging import metrics
from shared.messaging.database import KEYS_ONLY
from shared.messaging.effects import Done, Effects, Permit
from shared.messaging.groups import Group
from shared.messaging.ingest_store import IngestStore
from shared.messaging.intake import Arrived
from shared.messaging.lanes import MOST_LANES
from shared.messaging.outbox import Outbox
from shared.messaging.outside import OutsideWorker
from shared.messaging.wakeup import Bell

CHARGES = 6_000
BATCH = 500
EMPTY = "truncate message, inbox, lane, cursor, consumed, held, effect, outbox, stream"
BODY = json.dumps({"order": new_order_id(), "amount": 22_700, "currency": "SEK"})
HEAD = (
    f"POST /charges HTTP/1.1\r\nhost: provider\r\ncontent-type: application/json\r\ncontent-length: {len(BODY)}\r\n"
    "idempotency-key: "
)

Charge = Callable[[str], Awaitable[str]]
"""Makes a charge by its key, and says the answer."""


async def measure(world: World) -> list[Row]:
    """Charges per second: each is started and recorded in the database, told on the order log, and made once."""
    count = world.size(CHARGES)
    async with (
        world.database(KIT_MIGRATIONS) as dsn,
        _provider(world) as port,
        asyncpg.create_pool(dsn, min_size=16, max_size=16, server_settings=KEYS_ONLY) as pool,
        _sockets(port) as sockets,
        _httpx(port) as httpx,
    ):
        figures = await in_turn(
            world,
            {
                "bare sockets": lambda: _bare(sockets, count),
                "sockets": lambda: _ours(pool, dsn, sockets, count),
                "bare httpx": lambda: _bare(httpx, count),
                "httpx": lambda: _ours(pool, dsn, httpx, count),
            },
        )
    note = f"{MOST_LANES} calls at a time, one message in each lane; reference: the client alone, as many at a time"
    cheap, usual = "effects: a client that costs next to nothing", "effects: httpx2"
    return [
        Row(cheap, "/s", figures["sockets"], figures["bare sockets"], Target(least=800), note),
        Row(usual, "/s", figures["httpx"], figures["bare httpx"]),
    ]


async def _ours(pool: asyncpg.Pool, dsn: str, charge: Charge, count: int) -> float:
    group, bell = Group("bench", reads=ORDERS_EVENTS), Bell()

    @group.on(OrderPlaced)
    async def pay(event: OrderPlaced, effects: Effects) -> Sequence[Message]:
        async def call(permit: Permit, _request: bytes) -> Done:
            permit.check()
            return Done({"charge": await charge(event.meta.id)})

        await effects.once(key=f"charge:{event.meta.id}", kind="bench", call=call, timeout=30, request=BODY.encode())
        return [entry_about(event)]

    await pool.execute(EMPTY)
    await fill(IngestStore(pool, ORDERS_EVENTS, [group]), event_letter(), count)
    made = Counted(metrics.effects, kind="bench", outcome="done")
    async with running(OutsideWorker(pool, dsn, [group], Outbox("/bench", bell), bell, {Effects: Effects(pool)})):
        rate = await rate_of(made.now, count)
    done = await pool.fetchval("select count(*) from effect where state = 'done'")
    if done != count:
        raise RuntimeError(f"{done} of {count} charges are done")
    return rate


def entry_about(event: OrderPlaced) -> MessageSent:
    """What a reaction says on the order log."""
    return MessageSent(
        order_id=event.order.id,
        outcome="done",
        summary="message.sent",
        template="order-received",
        recipient="a***@example.org",
        language="sv",
        message_id="<bench@example.org>",
    )


async def fill(store: IngestStore, letter: Letter, count: int) -> None:
    """Take in so many copies of the letter, each about another order."""
    subjects = [new_order_id() for _ in range(count)]
    for begin in range(0, count, BATCH):
        await store.take(
            [
                Arrived(ORDERS_EVENTS.name, 0, begin + n, subject.encode(), letter.about(subject).encode(), [])
                for n, subject in enumerate(subjects[begin : begin + BATCH])
            ]
        )


async def _bare(charge: Charge, count: int) -> float:
    keys, made = iter([new_id() for _ in range(count)]), 0

    async def work() -> None:
        nonlocal made
        for key in keys:
            await charge(key)
            made += 1

    working = asyncio.gather(*(work() for _ in range(MOST_LANES)))
    rate = await rate_of(lambda: made, count)
    await working
    return rate


@asynccontextmanager
async def _provider(world: World) -> AsyncIterator[int]:
    port, ledger = take_port(), world.folder / "charges"
    async with world.python("benchmarks.bare_provider", str(port), str(ledger)) as process:
        await until_it_answers(process, f"http://{HOST}:{port}/", READY_WITHIN)
        yield port
    ledger.unlink(missing_ok=True)


@asynccontextmanager
async def _httpx(port: int) -> AsyncIterator[Charge]:
    limits = httpx2.Limits(max_connections=MOST_LANES, max_keepalive_connections=MOST_LANES)
    async with httpx2.AsyncClient(base_url=f"http://{HOST}:{port}", limits=limits, timeout=30) as client:

        async def charge(key: str) -> str:
            headers = {"idempotency-key": key, "content-type": "application/json"}
            answer = await client.post("/charges", content=BODY, headers=headers)
            return answer.raise_for_status().text

        yield charge


@asynccontextmanager
async def _sockets(port: int) -> AsyncIterator[Charge]:
    """Connections that are kept; requests are bytes, answers are read and no more."""
    free: asyncio.Queue[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = asyncio.Queue()

    async def charge(key: str) -> str:
        reader, writer = await free.get()
        writer.write(f"{HEAD}{key}\r\n\r\n{BODY}".encode())
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        answer = await reader.readexactly(int(head.partition("content-length: ")[2].partition("\r\n")[0]))
        free.put_nowait((reader, writer))
        return answer.decode()

    async with AsyncExitStack() as undo:
        for _ in range(MOST_LANES):
            reader, writer = await asyncio.open_connection(HOST, port)
            undo.callback(writer.close)
            free.put_nowait((reader, writer))
        yield charge

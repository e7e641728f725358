"""What the whole stack costs while nothing happens, beside one idle batch subscriber; by the system's own accounts."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager

from benchmarks.rounds import progress
from benchmarks.rows import Row, Target
from benchmarks.used import cpu_seconds
from benchmarks.world import World
from shared.contracts.topics import ORDERS_EVENTS

SECONDS = 20.0
SETTLED_AFTER = 5.0
SENDER = {"SENDER_DOMAIN": "mail.example", "SMTP_HOST": "127.0.0.1"}


async def measure(world: World) -> list[Row]:
    """Percent of one core: of orders and notifications together, and what Kafka and PostgreSQL use meanwhile."""
    servers = {
        name: pid for name, pid in (("Kafka", world.kafka_pid), ("PostgreSQL", world.postgres_pid)) if pid is not None
    }
    async with AsyncExitStack() as undo:
        dsn = await undo.enter_async_context(world.database())
        other_dsn = await undo.enter_async_context(world.database())
        prefix = await undo.enter_async_context(world.topics())
        nothing = await _used(world, servers, "nothing connected")
        async with world.python("benchmarks.bare_subscriber", world.kafka, prefix + ORDERS_EVENTS.name) as bare:
            reference = await _used(world, {"bare": bare.pid, **servers}, "one idle subscriber")
        async with _stack(world, dsn, other_dsn, prefix) as pids:
            ours = await _used(world, {**pids, **servers}, "orders and notifications")
    progress("")
    whole = sum(ours[name] for name in pids)
    note = ", ".join(f"{name} {ours[name]:.1f} %" for name in pids)
    rows = [Row("idle: orders and notifications", " %", [whole], [reference["bare"]], Target(most=10), note)]
    for name in servers:
        before = f"{nothing[name]:.1f} % with nobody connected, {reference[name]:.1f} % with the one subscriber"
        rows.append(Row(f"idle: {name} meanwhile", " %", [ours[name]], note=before))
    return rows


@asynccontextmanager
async def _stack(world: World, dsn: str, other_dsn: str, prefix: str) -> AsyncIterator[Mapping[str, int]]:
    async with (
        world.service("orders", dsn, prefix) as orders,
        world.service("notifications", other_dsn, prefix, **SENDER) as notifications,
    ):
        yield {"orders": orders.process.pid, "notifications": notifications.process.pid}


async def _used(world: World, pids: Mapping[str, int], what: str) -> dict[str, float]:
    progress(f"  {what}: {world.seconds(SECONDS):g} s …")
    await asyncio.sleep(world.seconds(SETTLED_AFTER))
    before = {name: cpu_seconds(pid) for name, pid in pids.items()}
    await asyncio.sleep(world.seconds(SECONDS))
    after = {name: cpu_seconds(pid) for name, pid in pids.items()}
    return {name: 100 * (after[name] - before[name]) / world.seconds(SECONDS) for name in pids}

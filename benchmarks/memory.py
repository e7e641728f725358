"""What every process holds at rest after twenty thousand whole orders, beside what it held when all had started."""

import asyncio
from collections.abc import Callable, Mapping

from benchmarks.rounds import progress
from benchmarks.rows import Row
from benchmarks.story import SHOPS, the_shop, whole_orders
from benchmarks.used import Memory, memory_of
from benchmarks.whole import whole_system
from benchmarks.world import World

ORDERS = 20_000
AT_REST_AFTER = 10.0

Held = Mapping[str, Memory]


async def measure(world: World) -> list[Row]:
    """Megabytes of each process with its children: of memory that it has, and of its share of what it shares."""
    count = world.whole_orders(ORDERS)
    orders = whole_orders(count, seed=1)
    async with whole_system(world, SHOPS) as whole, the_shop(world, whole) as shop:
        at_start = await _at_rest(world, whole.pids)
        await shop.handle(orders[: count // 2])
        half_way = await _at_rest(world, whole.pids)
        await shop.handle(orders[count // 2 :])
        after = await _at_rest(world, whole.pids)
    progress("")
    measures: Mapping[str, Callable[[Memory], tuple[float, ...]]] = {
        "RSS": lambda memory: memory.resident,
        "PSS": lambda memory: memory.proportional,
    }
    return [
        _row(name, measure, count, figures, at_start[name], half_way[name], after[name])
        for measure, figures in measures.items()
        for name in whole.pids
        if figures(at_start[name])
    ]


async def _at_rest(world: World, pids: Mapping[str, int]) -> Held:
    progress(f"  at rest for {world.seconds(AT_REST_AFTER):g} s …")
    await asyncio.sleep(world.seconds(AT_REST_AFTER))
    return {name: memory_of(pid) for name, pid in pids.items()}


def _row(
    name: str,
    measure: str,
    count: int,
    figures: Callable[[Memory], tuple[float, ...]],
    at_start: Memory,
    half_way: Memory,
    after: Memory,
) -> Row:
    itself, *children = figures(after)
    note = f"reference: at rest after the start; half-way {sum(figures(half_way)):.0f} MB; itself {itself:.0f} MB"
    if children:
        note += f", children ({len(children)}) {sum(children):.0f} MB, {at_start.children} at the start"
    what = f"memory: {name}, {measure}, after {count:,} orders"
    return Row(what, " MB", [sum(figures(after))], [sum(figures(at_start))], note=note)

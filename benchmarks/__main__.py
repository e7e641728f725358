"""`python -m benchmarks [NAME ...]`: each figure beside its bare reference, measured in turn on the same servers."""

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Annotated

import typer
import uvloop

from benchmarks import (
    accept,
    bulk,
    connections,
    documents,
    effects,
    first_order,
    handovers,
    idle,
    ingest,
    lanes,
    latency,
    member,
    memory,
    pages,
    reaction,
    relay,
    snapshot,
    story,
    the_list,
)
from benchmarks.rounds import progress
from benchmarks.rows import Row, table, the_load, the_machine
from benchmarks.world import World, the_world
from shared.runtime.observability import configure_logging

BENCHMARKS: dict[str, Callable[[World], Awaitable[list[Row]]]] = {
    "accept": accept.measure,
    "bulk": bulk.measure,
    "relay": relay.measure,
    "ingest": ingest.measure,
    "lanes": lanes.measure,
    "effects": effects.measure,
    "handovers": handovers.measure,
    "connections": connections.measure,
    "documents": documents.measure,
    "latency": latency.measure,
    "reaction": reaction.measure,
    "member": member.measure,
    "snapshot": snapshot.measure,
    "story": story.measure,
    "list": the_list.measure,
    "pages": pages.measure,
    "idle": idle.measure,
    "memory": memory.measure,
    "first-order": first_order.measure,
    "first-order-cold": first_order.measure_cold,
}
ONLY_BY_NAME = {"first-order-cold", "list", "memory", "pages"}
NAMES = f"Of {', '.join(BENCHMARKS)}; without one all but {', '.join(sorted(ONLY_BY_NAME))}."


def main(
    names: Annotated[list[str] | None, typer.Argument(help=NAMES)] = None,
    *,
    orders: Annotated[
        int | None,
        typer.Option(
            help=f"For story, memory, list: in place of {story.ORDERS:,}, {memory.ORDERS:,}, {the_list.ORDERS:,}.",
            min=1,
        ),
    ] = None,
    data: Annotated[
        Path | None, typer.Option(help="For list: a folder with CSV files of orders, whose lines it takes.")
    ] = None,
    keep: Annotated[bool, typer.Option("--keep", help="For list: its database stays in the cache.")] = False,
    fresh: Annotated[bool, typer.Option("--fresh", help="For list: one that stayed there is made anew.")] = False,
    quick: Annotated[bool, typer.Option("--quick", help="A tenth of the work and no warm-up: does it run?")] = False,
) -> None:
    """Measure on the servers named by TEST_DATABASE_URL and TEST_KAFKA, else on ones started for this alone."""
    chosen = names or [name for name in BENCHMARKS if name not in ONLY_BY_NAME]
    unknown = [name for name in chosen if name not in BENCHMARKS]
    if unknown:
        raise typer.BadParameter(f"there is no {', '.join(unknown)}; there are {', '.join(BENCHMARKS)}")
    configure_logging("benchmarks", "error")
    uvloop.run(_run(chosen, the_world(quick=quick, orders=orders, data=data, keep=keep, fresh=fresh)))


async def _run(names: list[str], whole: AbstractAsyncContextManager[World]) -> None:
    rows: list[Row] = []
    progress("starting the servers …")
    async with whole as world:
        progress("")
        print(await the_machine(world.postgres_url))
        for name in names:
            print(f"{name}: {the_load()}", flush=True)
            measured = await BENCHMARKS[name](world)
            rows += measured
            for row in measured:
                print(row.text(), flush=True)
    print(f"\n{table(rows)}")
    if world.quick:
        print("\nA quick run: these figures mean nothing.")


if __name__ == "__main__":
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    app.command()(main)
    app(prog_name="python -m benchmarks")

"""`python -m benchmarks [NAME ...]`: each figure beside its bare reference, measured in turn on the same servers."""

from collections.abc import Awaitable, Callable
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
    reaction,
    relay,
    snapshot,
    story,
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
    "idle": idle.measure,
    "memory": memory.measure,
    "first-order": first_order.measure,
    "first-order-cold": first_order.measure_cold,
}
ONLY_BY_NAME = {"first-order-cold", "memory"}
NAMES = f"Of {', '.join(BENCHMARKS)}; without one all but {', '.join(sorted(ONLY_BY_NAME))}."


def main(
    names: Annotated[list[str] | None, typer.Argument(help=NAMES)] = None,
    *,
    orders: Annotated[
        int | None,
        typer.Option(help=f"For story and memory, in place of {story.ORDERS:,} and {memory.ORDERS:,}.", min=1),
    ] = None,
    quick: Annotated[bool, typer.Option("--quick", help="A tenth of the work and no warm-up: does it run?")] = False,
) -> None:
    """Measure on the servers named by TEST_DATABASE_URL and TEST_KAFKA, else on ones started for this alone."""
    chosen = names or [name for name in BENCHMARKS if name not in ONLY_BY_NAME]
    unknown = [name for name in chosen if name not in BENCHMARKS]
    if unknown:
        raise typer.BadParameter(f"there is no {', '.join(unknown)}; there are {', '.join(BENCHMARKS)}")
    configure_logging("benchmarks", "error")
    uvloop.run(_run(chosen, quick=quick, orders=orders))


async def _run(names: list[str], *, quick: bool, orders: int | None) -> None:
    rows: list[Row] = []
    progress("starting the servers …")
    async with the_world(quick=quick, orders=orders) as world:
        progress("")
        print(await the_machine(world.postgres_url))
        for name in names:
            print(f"{name}: {the_load()}", flush=True)
            measured = await BENCHMARKS[name](world)
            rows += measured
            for row in measured:
                print(row.text(), flush=True)
    print(f"\n{table(rows)}")
    if quick:
        print("\nA quick run: these figures mean nothing.")


if __name__ == "__main__":
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    app.command()(main)
    app(prog_name="python -m benchmarks")

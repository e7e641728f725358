"""`python -m deploy.local.demo`: 0 when every accepted order was confirmed, 1 when not, 130 when interrupted before."""

import asyncio
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import asyncpg
import httpx2
import typer
from aiokafka.errors import KafkaError

from deploy.local.demo import nordic_shops, orders_from_csv
from deploy.local.demo.addresses import addresses
from deploy.local.demo.asked import Asked, TurnedAway
from deploy.local.demo.orders_of_nordic_shops import nordic_orders
from deploy.local.demo.screen import Screen
from deploy.local.demo.show import Source, show
from deploy.local.failure import InterruptedStartError, LocalStackError
from deploy.local.stack import Stack, default_folder

_INTERRUPTED = 130
_WELL = "Every accepted order has its confirmation, and what was asked of others was done, or says why not."
_CHECKOUT = default_folder()
_RUNS = "demo-runs"
_ORDERS = 60
_MOST_ORDERS = 100_000
_FROM_SERVERS = (OSError, httpx2.HTTPError, KafkaError, asyncpg.PostgresError)


def main(
    data: Annotated[
        Path | None, typer.Option(help="A folder with CSV files of orders; without it, Nordic orders are made up.")
    ] = None,
    orders: Annotated[
        int | None, typer.Option(help=f"How many Nordic orders; {_ORDERS} without it.", min=1, max=_MOST_ORDERS)
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option(help="Makes the same Nordic orders as before; a new number each run without it.", min=0),
    ] = None,
    chaos: Annotated[
        float, typer.Option(help="The share of the sandboxes' calls that go wrong: 0.05.", min=0, max=0.5)
    ] = 0.0,
    *,
    folder: Annotated[
        Path, typer.Option(help="Where data, logs and ports are kept.", show_default=".local in the checkout")
    ] = _CHECKOUT,
    once: Annotated[bool, typer.Option("--once", help="End when all orders are settled, not at Ctrl-C.")] = False,
) -> None:
    """Starts the whole system on this machine, places orders, follows each one, and shows what became of them."""
    screen = Screen()
    if data is not None and (seed is not None or orders is not None):
        raise typer.BadParameter(
            "--orders and --seed are for Nordic orders; with --data the files say what is ordered."
        )
    try:
        from_files = _from_files(data, screen) if data is not None else None
        code = asyncio.run(_demo(folder, from_files, orders or _ORDERS, seed, screen, once=once, chaos=chaos))
    except InterruptedStartError:
        code = _INTERRUPTED
    except LocalStackError as failure:
        screen.say(str(failure))
        code = 1
    except _FROM_SERVERS as failure:
        screen.say(f"A server did not do what the demo needs of it: {type(failure).__name__} {failure}")
        code = 1
    raise typer.Exit(code)


async def _demo(
    folder: Path,
    from_files: Source | None,
    orders: int,
    seed: int | None,
    screen: Screen,
    *,
    once: bool,
    chaos: float,
) -> int:
    began = time.monotonic()
    code = _INTERRUPTED
    screen.say("Starting PostgreSQL, Kafka and a mailbox …")
    async with Stack(folder, tell=screen.say) as stack:
        try:
            source = from_files or _nordic(orders, _next_run(stack.folder) if seed is None else seed, screen)
            system, outcome = await show(stack, source, screen, began, chaos)
            code = 0 if outcome.good else 1
            screen.say(
                "Every accepted order has what was promised, or says why not."
                if outcome.good
                else "Not every order went well."
            )
            if not once:
                for line in addresses(system, outcome.stories, stack.folder):
                    screen.say(line)
                screen.say("Everything runs until Ctrl-C.")
                await stack.wait()
        finally:
            screen.say("Stopping everything …")
    return code


def _from_files(folder: Path, screen: Screen) -> Source:
    found = orders_from_csv.orders_in(folder.expanduser())
    asked = [one for one in found if isinstance(one, Asked)]
    turned_away = [one for one in found if isinstance(one, TurnedAway)]
    rows = sum(one.rows for one in found)
    screen.say(
        f"{folder} has {len(found):,} invoices in {rows:,} rows: {len(asked):,} orders, {len(turned_away):,} not."
    )
    return Source([orders_from_csv.SHOP], asked, turned_away)


def _nordic(orders: int, seed: int, screen: Screen) -> Source:
    screen.say(f"Making {orders:,} Nordic orders (--seed {seed} makes the same ones again).")
    asked = nordic_orders(orders, seed, datetime.now(UTC).date())
    return Source([shop.settings for shop in nordic_shops.SHOPS], asked, [])


def _next_run(folder: Path) -> int:
    counter = folder / _RUNS
    number = int(counter.read_text()) + 1 if counter.exists() else 1
    counter.write_text(str(number))
    return number


if __name__ == "__main__":
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    app.command()(main)
    app(prog_name="python -m deploy.local.demo")

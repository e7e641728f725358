"""`python -m tests.faults`: puts the whole system under fire and says what came of it; exit code 1 when it broke."""

import asyncio
import logging
import shutil
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import structlog
import typer
from rich.console import Console
from rich.table import Table

from deploy.local import postgres as pg
from deploy.local.folders import locked_or_busy
from tests.faults import shops_world
from tests.faults.bugs import BUGS
from tests.faults.chaos import Chaos, ProviderChaos
from tests.faults.crashes import CASES, MEMBERS, crashes
from tests.faults.fleet import LAYOUT
from tests.faults.plan import Step, kills, odd_days, roll_out, server_away, zombies
from tests.faults.planted_runs import Shown, show_all
from tests.faults.rig import Report, Scenario, own_ground, run, servers_in
from tests.faults.shops_run import run_shops
from tests.faults.world import Place

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
FOLDER = Path(__file__).parents[2] / ".local" / "faults"
LINE_EVERY = 10.0
"""Seconds between two lines where there is no terminal."""
ERP_CLOSED_FOR = 75.0
"""Seconds at the beginning of a run over all services."""
SHOWN = 20
"""Findings that are shown; all of them stand in the run's folder."""

SERVICES = ("orders", "notifications", "payer")

Orders = Annotated[int, typer.Option(help="How many orders are placed meanwhile.")]
Seed = Annotated[int, typer.Option(help="Draws the load, the faults and the mishaps.")]


class Teller:
    """One line that changes on a terminal; a line now and then elsewhere."""

    def __init__(self, console: Console) -> None:
        self._console, self._spoke = console, 0.0
        self._status = console.status("")

    def __call__(self, words: str) -> None:
        if self._console.is_terminal:
            self._status.start()
            self._status.update(words)
        elif time.monotonic() - self._spoke > LINE_EVERY:
            self._spoke = time.monotonic()
            self._console.print(words, markup=False, highlight=False)

    def done(self) -> None:
        self._status.stop()


def mishaps(seed: int) -> tuple[ProviderChaos, Chaos]:
    """Outside parties on an ordinary bad day."""
    charges = ProviderChaos(seed=seed, slow=0.02, late=0.01, busy=0.03, error_before=0.01, error_after=0.01, lost=0.01)
    return charges, Chaos(seed=seed, slow=0.02, busy=0.02, lost=0.01)


def scenario(name: str, orders: int, seed: int, steps: Sequence[Step]) -> Scenario:
    """These steps on an ordinary bad day."""
    charges, mails = mishaps(seed)
    return Scenario(name, orders, seed, steps, charges, mails)


async def carried_out(scenarios: Sequence[Scenario], console: Console) -> list[Report]:
    """One after the other, each in a world of its own."""
    reports = []
    for one in scenarios:
        folder = FOLDER / f"{one.name}-{one.seed}"
        shutil.rmtree(folder, ignore_errors=True)
        (folder / "logs").mkdir(parents=True)
        much = f"{one.steady:.0f} orders a second" if one.steady else f"{one.orders:,} orders"
        console.print(f"{one.name}: {much}, {len(one.steps)} faults, seed {one.seed}", highlight=False)
        teller = Teller(console)
        async with own_ground(folder, one) as ground:
            reports.append(await run(ground, one, teller))
        teller.done()
        findings = [f"{found.kind} {found.order} {found.words}" for found in reports[-1].verdict.findings]
        (folder / "findings").write_text("\n".join(findings))
        show(reports[-1], console)
    return reports


def show(report: Report, console: Console) -> None:
    """The run as a table, and the first things that are wrong."""
    verdict = report.verdict
    table = Table(title=f"{report.scenario.name}, seed {report.scenario.seed}", show_header=False)
    rows = {"accepted commands": report.accepted, **report.faults, **dict(sorted(verdict.counts.items()))}
    for name, count in rows.items():
        table.add_row(name, f"{count:,}")
    table.add_row("settled after", f"{report.settled_in:.0f} s")
    table.add_row("took", f"{report.took:.0f} s")
    for kind, count in sorted(verdict.wrong().items()):
        table.add_row(f"[red]{kind}", f"[red]{count:,}")
    console.print(table)
    for left in verdict.waiting[:SHOWN]:
        console.print(f"waits: {left.service} {left.subject} {left.words}", markup=False, highlight=False)
    for found in verdict.findings[:SHOWN]:
        console.print(f"{found.kind}: order {found.order}: {found.words}", markup=False, highlight=False)


def quiet_console() -> Console:
    """Where a run is told; what libraries say of lost servers is not."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    return Console(soft_wrap=True)


def do(*scenarios: Scenario, and_shops: tuple[int, int, int] | None = None) -> None:
    """Carries them out, and a run over all services with so many orders, kills and such a seed; ends with what came."""
    console = quiet_console()
    with locked_or_busy(FOLDER / "run.lock"):
        reports = asyncio.run(carried_out(scenarios, console))
        good = and_shops is None or asyncio.run(shops_carried_out(*and_shops, console))
    wrong = [report.scenario.name for report in reports if not report.verdict.good] + ([] if good else ["shops"])
    console.print(f"[red]broken: {', '.join(wrong)}" if wrong else "[green]nothing lost, doubled, reordered or stuck")
    sys.exit(1 if wrong else 0)


def at_every_point(seed: int, only: str = "") -> Scenario:
    """Orders come for as long as it takes; many answers are lost, so that there is something to look up."""
    cases = [case for case in CASES if case.point.startswith(only) or case.member.startswith(only)]
    charges, mails = ProviderChaos(seed=seed, seconds=1.0, slow=0.05, lost=0.25), Chaos(seed=seed, slow=0.05)
    return Scenario("points", 10_000, seed, crashes(cases), charges, mails, steady=4.0, members=MEMBERS, taciturn=True)


@app.command()
def kill(orders: Orders = 500, kills_: Annotated[int, typer.Option("--kills")] = 20, seed: Seed = 1) -> None:
    """SIGKILL random processes, which are started again."""
    do(scenario("kill", orders, seed, kills(LAYOUT, kills_, seed)))


@app.command()
def keyless(orders: Orders = 300, kills_: Annotated[int, typer.Option("--kills")] = 15, seed: Seed = 1) -> None:
    """The same with a provider that knows no keys and answers no look-ups: what is unknown stays so until it tells."""
    do(replace(scenario("keyless", orders, seed, kills(LAYOUT, kills_, seed)), keyless=True))


@app.command()
def zombie(orders: Orders = 200, halts: int = 4, seed: Seed = 1) -> None:
    """Halt processes for longer than every lease, and let them go on."""
    do(scenario("zombie", orders, seed, zombies(LAYOUT, halts, seed)))


@app.command()
def kafka(orders: Orders = 500, away: float = 60.0, seed: Seed = 1) -> None:
    """Stop Kafka for a while, then kill it once."""
    do(scenario("kafka", orders, seed, server_away("kafka", seed, away)))


@app.command()
def postgres(orders: Orders = 300, away: float = 5.0, seed: Seed = 1) -> None:
    """Restart PostgreSQL under load, then kill it once."""
    do(scenario("postgres", orders, seed, server_away("postgres", seed, away)))


@app.command()
def odd(orders: Orders = 400, seed: Seed = 1) -> None:
    """Full disks, lost answers to COMMIT, leases emptied by hand, topics read again."""
    do(scenario("odd", orders, seed, odd_days(SERVICES, seed)))


@app.command()
def poison(orders: Orders = 100, seed: Seed = 1) -> None:
    """Orders that end the process that works on them."""
    do(replace(scenario("poison", orders, seed, [Step(40.0, "kill", "payer-0")]), poison=2))


@app.command()
def points(
    seed: Seed = 1, only: Annotated[str, typer.Option(help="Points or members that begin so, such as relay.")] = ""
) -> None:
    """End processes by SIGKILL at every crash point, at its first, tenth and hundredth passing."""
    do(at_every_point(seed, only))


@app.command("roll-out")
def roll_out_and_back(orders: Orders = 300, seed: Seed = 1) -> None:
    """An older version of orders beside the newer one, alone, and back."""
    do(scenario("roll-out", orders, seed, roll_out("orders", seed)))


@app.command()
def shops(orders: Orders = 150, kills_: Annotated[int, typer.Option("--kills")] = 20, seed: Seed = 1) -> None:
    """All services and a connected shop, half of the companies' answers lost: nothing done twice, all of it told."""
    do(and_shops=(orders, kills_, seed))


async def shops_carried_out(orders: int, kills_: int, seed: int, console: Console) -> bool:
    """The run over all services; whether it was good."""
    folder, teller = FOLDER / f"shops-{seed}", Teller(console)
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "logs").mkdir(parents=True)
    console.print(f"shops: {orders:,} orders, {kills_} kills, seed {seed}", highlight=False)
    async with servers_in(folder) as (database, broker):
        for service in shops_world.MIGRATIONS:
            await pg.create_database(database.url(), service)
        databases = {service: database.url(service) for service in shops_world.MIGRATIONS}
        async with shops_world.the_shops_world(folder, Place(databases, broker.address, "")) as world:
            report = await run_shops(world, orders, kills_, seed, ERP_CLOSED_FOR, teller)
    teller.done()
    (folder / "findings").write_text("\n".join(report.judgement.wrong))
    table = Table(title=f"shops, seed {seed}", show_header=False)
    for name, count in {**report.faults, **dict(sorted(report.judgement.counts.items()))}.items():
        table.add_row(name, f"{count:,}")
    table.add_row("settled after", f"{report.settled_in:.0f} s")
    table.add_row("took", f"{report.took:.0f} s")
    console.print(table)
    for words in [*report.judgement.wrong, *report.left][:SHOWN]:
        console.print(words, markup=False, highlight=False)
    return not report.judgement.wrong and not report.left


@app.command()
def planted(numbers: Annotated[str, typer.Argument(help="Which, such as 3 or 3,7; all by default.")] = "") -> None:
    """Plant each of the twelve bugs in a copy of the tree and see that the rig names it."""
    wanted = {int(number) for number in numbers.split(",") if number}
    bugs = [bug for bug in BUGS if not wanted or int(bug.name[:2]) in wanted]
    console, folder = quiet_console(), FOLDER / "planted"
    teller = Teller(console)

    def say(shown: Shown) -> None:
        teller.done()
        words = "[green]caught" if shown.caught else "[red]NOT CAUGHT"
        console.print(f"{shown.bug.name}: {words}[/]; without it: {shown.without}", highlight=False)

    with locked_or_busy(FOLDER / "run.lock"):
        all_shown = asyncio.run(show_all(folder, bugs, teller, say))
    table = Table("bug", "shown by", "what the oracle said", title="planted bugs")
    for shown in all_shown:
        table.add_row(shown.bug.name, shown.bug.shown_by, shown.planted if shown.caught else f"[red]{shown.planted}")
    console.print(table)
    sys.exit(0 if all(shown.caught for shown in all_shown) else 1)


@app.command("all")
def everything(seed: Seed = 1) -> None:
    """The agreed list."""
    do(
        scenario("kill", 5000, seed, kills(LAYOUT, 100, seed)),
        replace(scenario("keyless", 400, seed, kills(LAYOUT, 15, seed)), keyless=True),
        scenario("zombie", 500, seed, zombies(LAYOUT, 6, seed)),
        scenario("kafka", 800, seed, server_away("kafka", seed, 60.0)),
        scenario("postgres", 500, seed, server_away("postgres", seed, 5.0)),
        replace(scenario("poison", 200, seed, [Step(40.0, "kill", "payer-0")]), poison=2),
        scenario("roll-out", 300, seed, roll_out("orders", seed)),
        at_every_point(seed),
        scenario("odd", 500, seed, odd_days(SERVICES, seed)),
        and_shops=(100, 15, seed),
    )


if __name__ == "__main__":
    app()

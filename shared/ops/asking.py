"""What an operator wants is left at the desks of the services and waited for; nothing is changed from here."""

import asyncio
import time
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from typing import Annotated, Any, TypeVar

import typer
from pydantic import ValidationError

from shared.contracts.message import reasons
from shared.messaging.database import Connection
from shared.messaging.repair_desk import Answered, answers, ask
from shared.messaging.repairs import Operator
from shared.messaging.trouble import Filter, Item
from shared.messaging.wanted import Wanted
from shared.ops.servers import CANNOT, connected, databases, finish
from shared.ops.shown import counted, printable, progress
from shared.ops.troubles import Found, View, find, find_all, print_found
from shared.runtime.masking import masked_text

I = TypeVar("I", bound=Item)  # noqa: E741 - an item
F = TypeVar("F", bound=Filter)

SHOWN = 10
"""Of many, so many are shown."""
LOOK_EVERY = 0.2

Ids = Annotated[
    list[str] | None,
    typer.Argument(metavar="[ID]...", help="As `list` shows them. Without any: all that the options choose."),
]
Reason = Annotated[str, typer.Option(help="Why; it is kept, and told on the order's log.")]
Actor = Annotated[
    str, typer.Option(envvar="OPS_ACTOR", help="Who wants it: an id, never a name or an address.", show_default=True)
]
All = Annotated[bool, typer.Option("--all", help="All there are.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only show what would be done, and to how many.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask.")]
Wait = Annotated[float, typer.Option(min=0, help="For so many seconds nothing more need be answered.")]


def operator_of(actor: str, reason: str, *, needs_reason: bool = False) -> Operator:
    """Who wants it and why. Raises BadParameter."""
    if needs_reason and not reason.strip():
        raise typer.BadParameter("say why: it is told on the order's log", param_hint="--reason")
    try:
        return Operator(actor=actor, reason=reason)
    except ValidationError as error:
        raise typer.BadParameter("; ".join(reasons(error))) from None


def choose(
    view: View[I, F],
    given: Sequence[str],
    ids: Sequence[str] | None,
    wanted: F,
    *,
    everything: bool,
    service: str | None = None,
) -> list[Found[I]]:
    """What the command line names, or what its options choose. Ends with exit code 1 where that is nothing."""
    asked = any(value is not None for _, value in wanted)
    if bool(ids) + asked + everything != 1:
        raise typer.BadParameter("name some, or choose by options, or say --all")
    if ids:
        return finish(find(view, databases(given, service), ids))
    found = finish(find_all(view, databases(given, service), wanted))
    if not found:
        typer.echo(f"{view.none}: nothing fits.", err=True)
        raise typer.Exit(1)
    return found


def carry_out(
    view: View[I, F],
    found: Sequence[Found[I]],
    verb: str,
    wanted_of: Callable[[I], Wanted],
    operator: Operator,
    *,
    dry_run: bool,
    sure: bool,
    patience: float,
) -> None:
    """Let it be done to all of these and tell what came of it; asks first, unless it is `sure` or a dry run.

    Exit code 1 where something was refused, 3 where something is not answered yet.
    """
    if dry_run or not sure:
        print_found(view, found[:SHOWN])
        more = len(found) - SHOWN
        typer.echo(f"{f'and {more:,} more; ' if more > 0 else ''}{counted(len(found), 'thing')} in all")
    if dry_run:
        return
    if not sure:
        typer.confirm(f"{verb}?", abort=True)
    with progress() as bar:
        task = bar.add_task(verb, total=len(found))
        outcome = finish(_asked(found, wanted_of, operator, patience, lambda count: bar.advance(task, count)))
    _tell(found, outcome)


async def _asked(
    found: Sequence[Found[I]],
    wanted_of: Callable[[I], Wanted],
    operator: Operator,
    patience: float,
    advance: Callable[[int], None],
) -> dict[str, Answered]:
    """The answers by id; what is not answered after so long without any other answer is missing."""
    answered: dict[str, Answered] = {}
    async with AsyncExitStack() as stack:
        waiting: list[tuple[Connection, dict[int, str]]] = []
        for database in dict.fromkeys(each.database for each in found):
            mine = [each for each in found if each.database == database]
            connection = await stack.enter_async_context(connected(database, writes=True))
            positions = await ask(connection, [wanted_of(each.item) for each in mine], operator)
            waiting.append((connection, dict(zip(positions, (each.id for each in mine), strict=True))))
        until = time.monotonic() + patience
        while len(answered) < len(found) and time.monotonic() <= until:
            await asyncio.sleep(LOOK_EVERY)
            for connection, ids in waiting:
                heard = await answers(connection, list(ids))
                answered |= {ids.pop(answer.position): answer for answer in heard}
                advance(len(heard))
                until = time.monotonic() + patience if heard else until
    return answered


def _tell(found: Sequence[Found[Any]], answered: dict[str, Answered]) -> None:
    refused = {name: answer for name, answer in answered.items() if not answer.done}
    done = len(answered) - len(refused)
    if len(found) == 1 and done:
        typer.echo(f"{found[0].id}: {_said(answered[found[0].id])}")
    elif done:
        typer.echo(f"done: {counted(done, 'thing')}")
        for text, count in _tally(answer for answer in answered.values() if answer.done):
            typer.echo(f"  {count:,}: {text}")
    for name, answer in list(refused.items())[:SHOWN]:
        typer.echo(f"{name}: refused: {_said(answer)}", err=True)
    if len(refused) > SHOWN:
        typer.echo(f"and {len(refused) - SHOWN:,} more were refused; `repairs list` has them all", err=True)
    unanswered = [each for each in found if each.id not in answered]
    if unanswered:
        services = ", ".join(dict.fromkeys(each.database.service for each in unanswered))
        typer.echo(
            f"not answered yet: {counted(len(unanswered), 'thing')}; done as soon as a process of {services} with the "
            "role work runs. `repairs list` shows what became of it, `repairs withdraw` takes it back.",
            err=True,
        )
        raise typer.Exit(CANNOT)
    if refused:
        raise typer.Exit(1)


def _said(answer: Answered) -> str:
    return printable(masked_text(answer.answer))


def _tally(answered: Any) -> list[tuple[str, int]]:
    counts: dict[str, int] = {}
    for answer in answered:
        counts[_said(answer)] = counts.get(_said(answer), 0) + 1
    return sorted(counts.items(), key=lambda each: -each[1])[:SHOWN]

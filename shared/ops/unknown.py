"""Unknown effects: the world was called and nobody can say whether it did it, until somebody who knows says so."""

from typing import Annotated

import typer

from shared.messaging.trouble import UnknownEffect, UnknownFilter, unknown
from shared.messaging.wanted import SettleEffect
from shared.ops.asking import Actor, All, DryRun, Ids, Reason, Wait, Yes, carry_out, choose, operator_of
from shared.ops.servers import AsJson, Given, Of
from shared.ops.troubles import (
    GroupName,
    Id,
    KindOfCall,
    Limit,
    Shop,
    Since,
    View,
    Words,
    asked_for,
    print_in_full,
    print_list,
)
from shared.runtime.trouble_shown import unknown_in_full

app = typer.Typer(no_args_is_help=True, help="Calls to the outside of which nobody knows whether they happened.")

VIEW: View[UnknownEffect, UnknownFilter] = View(
    unknown,
    {"since (UTC)": "at", "shop": "shop", "order": "order", "kind": "kind", "attempts": "attempts", "error": "error"},
    unknown_in_full,
    "nothing is unknown",
)

Happened = Annotated[bool, typer.Option("--happened/--did-not-happen", help="What the other side says.")]
GiveUp = Annotated[bool, typer.Option("--give-up", help="It did not happen, and is not to be called for again.")]


@app.command("list")
def list_(
    given: Given,
    group: GroupName = None,
    shop: Shop = None,
    kind: KindOfCall = None,
    since: Since = None,
    error: Words = None,
    limit: Limit = 50,
    *,
    as_json: AsJson = False,
) -> None:
    """List unknown effects, the oldest first: which order, what kind of call, and how its answer was lost."""
    wanted = asked_for(VIEW, group=group, shop=shop, kind=kind, since=since, error=error)
    print_list(VIEW, given, wanted, limit, as_json=as_json)


@app.command()
def show(item: Id, given: Given, *, as_json: AsJson = False) -> None:
    """Show an unknown effect and the message that it was called for. Exit code 1 where there is none."""
    print_in_full(VIEW, given, item, as_json=as_json)


@app.command()
def settle(
    given: Given,
    happened: Happened,
    reason: Reason,
    ids: Ids = None,
    group: GroupName = None,
    shop: Shop = None,
    kind: KindOfCall = None,
    since: Since = None,
    error: Words = None,
    actor: Actor = "operator",
    wait: Wait = 30.0,
    service: Of = None,
    *,
    give_up: GiveUp = False,
    everything: All = False,
    dry_run: DryRun = False,
    yes: Yes = False,
) -> None:
    """Say whether these calls happened. What did not is called for again, unless you --give-up.

    Ask the other side first: the mail server's log for the Message-ID, the payment provider for the key. Whoever waits
    for it goes on; the order's log tells who said so, and why.
    """
    if give_up and happened:
        raise typer.BadParameter("what happened cannot be given up", param_hint="--give-up")
    wanted = asked_for(VIEW, group=group, shop=shop, kind=kind, since=since, error=error)
    operator = operator_of(actor, reason, needs_reason=True)
    found = choose(VIEW, given, ids, wanted, everything=everything, service=service)
    carry_out(
        VIEW,
        found,
        "settle as happened" if happened else "settle as not happened",
        lambda item: SettleEffect(key=item.key, happened=happened, again=not give_up),
        operator,
        dry_run=dry_run,
        sure=yes or bool(ids),
        patience=wait,
    )

"""Dead messages: what a group has given up keeps its place until somebody retries or skips it."""

import typer

from shared.messaging.trouble import Dead, DeadFilter, dead
from shared.messaging.wanted import RetryDead, SkipDead
from shared.ops.asking import Actor, All, DryRun, Ids, Reason, Wait, Yes, carry_out, choose, operator_of
from shared.ops.servers import AsJson, Given, Of
from shared.ops.troubles import (
    GroupName,
    Id,
    Limit,
    Shop,
    Since,
    TopicName,
    TypeName,
    View,
    Words,
    asked_for,
    print_in_full,
    print_list,
)
from shared.runtime.trouble_shown import dead_in_full

app = typer.Typer(no_args_is_help=True, help="Messages that a group has given up; each keeps its place in its lane.")

VIEW: View[Dead, DeadFilter] = View(
    dead,
    {"since (UTC)": "at", "shop": "shop", "order": "order", "type": "type", "blocks": "blocks", "error": "error"},
    dead_in_full,
    "nothing is dead",
)


@app.command("list")
def list_(
    given: Given,
    group: GroupName = None,
    shop: Shop = None,
    topic: TopicName = None,
    type_: TypeName = None,
    since: Since = None,
    error: Words = None,
    limit: Limit = 50,
    *,
    as_json: AsJson = False,
) -> None:
    """List dead messages, the oldest first: which order waits, whether it is blocked, and the error."""
    wanted = asked_for(VIEW, group=group, shop=shop, topic=topic, type=type_, since=since, error=error)
    print_list(VIEW, given, wanted, limit, as_json=as_json)


@app.command()
def show(item: Id, given: Given, *, as_json: AsJson = False) -> None:
    """Show a dead message with all that stands in it, personal data masked. Exit code 1 where there is none."""
    print_in_full(VIEW, given, item, as_json=as_json)


@app.command()
def retry(
    given: Given,
    ids: Ids = None,
    group: GroupName = None,
    shop: Shop = None,
    topic: TopicName = None,
    type_: TypeName = None,
    since: Since = None,
    error: Words = None,
    reason: Reason = "",
    actor: Actor = "operator",
    wait: Wait = 30.0,
    service: Of = None,
    *,
    everything: All = False,
    dry_run: DryRun = False,
    yes: Yes = False,
) -> None:
    """Try dead messages again, in their places; what waits behind them follows. Calls that were made are not repeated.

    Of a message that blocked nothing the order cannot be kept, and the answer says so.
    """
    wanted = asked_for(VIEW, group=group, shop=shop, topic=topic, type=type_, since=since, error=error)
    operator = operator_of(actor, reason)
    found = choose(VIEW, given, ids, wanted, everything=everything, service=service)
    carry_out(
        VIEW,
        found,
        "retry",
        lambda item: RetryDead(group=item.group, position=item.position),
        operator,
        dry_run=dry_run,
        sure=yes or bool(ids),
        patience=wait,
    )


@app.command()
def skip(
    given: Given,
    reason: Reason,
    ids: Ids = None,
    group: GroupName = None,
    shop: Shop = None,
    topic: TopicName = None,
    type_: TypeName = None,
    since: Since = None,
    error: Words = None,
    actor: Actor = "operator",
    wait: Wait = 30.0,
    service: Of = None,
    *,
    everything: All = False,
    dry_run: DryRun = False,
    yes: Yes = False,
) -> None:
    """Never handle these dead messages; what waits behind them goes on. It cannot be taken back."""
    wanted = asked_for(VIEW, group=group, shop=shop, topic=topic, type=type_, since=since, error=error)
    operator = operator_of(actor, reason, needs_reason=True)
    found = choose(VIEW, given, ids, wanted, everything=everything, service=service)
    carry_out(
        VIEW,
        found,
        "skip",
        lambda item: SkipDead(group=item.group, position=item.position),
        operator,
        dry_run=dry_run,
        sure=yes or bool(ids),
        patience=wait,
    )

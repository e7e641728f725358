"""Held records: they came before an earlier one of their stream, and wait until it comes or is given up."""

import typer

from shared.messaging.trouble import HeldFilter, HeldStream, held
from shared.messaging.wanted import AcceptGap
from shared.ops.asking import Actor, All, DryRun, Ids, Reason, Wait, Yes, carry_out, choose, operator_of
from shared.ops.servers import AsJson, Given, Of
from shared.ops.troubles import Id, Limit, Shop, Since, TopicName, View, asked_for, print_in_full, print_list
from shared.runtime.trouble_shown import held_in_full

app = typer.Typer(no_args_is_help=True, help="Records that wait for an earlier one of their stream, which is missing.")

VIEW: View[HeldStream, HeldFilter] = View(
    held,
    {
        "since (UTC)": "at",
        "shop": "shop",
        "life": "incarnation",
        "missing from": "first",
        "to": "last",
        "records held": "held",
    },
    held_in_full,
    "nothing is held",
)


@app.command("list")
def list_(
    given: Given,
    shop: Shop = None,
    topic: TopicName = None,
    since: Since = None,
    limit: Limit = 50,
    *,
    as_json: AsJson = False,
) -> None:
    """List the streams that wait, the oldest first: which numbers are missing, and how many records wait."""
    print_list(VIEW, given, asked_for(VIEW, shop=shop, topic=topic, since=since), limit, as_json=as_json)


@app.command()
def show(item: Id, given: Given, *, as_json: AsJson = False) -> None:
    """Show which records of a stream wait. Exit code 1 where none do."""
    print_in_full(VIEW, given, item, as_json=as_json)


@app.command("accept-gap")
def accept_gap(
    given: Given,
    reason: Reason,
    ids: Ids = None,
    shop: Shop = None,
    topic: TopicName = None,
    since: Since = None,
    actor: Actor = "operator",
    wait: Wait = 30.0,
    service: Of = None,
    *,
    everything: All = False,
    dry_run: DryRun = False,
    yes: Yes = False,
) -> None:
    """Give up the numbers that are missing: what waits behind them is handled. It cannot be taken back.

    Look for them first: at their source, in its outbox or parked, and with `journey`. What comes with one of these
    numbers later is quarantined.
    """
    wanted = asked_for(VIEW, shop=shop, topic=topic, since=since)
    operator = operator_of(actor, reason, needs_reason=True)
    found = choose(VIEW, given, ids, wanted, everything=everything, service=service)
    carry_out(VIEW, found, "accept the gap", _gap, operator, dry_run=dry_run, sure=yes or bool(ids), patience=wait)


def _gap(item: HeldStream) -> AcceptGap:
    return AcceptGap(
        topic=item.topic,
        source=item.source,
        subject=item.order,
        incarnation=item.incarnation,
        first=item.first,
        last=item.last,
    )

"""Parked keys: the broker refuses a record for what it is, and the later ones of its order wait behind it."""

import typer

from shared.messaging.trouble import ParkedKey, RecordFilter, parked
from shared.messaging.wanted import ReleaseKey
from shared.ops.asking import Actor, All, DryRun, Ids, Reason, Wait, Yes, carry_out, choose, operator_of
from shared.ops.servers import AsJson, Given, Of
from shared.ops.troubles import Id, Limit, Since, TopicName, View, Words, asked_for, print_in_full, print_list
from shared.runtime.trouble_shown import parked_in_full

app = typer.Typer(no_args_is_help=True, help="Keys of which Kafka refuses a record; the others flow.")

VIEW: View[ParkedKey, RecordFilter] = View(
    parked,
    {"since (UTC)": "at", "records waiting": "waiting", "error": "error"},
    parked_in_full,
    "nothing is parked",
)


@app.command("list")
def list_(
    given: Given,
    topic: TopicName = None,
    since: Since = None,
    error: Words = None,
    limit: Limit = 50,
    *,
    as_json: AsJson = False,
) -> None:
    """List parked keys, the oldest first: on which topic, how much waits, and the broker's words."""
    print_list(VIEW, given, asked_for(VIEW, topic=topic, since=since, error=error), limit, as_json=as_json)


@app.command()
def show(item: Id, given: Given, *, as_json: AsJson = False) -> None:
    """Show a parked key and the record that is refused, personal data masked. Exit code 1 where there is none."""
    print_in_full(VIEW, given, item, as_json=as_json)


@app.command()
def release(
    given: Given,
    ids: Ids = None,
    topic: TopicName = None,
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
    """Send what is parked again, in order. Mend the cause first: what is refused again is parked again."""
    wanted = asked_for(VIEW, topic=topic, since=since, error=error)
    operator = operator_of(actor, reason)
    found = choose(VIEW, given, ids, wanted, everything=everything, service=service)
    carry_out(
        VIEW,
        found,
        "release",
        lambda item: ReleaseKey(topic=item.topic, key=item.key),
        operator,
        dry_run=dry_run,
        sure=yes or bool(ids),
        patience=wait,
    )

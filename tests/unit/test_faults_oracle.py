"""The oracle finds what is wrong with a run, on histories made by hand: each begins as a good one."""

from dataclasses import replace
from typing import Any

import pytest

from tests.faults.accepted import Accepted
from tests.faults.causes import Cause
from tests.faults.history import EffectRow, Executed, History, Left, Mishap, Said, Told
from tests.faults.journal import NEVER_PASSED, Fault
from tests.faults.oracle import judge
from tests.faults.verdict import Class, Verdict

DOMAIN = "mail.example"
ORDER = "o1"
SOMEBODY = "kund@kund.example"
WORKERS = {"payer-0": "payer", "notifications-1": "notifications"}


def accepted(kind: str, way: str, identity: str) -> Accepted:
    return Accepted(ORDER, kind, way, identity, 0.0)  # type: ignore[arg-type]


def event(n: int, kind: str, cause: str, identity: str = "", incarnation: int = 1) -> Said:
    return Said(
        "orders.events", 0, identity or f"e{n}", "/orders", kind, ORDER, (incarnation, n), cause, recipient=SOMEBODY
    )


def entry(source: str, n: int, kind: str, cause: str) -> Said:
    return Said("orders.log", 0, f"{source}-{n}", f"/{source}", kind, ORDER, (1, n), cause)


def told(n: int, said: Said) -> Told:
    return Told(said.subject, n, said.id, said.source, said.type, said.cause, "done")


def cause_of(said: Said) -> Cause:
    return Cause(said.subject, said.id, said.type, said.sequence or (0, 0), said.cause, said.recipient)


PLACED = event(1, "order.placed.v1", "http-1")
AGAIN = event(2, "order.confirmation-requested.v1", "c2")
COMMAND = Said("orders.commands", 0, "c2", "/shop-front", "order.resend-confirmation.v1", ORDER, None, None)
ENTRIES = [
    entry("payer", 1, "charge.made.v1", "e1"),
    entry("notifications", 1, "message.sent.v1", "e1"),
    entry("payer", 2, "charge.made.v1", "e2"),
    entry("notifications", 2, "message.sent.v1", "e2"),
]
RECEIPT = entry("receipts", 1, "receipt.issued.v1", "timer")
CHARGES = [Executed("charge", cause_of(one).outside_key("charge", DOMAIN)) for one in (PLACED, AGAIN)]
MAILS = [Executed("mail", cause_of(one).outside_key("mail", DOMAIN)) for one in (PLACED, AGAIN)]


def history(*, receipts: int = 1, **changes: Any) -> History:
    """An order placed by HTTP and confirmed again by the topic: two charges and two mails, told and recorded."""
    fields: dict[str, Any] = {
        "accepted": [accepted("place", "http", "k1"), accepted("resend", "topic", "c2")],
        "said": [COMMAND, PLACED, AGAIN, *ENTRIES],
        "executed": [*CHARGES, *MAILS],
        "told": [told(n, one) for n, one in enumerate(ENTRIES, start=1)],
        "workers": WORKERS,
    }
    fields |= changes
    fields["said"] = [*fields["said"], *[RECEIPT] * receipts]
    fields["told"] = [*fields["told"], *(told(100 + n, RECEIPT) for n in range(receipts))]
    return History(**fields)


def wrong(run: History) -> dict[Class, int]:
    return dict(judge(run, DOMAIN).wrong())


def with_unknown_charge(**changes: Any) -> History:
    """The second charge is told as unknown, and was executed."""
    unknown = replace(ENTRIES[2], type="effect.unknown.v1")
    entries = [*ENTRIES[:2], unknown, ENTRIES[3]]
    fields: dict[str, Any] = {
        "said": [COMMAND, PLACED, AGAIN, *entries],
        "told": [told(n, one) for n, one in enumerate(entries, start=1)],
        "effects": [EffectRow("charge", "charge:e2", "unknown", 100.0, 111.0)],
    }
    return history(**fields | changes)


def counted(run: History) -> tuple[Verdict, dict[str, int]]:
    verdict = judge(run, DOMAIN)
    return verdict, dict(verdict.counts)


def test_a_good_run_has_no_findings() -> None:
    verdict, counts = counted(history())
    assert verdict.good, verdict.findings
    assert counts == {"charge: once": 2, "mail: once": 2}


def test_an_old_record_that_comes_again_is_no_harm() -> None:
    assert wrong(history(said=[COMMAND, PLACED, AGAIN, PLACED, AGAIN, *ENTRIES, COMMAND])) == {}


def test_records_in_another_order_are_reordered() -> None:
    assert wrong(history(said=[COMMAND, AGAIN, PLACED, *ENTRIES])) == {Class.REORDERED: 1}


def test_records_on_another_partition_are_reordered() -> None:
    moved = replace(AGAIN, partition=1)
    assert wrong(history(said=[COMMAND, PLACED, moved, *ENTRIES])) == {Class.REORDERED: 1}


def test_a_missing_number_is_lost() -> None:
    later = replace(AGAIN, sequence=(1, 3))
    assert wrong(history(said=[COMMAND, PLACED, later, *ENTRIES])) == {Class.LOST: 1}


def test_a_stream_that_does_not_begin_with_one_has_lost_its_beginning() -> None:
    entries = [replace(one, sequence=(1, (one.sequence or (0, 0))[1] + 1)) for one in ENTRIES]
    assert wrong(history(said=[COMMAND, PLACED, AGAIN, *entries])) == {Class.LOST: 2}


def test_a_dead_letter_has_the_number_of_what_it_is_a_copy_of() -> None:
    copy = replace(ENTRIES[2], topic="orders.log.dead-letters")
    assert wrong(history(said=[COMMAND, PLACED, AGAIN, copy, *ENTRIES])) == {}


def test_a_number_that_two_records_have_is_doubled() -> None:
    other = event(2, "order.confirmation-requested.v1", "c2", identity="e2b")
    assert wrong(history(said=[COMMAND, PLACED, AGAIN, other, *ENTRIES]))[Class.DOUBLED] >= 1


def test_a_record_that_has_two_numbers_is_doubled() -> None:
    twice = replace(AGAIN, sequence=(1, 3))
    assert wrong(history(said=[COMMAND, PLACED, AGAIN, twice, *ENTRIES]))[Class.DOUBLED] >= 1


def test_a_new_incarnation_goes_on_where_it_was_set_back_to() -> None:
    redone = event(2, "order.confirmation-requested.v1", "k3", identity="e2b", incarnation=2)
    run = history(said=[COMMAND, PLACED, AGAIN, redone, *ENTRIES])
    assert not [found for found in judge(run, DOMAIN).findings if "number" in found.words]


@pytest.mark.parametrize(
    ("promise", "found"),
    [
        (accepted("resend", "http", "k3"), Class.LOST),
        (accepted("resend", "topic", "c3"), Class.LOST),
    ],
)
def test_a_promise_without_an_event_is_lost(promise: Accepted, found: Class) -> None:
    run = history()
    assert wrong(replace(run, accepted=[*run.accepted, promise])) == {found: 1}


def test_an_event_without_a_promise_is_doubled() -> None:
    assert wrong(history(accepted=[accepted("place", "http", "k1")])) == {Class.DOUBLED: 1}


def test_an_order_placed_by_both_ways_is_one_order() -> None:
    run = history()
    assert wrong(replace(run, accepted=[*run.accepted, accepted("place", "topic", "c0")])) == {}


def test_a_command_of_the_topic_that_was_rejected_is_lost() -> None:
    rejected = entry("orders", 1, "command.rejected.v1", "c2")
    said = [COMMAND, PLACED, *ENTRIES[:2], rejected]
    entries = [told(n, one) for n, one in enumerate(said[2:], start=1)]
    run = history(said=said, told=entries, executed=[CHARGES[0], MAILS[0]])
    assert wrong(run) == {Class.LOST: 1}


def test_events_in_another_order_than_the_topics_commands_are_reordered() -> None:
    first = [accepted("place", "http", "k1"), accepted("resend", "topic", "c3"), accepted("resend", "topic", "c2")]
    third = event(3, "order.confirmation-requested.v1", "c3")
    run = history(accepted=first, said=[COMMAND, PLACED, AGAIN, third, *ENTRIES])
    assert wrong(run)[Class.REORDERED] == 1


def test_an_effect_executed_twice_is_doubled() -> None:
    assert wrong(history(executed=[*CHARGES, *MAILS, CHARGES[0]])) == {Class.DOUBLED: 1}


def test_an_effect_without_a_cause_is_doubled() -> None:
    assert wrong(history(executed=[*CHARGES, *MAILS, Executed("mail", "<other@mail.example>")])) == {Class.DOUBLED: 1}


def test_an_effect_told_as_done_and_never_executed_is_lost() -> None:
    assert wrong(history(executed=[*CHARGES, MAILS[0]])) == {Class.LOST: 1}


def test_an_effect_told_as_failed_and_executed_is_lost() -> None:
    failed = replace(ENTRIES[2], type="charge.failed.v1")
    entries = [*ENTRIES[:2], failed, ENTRIES[3]]
    changes: dict[str, Any] = {
        "said": [COMMAND, PLACED, AGAIN, *entries],
        "told": [told(n, one) for n, one in enumerate(entries, 1)],
    }
    assert wrong(history(**changes)) == {Class.LOST: 1}
    assert wrong(history(**changes, executed=[CHARGES[0], *MAILS])) == {}


def test_effects_in_another_order_than_their_events_are_reordered() -> None:
    assert wrong(history(executed=[CHARGES[1], CHARGES[0], *MAILS])) == {Class.REORDERED: 1}


def test_an_effect_that_was_never_told_is_lost_although_it_was_executed() -> None:
    entries = [*ENTRIES[:2], ENTRIES[3]]
    run = history(said=[COMMAND, PLACED, AGAIN, *entries], told=[told(n, one) for n, one in enumerate(entries, 1)])
    assert wrong(run) == {Class.LOST: 1}


def test_an_effect_told_twice_is_doubled() -> None:
    again = entry("payer", 3, "charge.made.v1", "e2")
    entries = [*ENTRIES, again]
    run = history(said=[COMMAND, PLACED, AGAIN, *entries], told=[told(n, one) for n, one in enumerate(entries, 1)])
    assert wrong(run) == {Class.DOUBLED: 1}


@pytest.mark.parametrize(
    ("fault", "explained"),
    [
        (Fault("kill", "payer-0", 105.0, 105.1), True),
        (Fault("halt", "payer-0", 60.0, 101.0), True),
        (Fault("stop", "postgres", 108.0, 115.0), True),
        (Fault("kill", "payer-0", 90.0, 90.1), False),
        (Fault("kill", "payer-0", 130.0, 130.1), False),
        (Fault("kill", "notifications-1", 105.0, 105.1), False),
        (Fault("kill", "kafka", 105.0, 105.1), False),
        (Fault("kill", "payer-0", 105.0, 105.1, in_flight=("charge:e2",)), True),
        (Fault("kill", "payer-0", 105.0, 105.1, in_flight=("charge:e1",)), False),
        (Fault("kill", "payer-0", 105.0, 105.1, in_flight=()), False),
    ],
)
def test_an_unknown_is_explained_by_what_was_done_to_its_worker_meanwhile(fault: Fault, explained: bool) -> None:  # noqa: FBT001
    verdict, counts = counted(with_unknown_charge(faults=[fault]))
    assert verdict.good == explained
    assert counts["charge: unknown" if explained else "charge: unknown for no reason"] == 1


def test_an_unknown_is_explained_by_a_mishap_of_its_own_call() -> None:
    assert wrong(with_unknown_charge(mishaps=[Mishap("charge", "charge:e2", "lost")])) == {}
    assert wrong(with_unknown_charge(mishaps=[Mishap("charge", "charge:e2", "busy")])) == {Class.UNEXPLAINED: 1}
    assert wrong(with_unknown_charge(mishaps=[Mishap("charge", "charge:e1", "lost")])) == {Class.UNEXPLAINED: 1}


def test_an_unknown_may_be_executed_late_but_not_twice() -> None:
    explained: dict[str, Any] = {"mishaps": [Mishap("charge", "charge:e2", "late")]}
    assert wrong(with_unknown_charge(**explained, executed=[CHARGES[1], CHARGES[0], *MAILS])) == {}
    assert wrong(with_unknown_charge(**explained, executed=[*CHARGES, CHARGES[1], *MAILS])) == {Class.DOUBLED: 1}


def test_an_unknown_that_was_known_later_is_counted_apart() -> None:
    unknown = entry("payer", 3, "effect.unknown.v1", "e2")
    entries = [*ENTRIES, unknown]
    run = history(said=[COMMAND, PLACED, AGAIN, *entries], told=[told(n, one) for n, one in enumerate(entries, 1)])
    verdict, counts = counted(run)
    assert verdict.good
    assert counts["charge: known later"] == 1


def test_what_waits_for_its_time_is_listed_and_what_waits_for_nothing_is_stuck() -> None:
    entries = [*ENTRIES[:2], ENTRIES[3]]
    changes: dict[str, Any] = {
        "said": [COMMAND, PLACED, AGAIN, *entries],
        "told": [told(n, one) for n, one in enumerate(entries, 1)],
        "executed": [CHARGES[0], *MAILS],
    }
    waits = Left("payer", "payer", ORDER, "lane ready, due in 100 s", waits=True)
    verdict, counts = counted(history(**changes, left=[waits]))
    assert verdict.good
    assert verdict.waiting == [waits]
    assert counts["charge: waits"] == 1
    assert wrong(history(**changes, left=[replace(waits, waits=False)])) == {Class.STUCK: 1}


def test_an_entry_of_the_log_that_is_not_on_the_timeline_is_lost() -> None:
    run = history()
    noted = entry("orders", 1, "order.noted.v1", "http-1")
    assert wrong(replace(run, said=[*run.said, noted])) == {Class.LOST: 1}


def test_a_timeline_in_another_order_than_the_log_is_reordered() -> None:
    swapped = [ENTRIES[2], ENTRIES[1], ENTRIES[0], ENTRIES[3]]
    assert wrong(history(told=[told(n, one) for n, one in enumerate(swapped, 1)])) == {Class.REORDERED: 1}


def test_a_broken_chain_and_a_record_that_nobody_understands_are_invalid() -> None:
    assert wrong(history(broken={ORDER: 2}, invalid=["orders.events 0/7: not JSON"])) == {Class.INVALID: 2}


def test_a_command_that_was_refused_is_lost() -> None:
    assert wrong(history(refused=[(accepted("resend", "http", "k9"), "422: no")])) == {Class.LOST: 1}


def test_what_ends_the_worker_may_be_given_up_by_the_payer_alone() -> None:
    entries = [*ENTRIES[:2], ENTRIES[3]]
    given_up: dict[str, Any] = {
        "said": [COMMAND, PLACED, AGAIN, *entries],
        "told": [told(n, one) for n, one in enumerate(entries, 1)],
        "executed": [CHARGES[0], *MAILS],
        "left": [Left("payer", "payer", ORDER, "lane blocked, 0 ready, 1 dead", given_up=True)],
        "faults": [Fault("ended by itself, exit code -9", "payer-0", 1.0, 1.1)],
    }
    assert wrong(history(**given_up, poison=frozenset({ORDER}))) == {}
    never = [replace(given_up["left"][0], given_up=False)]
    assert wrong(history(**given_up | {"left": never}, poison=frozenset({ORDER}))) == {Class.STUCK: 1}
    assert wrong(history(**given_up)) == {Class.STUCK: 1, Class.DIED: 1}


def test_a_process_that_ended_by_itself_is_a_finding() -> None:
    assert wrong(history(faults=[Fault("ended by itself, exit code 1", "payer-0", 1.0, 1.1)])) == {Class.DIED: 1}


def test_who_has_paid_for_an_order_has_one_receipt() -> None:
    assert wrong(history(receipts=0)) == {Class.LOST: 1}
    assert wrong(history(receipts=2))[Class.DOUBLED] >= 1


def test_a_receipt_that_is_still_due_is_not_lost_and_one_that_nobody_has_paid_for_is_doubled() -> None:
    due = Left("payer", "timer", ORDER, "receipt:e1", waits=True)
    assert wrong(history(receipts=0, left=[due])) == {}
    failed = [replace(ENTRIES[0], type="charge.failed.v1"), *ENTRIES[1:]]
    changes: dict[str, Any] = {
        "said": [COMMAND, PLACED, AGAIN, *failed],
        "told": [told(n, one) for n, one in enumerate(failed, 1)],
    }
    assert wrong(history(**changes, executed=[CHARGES[1], *MAILS])) == {Class.DOUBLED: 1}


def test_a_lane_that_slept_over_a_message_until_the_sweeper_came_was_stuck() -> None:
    assert wrong(history(asleep={"payer-0": 0})) == {}
    assert wrong(history(asleep={"payer-0": 2})) == {Class.STUCK: 1}


def test_a_crash_point_that_was_never_passed_is_a_finding() -> None:
    assert wrong(history(faults=[Fault(NEVER_PASSED, "payer-0", 1.0, 1.1, "relay.read:10")])) == {Class.STUCK: 1}

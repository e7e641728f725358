"""The demo's table tells what was seen; a run is good only when every accepted order is confirmed on its timeline."""

import io
import re
from datetime import date
from typing import Any

import httpx2
import pytest
from rich.console import Console

from deploy.local.demo.asked import TurnedAway
from deploy.local.demo.mails import Mailbox, MailCheck, check_mails
from deploy.local.demo.orders_of_nordic_shops import nordic_orders
from deploy.local.demo.outcome import Outcome
from deploy.local.demo.screen import Screen
from deploy.local.demo.stories import State, Stories, Story

ASKED = nordic_orders(4, seed=1, today=date(2026, 11, 24))
ALL_RIGHT = MailCheck(found=1, doubled=[], missing=[])


def a_run(*states: State, way: Any = "http", on_timeline: bool = True) -> Stories:
    stories = Stories()
    for asked, state in zip(ASKED, states, strict=False):
        story = stories.begin(asked, way)
        story.come_to(state, "a-reason", "in words [sic]")
        story.on_timeline = on_timeline and state is State.CONFIRMED
        story.printed = True
    return stories


def outcome_of(stories: Stories, mails: MailCheck = ALL_RIGHT, turned_away: list[TurnedAway] | None = None) -> Outcome:
    return Outcome(stories, turned_away or [], mails, flow_seconds=2.0, all_seconds=9.0)


def test_a_run_is_good_when_each_order_is_confirmed_or_refused() -> None:
    outcome = outcome_of(a_run(State.CONFIRMED, State.REJECTED))
    assert outcome.good
    assert outcome.complaints() == []


@pytest.mark.parametrize("state", [State.ASKED, State.ACCEPTED, State.FAILED, State.UNKNOWN])
def test_an_order_without_its_confirmation_spoils_the_run_and_is_named(state: State) -> None:
    stories = a_run(State.CONFIRMED, state)
    outcome = outcome_of(stories)
    assert not outcome.good
    [complaint] = outcome.complaints()
    assert str(ASKED[1].order.order_id) in complaint
    assert state.name.lower() in complaint


def test_a_confirmation_that_the_timeline_does_not_show_spoils_the_run() -> None:
    outcome = outcome_of(a_run(State.CONFIRMED, on_timeline=False))
    assert not outcome.good
    assert "its timeline does not say so" in outcome.complaints()[0]


def test_an_order_without_its_delivery_note_spoils_the_run_and_is_named() -> None:
    stories = a_run(State.CONFIRMED)
    [story] = stories
    story.printed, story.no_paper = False, "document.failed.v1: cannot-be-rendered"
    outcome = outcome_of(stories)
    assert not outcome.good
    assert ("Delivery notes printed", "0 of 1") in list(outcome.rows())
    [complaint] = outcome.complaints()
    assert str(story.order_id) in complaint
    assert "no delivery note: document.failed.v1: cannot-be-rendered" in complaint


def test_promises_are_counted_and_only_one_that_is_nowhere_visible_spoils_the_run() -> None:
    stories = a_run(*[State.CONFIRMED] * 4)
    first, second, third, fourth = stories
    first.promises = {"book-shipment": ("done", "")}
    second.promises = {"book-shipment": ("failed", "postal-code-invalid")}
    third.promises = {"book-shipment": ("unknown", "ops unknown settle integrations/7 --happened")}
    fourth.promises = {"book-shipment": ("overdue", "")}
    outcome = outcome_of(stories)
    assert outcome.good
    rows = list(outcome.rows())
    assert ("Shipments booked", "done 1, failed 1, unknown 1, overdue 1") in rows
    assert ("  postal-code-invalid", "1") in rows
    repair, late = outcome.complaints()
    assert repair.endswith("book-shipment: unknown, ops unknown settle integrations/7 --happened")
    assert late.endswith("book-shipment: overdue")


@pytest.mark.parametrize("state", ["missing", "expected", "waiting"])
def test_a_promise_that_nobody_has_kept_or_told_of_spoils_the_run(state: str) -> None:
    stories = a_run(State.CONFIRMED)
    [story] = stories
    story.promises = {"capture": (state, "in words")}
    outcome = outcome_of(stories)
    assert not outcome.good
    assert f"capture is {state}: in words" in outcome.complaints()[0]


def test_a_mail_that_is_doubled_or_missing_spoils_the_run() -> None:
    for mails in (MailCheck(2, ["<1@x>"], []), MailCheck(0, [], ["<1@x>"])):
        outcome = outcome_of(a_run(State.CONFIRMED), mails)
        assert not outcome.good
        assert "<1@x>" in outcome.complaints()[0]


def test_the_table_counts_refusals_by_reason_apart_for_reader_and_service() -> None:
    turned_away = [TurnedAway("a", "cancellation", "cancels", 1)] * 2 + [TurnedAway("b", "nothing-sold", "free", 3)]
    rows = list(outcome_of(a_run(State.CONFIRMED, State.REJECTED), turned_away=turned_away).rows())
    assert ("Not an order, refused by the reader", "3") in rows
    assert ("  cancellation", "2: cancels") in rows
    assert ("  nothing-sold", "1: free") in rows
    assert ("Refused by orders", "1") in rows
    assert ("  a-reason", "1: in words [sic]") in rows


def test_the_table_is_printed_as_it_is_even_with_brackets_in_it() -> None:
    out = io.StringIO()
    Console(file=out, width=120).print(outcome_of(a_run(State.REJECTED)).table())
    assert "in words [sic]" in out.getvalue()


def confirmed(message_id: str, way: Any = "http") -> Story:
    return Story(ASKED[0], way, State.CONFIRMED, message_id=message_id)


def test_mails_are_held_against_what_the_log_calls_sent() -> None:
    stories = [confirmed("<1@x>"), confirmed("<2@x>"), confirmed("<3@x>"), confirmed("<4@x>", way="earlier")]
    found = check_mails(stories, ["<1@x>", "<2@x>", "<2@x>", "<other@x>"])
    assert found == MailCheck(found=3, doubled=["<2@x>"], missing=["<3@x>"])
    assert not found.right
    assert check_mails(stories[:1], ["<1@x>"]).right


async def test_the_mailbox_is_read_page_by_page() -> None:
    numbers = list(range(2500, 0, -1))

    def answer(request: httpx2.Request) -> httpx2.Response:
        asked = {name: int(value) for name, value in request.url.params.items()}
        found = [n for n in numbers if asked.get("after", 0) < n < asked.get("before", 10**6)]
        messages = [{"number": n, "message_id": f"<{n}@x>"} for n in found[: asked["limit"]]]
        return httpx2.Response(200, json={"total": len(numbers), "messages": messages})

    async with httpx2.AsyncClient(transport=httpx2.MockTransport(answer), base_url="http://mailbox.example") as http:
        mailbox = Mailbox(http)
        assert await mailbox.last_number() == 2500
        assert await mailbox.message_ids(after=100) == [f"<{n}@x>" for n in range(2500, 100, -1)]


def test_a_file_gets_plain_lines_instead_of_moving_bars() -> None:
    out = io.StringIO()
    screen = Screen(Console(file=out, width=120))
    with screen.bars({"placed": 3, "settled": 3}) as bars:
        bars.show("placed", 3)
        bars.show("settled", 2)
    assert re.search(r"placed 3 of 3 \(\d+/s\), settled 2 of 3 \(\d+/s\)", out.getvalue())
    assert "\x1b" not in out.getvalue()


def test_a_terminal_gets_bars() -> None:
    out = io.StringIO()
    screen = Screen(Console(file=out, width=120, force_terminal=True))
    with screen.bars({"placed": 3}) as bars:
        bars.show("placed", 3)
    assert "3/3" in out.getvalue()

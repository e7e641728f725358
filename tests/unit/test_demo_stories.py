"""What the demo tells of an order is what the order log said of it, in whatever order the services said it."""

from datetime import date
from itertools import permutations
from uuid import uuid4

import pytest

from deploy.local.demo.asked import Asked
from deploy.local.demo.orders_of_nordic_shops import nordic_orders
from deploy.local.demo.stories import State, Stories, Story
from shared.contracts.message import Sequence, new_id
from shared.contracts.order_log import CommandRejected, EffectUnknown, LogEntry, MessageFailed, MessageSent, OrderNoted
from tests.builders import stamped

ASKED = nordic_orders(1, seed=1, today=date(2026, 11, 24))[0]


def noted(asked: Asked = ASKED, event_type: str = "order.placed.v1") -> OrderNoted:
    return OrderNoted(
        order_id=asked.order.order_id, outcome="done", summary="order-placed", event_type=event_type, event_id=new_id()
    )


def sent(template: str = "order-received") -> MessageSent:
    return MessageSent(
        order_id=ASKED.order.order_id,
        outcome="done",
        summary="message-sent",
        template=template,
        recipient="a***@post.example",
        language="sv",
        message_id="<1@orders.example>",
    )


def failed() -> MessageFailed:
    return MessageFailed(
        order_id=ASKED.order.order_id,
        outcome="failed",
        summary="message-failed",
        template="order-received",
        recipient="a***@post.example",
        language="sv",
        reason="mailbox-unknown",
        detail="550 no such user",
    )


def unknown() -> EffectUnknown:
    return EffectUnknown(
        order_id=ASKED.order.order_id, outcome="unknown", summary="effect-unknown", effect="mail", key="mail:1"
    )


def rejected() -> CommandRejected:
    return CommandRejected(
        order_id=ASKED.order.order_id,
        outcome="failed",
        summary="command-rejected",
        command_type="order.place.v1",
        command_id=new_id(),
        reason="unknown-shop",
        detail="there is no shop",
    )


def story_of(*entries: LogEntry) -> Story:
    stories = Stories()
    story = stories.begin(ASKED, "topic")
    for n, entry in enumerate(entries, start=1):
        assert stories.hear(stamped(entry, source=f"/{n}"))
    return story


def test_an_order_is_accepted_when_the_log_notes_that_it_was_placed() -> None:
    assert story_of().state is State.ASKED
    assert story_of(noted()).state is State.ACCEPTED
    assert story_of(noted(event_type="order.confirmation-requested.v1")).state is State.ASKED


@pytest.mark.parametrize("entries", list(permutations([noted(), sent()])))
def test_an_order_is_confirmed_whichever_service_is_heard_first(entries: tuple[LogEntry, ...]) -> None:
    story = story_of(*entries)
    assert (story.state, story.message_id) == (State.CONFIRMED, "<1@orders.example>")


def test_another_message_about_the_order_is_not_its_confirmation() -> None:
    assert story_of(noted(), sent("feedback")).state is State.ACCEPTED


def test_a_refused_mail_is_told_with_its_reason() -> None:
    story = story_of(noted(), failed())
    assert (story.state, story.reason, story.words) == (State.FAILED, "mailbox-unknown", "550 no such user")


def test_an_unknown_mail_is_settled_by_a_later_answer() -> None:
    assert story_of(noted(), unknown()).state is State.UNKNOWN
    assert story_of(noted(), unknown(), sent()).state is State.CONFIRMED


def test_a_rejection_is_told_and_touches_no_order_that_was_accepted() -> None:
    story = story_of(rejected())
    assert (story.state, story.reason) == (State.REJECTED, "unknown-shop")
    assert story_of(noted(), rejected()).state is State.ACCEPTED


def test_an_order_counts_as_settled_when_nothing_more_is_to_be_waited_for() -> None:
    waiting = [story_of(), story_of(noted())]
    settled = [story_of(rejected()), story_of(noted(), failed()), story_of(unknown()), story_of(sent())]
    assert [story.settled for story in waiting + settled] == [False] * 2 + [True] * 4


def test_entries_about_orders_of_others_are_passed_over() -> None:
    stories = Stories()
    stories.begin(ASKED, "http")
    other = stamped(noted().model_copy(update={"order_id": uuid4()}))
    assert not stories.hear(other)
    assert not stories.entries


def test_a_record_that_comes_again_is_counted_apart() -> None:
    stories = Stories()
    stories.begin(ASKED, "http")
    for number in (1, 2, 2, 1, 3):
        stories.hear(stamped(noted(), sequence=Sequence(1_790_000_000, number)))
    stories.hear(stamped(noted(), source="/notifications"))
    assert (stories.entries["order.noted.v1"], stories.repeated) == (4, 2)

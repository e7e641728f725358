"""One word for each connection follows from the facts by a rule; what is shown of its address has no secrets."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from services.integrations.calling import Word, word_of_error, word_of_status
from services.integrations.health import Facts, State, host_of, place_of, state_of
from shared.messaging.effects import NotSent

CHANGED = datetime(2026, 11, 24, 8, 0, tzinfo=UTC)
BEFORE, FIRST, THEN = CHANGED - timedelta(hours=1), CHANGED + timedelta(hours=1), CHANGED + timedelta(hours=2)


def word(**facts: Any) -> State:
    return state_of(Facts(CHANGED, **facts))


def test_what_was_never_asked_anything_is_untried() -> None:
    assert word() == "untried"


def test_what_answered_last_is_healthy() -> None:
    assert word(answered_at=FIRST) == "healthy"
    assert word(answered_at=THEN, troubled_at=FIRST, trouble="no-answer") == "healthy", "it is over"


@pytest.mark.parametrize(
    ("trouble", "expected"),
    [
        ("refused", "refused"),
        ("not-reached", "unreachable"),
        ("no-answer", "unreachable"),
        ("failing", "troubled"),
    ],
)
def test_the_last_word_says_how_it_is(trouble: Word, expected: State) -> None:
    assert word(troubled_at=THEN, trouble=trouble) == expected
    assert word(answered_at=FIRST, troubled_at=THEN, trouble=trouble) == expected


def test_what_was_before_the_connection_changed_says_nothing() -> None:
    assert word(answered_at=BEFORE) == "untried"
    assert word(troubled_at=BEFORE, trouble="refused") == "untried"
    assert word(answered_at=FIRST, troubled_at=BEFORE, trouble="refused") == "healthy"


@pytest.mark.parametrize("held_up", ["left_alone_by", "unknown", "waiting", "blocked"])
def test_an_answer_is_no_comfort_while_orders_are_held_up(held_up: str) -> None:
    assert word(answered_at=THEN, **{held_up: 1}) == "troubled"
    assert word(**{held_up: 1}) == "troubled", "also where it was changed since"


def test_nobody_there_is_more_to_the_point_than_orders_that_wait_for_it() -> None:
    assert word(troubled_at=THEN, trouble="not-reached", waiting=12, left_alone_by=2) == "unreachable"
    assert word(troubled_at=THEN, trouble="refused", blocked=3) == "refused"


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("https://api.provider.example/v2?key=s3cret", "api.provider.example"),
        ("https://user:s3cret@api.provider.example:8443/x", "api.provider.example:8443"),
        ("http://[2001:db8::7]:8080/", "[2001:db8::7]:8080"),
        ("http://[::1", ""),
        ("http://host:notaport/s3cret", ""),
        ("s3cret", ""),
    ],
)
def test_of_an_address_the_host_is_shown_and_nothing_else(url: str, host: str) -> None:
    assert host_of(url) == host


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        *((status, "answered") for status in (200, 402, 404, 422)),
        *((status, "refused") for status in (401, 403)),
        *((status, "failing") for status in (429, 500, 503)),
    ],
)
def test_a_no_is_an_answer_and_a_key_that_is_not_good_is_none(status: int, expected: Word) -> None:
    assert word_of_status(status) == expected


def test_what_cannot_even_be_sent_reaches_nobody() -> None:
    assert word_of_error(NotSent("connecting took longer than the start allowance")) == "not-reached"
    assert word_of_error(TimeoutError()) == "no-answer"


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("https://user:s3cret@books.example:8443/api/v2?key=s3cret#s3cret", "https://books.example:8443/api/v2"),
        ("http://[::1]:8080", "http://[::1]:8080"),
        ("http://s3cret@host", "http://host"),
        ("nonsense", ""),
        ("http://[::1", ""),
        ("http://host:99999", ""),
    ],
)
def test_where_an_address_leads_is_shown_without_what_it_may_have_of_secrets(url: str, place: str) -> None:
    assert place_of(url) == place

"""A breaker: opened by failures, tried by one, closed by one success; nobody else gets through meanwhile."""

import pytest

from shared.messaging.breaker import LEAST, OPEN_SECONDS, Breaker, Breakers, LeftAlone
from shared.messaging.failures import Retry


def opened() -> Breaker:
    breaker = Breaker("group", "a connection")
    for _ in range(LEAST):
        breaker.enter()
        breaker.record(worked=False)
    return breaker


def is_open(breaker: Breaker) -> bool:
    """Whether the next attempt is held back."""
    try:
        breaker.enter()
    except Retry:
        return True
    return False


def test_with_half_of_the_attempts_failing_it_stays_closed() -> None:
    breaker = Breaker("group", "a connection")
    for n in range(300):
        breaker.enter()
        breaker.record(worked=n % 2 == 0)
    assert not is_open(breaker)


def test_it_opens_when_more_than_half_have_failed_and_says_for_how_long() -> None:
    with pytest.raises(Retry, match="a connection mostly fails") as refused:
        opened().enter()
    assert refused.value.after == pytest.approx(OPEN_SECONDS, abs=1)


@pytest.mark.parametrize("worked", [True, False])
def test_after_its_time_one_attempt_finds_out_for_all(monkeypatch: pytest.MonkeyPatch, *, worked: bool) -> None:
    breaker = opened()
    monkeypatch.setattr("shared.messaging.breaker.time.monotonic", lambda: 1e9)
    breaker.enter()
    assert is_open(breaker)
    breaker.record(worked=worked)
    if worked:
        breaker.enter()
    else:
        with pytest.raises(Retry) as again:
            breaker.enter()
        assert again.value.after == OPEN_SECONDS


def test_an_attempt_that_was_not_made_after_all_lets_the_next_one_find_out(monkeypatch: pytest.MonkeyPatch) -> None:
    breaker = opened()
    monkeypatch.setattr("shared.messaging.breaker.time.monotonic", lambda: 1e9)
    assert not is_open(breaker)
    assert is_open(breaker)
    breaker.leave()
    assert not is_open(breaker)


def test_those_that_are_open_say_whom_they_leave_alone_and_since_when(monkeypatch: pytest.MonkeyPatch) -> None:
    breakers, clock = Breakers(), 1000.0
    monkeypatch.setattr("shared.messaging.breaker.time.monotonic", lambda: clock)
    breakers.of("group", "well").record(worked=True)
    troubled = breakers.of("group", "troubled")
    for _ in range(LEAST):
        troubled.record(worked=False)
    clock += OPEN_SECONDS
    troubled.enter()
    troubled.record(worked=False)
    assert breakers.left_alone() == [LeftAlone("group", "troubled", OPEN_SECONDS)], "an attempt that failed is no end"
    troubled.record(worked=True)
    assert breakers.left_alone() == []

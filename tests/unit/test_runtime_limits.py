"""A bucket gives what is in it, fills again at its rate, and one that is forgotten was full."""

import pytest

from shared.runtime.limits import Buckets, Limits
from shared.runtime.problems import Problem
from shared.runtime.service import Service, limits_of
from shared.runtime.settings import ServiceSettings
from tests.plugins.waiting import eventually

SLOW = 1 / 3600


def test_a_burst_is_let_through_and_then_no_more_is() -> None:
    buckets = Buckets(SLOW, 3)
    assert [buckets.take("a") for _ in range(3)] == [0.0, 0.0, 0.0]
    assert 3500 < buckets.take("a") <= 3600
    assert buckets.wait("a") > 3500
    assert buckets.take("b") == 0.0, "everybody has a bucket of their own"


def test_looking_takes_nothing() -> None:
    buckets = Buckets(SLOW, 1)
    assert [buckets.wait("a") for _ in range(5)] == [0.0] * 5
    assert buckets.take("a") == 0.0


async def test_it_fills_again() -> None:
    buckets = Buckets(20, 1)
    assert buckets.take("a") == 0.0
    assert 0 < buckets.wait("a") <= 0.05
    await eventually(lambda: buckets.take("a") == 0.0, timeout=5)


def test_a_rate_of_nothing_is_no_limit() -> None:
    buckets = Buckets(0, 1)
    assert {buckets.take("a") for _ in range(1_000)} == {0.0}


def test_no_more_buckets_are_kept_than_so_many() -> None:
    buckets = Buckets(SLOW, 1, most=2)
    for key in ("a", "b", "c"):
        assert buckets.take(key) == 0.0
    assert buckets.take("c") > 0
    assert buckets.take("a") == 0.0, "the oldest one was forgotten"


def test_the_answer_says_when_to_come_again() -> None:
    limits = Limits(requests=Buckets(2, 1))
    limits.count_request("a")
    with pytest.raises(Problem) as refused:
        limits.count_request("a")
    assert (refused.value.status_code, refused.value.slug) == (429, "too-many-requests")
    assert refused.value.headers == {
        "Retry-After": "1",
        "RateLimit": '"too-many-requests";r=0;t=1',
        "RateLimit-Policy": '"too-many-requests";q=1;w=1',
    }


def test_without_settings_nothing_is_limited() -> None:
    limits = Limits()
    for _ in range(1_000):
        limits.count_request("a")
        limits.count_wrong_token("127.0.0.1")
        limits.refuse_guessing("127.0.0.1")


def settings(**changes: object) -> ServiceSettings:
    known = {"database_url": "postgresql://orders@nowhere/orders", "kafka": ("nowhere:9092",)}
    return ServiceSettings(**known | changes)  # type: ignore[arg-type]


def test_the_settings_say_what_a_service_allows() -> None:
    limits = limits_of(settings(requests_per_second=SLOW, requests_at_once=2, wrong_tokens_per_minute=1))
    for _ in range(2):
        limits.count_request("a")
    with pytest.raises(Problem):
        limits.count_request("a")
    limits.count_wrong_token("192.0.2.1")
    with pytest.raises(Problem):
        limits.refuse_guessing("192.0.2.1")
    assert Service("test", settings(requests_at_once=7), pool=None).app().state.tokens.limits.requests.burst == 7  # type: ignore[arg-type]


def test_nothing_is_limited_where_the_settings_say_so() -> None:
    limits = limits_of(settings(requests_per_second=0, wrong_tokens_per_minute=0))
    for _ in range(1_000):
        limits.count_request("a")
        limits.count_wrong_token("192.0.2.1")
    limits.refuse_guessing("192.0.2.1")

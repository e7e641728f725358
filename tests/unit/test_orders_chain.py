"""The chain: whatever is done to recorded entries afterwards, the first one that is wrong is named."""

from collections.abc import Callable
from typing import Any

import pytest

from services.orders.domain.chain import digest, first_broken, link

Recorded = list[tuple[int, dict[str, Any], bytes]]


def recorded(*summaries: str) -> Recorded:
    chain: Recorded = []
    for number, summary in enumerate(summaries, start=1):
        entry = {"summary": summary, "actor": "anna"}
        chain.append((number, entry, link(chain[-1][2] if chain else None, digest(entry))))
    return chain


def change(chain: Recorded) -> None:
    chain[1][1]["actor"] = "bertil"


def remove(chain: Recorded) -> None:
    del chain[1]


def swap(chain: Recorded) -> None:
    (_, third, third_link), (_, second, second_link) = chain[2], chain[1]
    chain[1:3] = [(2, third, third_link), (3, second, second_link)]


def put_between(chain: Recorded) -> None:
    entry = {"summary": "order.paid", "actor": "bertil"}
    chain.insert(1, (2, entry, link(chain[0][2], digest(entry))))
    chain[2:] = [(number + 1, entry, last) for number, entry, last in chain[2:]]


@pytest.mark.requirement("R206")
def test_an_untouched_chain_holds() -> None:
    assert first_broken(recorded("order.placed", "message.sent", "order.noted")) is None
    assert first_broken([]) is None


@pytest.mark.requirement("R206")
@pytest.mark.parametrize(("touch", "named"), [(change, 2), (remove, 2), (swap, 2), (put_between, 3)])
def test_the_first_entry_that_is_not_as_recorded_is_named(touch: Callable[[Recorded], None], named: int) -> None:
    chain = recorded("order.placed", "message.sent", "order.noted", "order.noted")
    touch(chain)
    assert first_broken(chain) == named


def test_a_digest_does_not_depend_on_how_a_database_orders_names() -> None:
    assert digest({"a": 1, "b": {"y": "å", "x": []}}) == digest({"b": {"x": [], "y": "å"}, "a": 1})

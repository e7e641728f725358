"""What a record means to its stream, for every order in which records can come."""

from hypothesis import given
from hypothesis import strategies as st

from shared.contracts.message import Envelope
from shared.contracts.message import Sequence as Number
from shared.messaging.cursors import Cursor, Fate, Stream
from shared.messaging.intake import Arrived, Understood


def a_record(n: int, incarnation: int = 1, record_id: str | None = None) -> Understood:
    envelope = Envelope(
        specversion="1.0",
        id=record_id or f"{incarnation}-{n}",
        source="/orders",
        type="order.noted.v1",
        subject="s",
        shop="a-shop",
        data={},
    )
    return Understood(Arrived("orders.log", 0, n, b"s", b"", []), envelope, Number(incarnation, n))


def numbers(stream: Stream) -> list[int]:
    return [record.number.n for record in stream.taken if record.number]


@given(st.permutations(range(1, 9)), st.lists(st.integers(1, 8)))
def test_whatever_the_order_of_arrival_each_is_taken_once_and_in_its_turn(arrival: list[int], again: list[int]) -> None:
    stream = Stream(Cursor())
    for n in [*arrival, *again]:
        stream.offer(a_record(n))
        stream.release([])
    assert numbers(stream) == list(range(1, 9))
    assert not stream.held


def test_a_gap_holds_what_comes_after_it() -> None:
    stream = Stream(Cursor(1, 1, "1-1"))
    assert [stream.offer(a_record(n)) for n in (3, 4)] == [Fate.HELD, Fate.HELD]
    assert numbers(stream) == []
    stream.offer(a_record(2))
    stream.release([])
    assert numbers(stream) == [2, 3, 4]


def test_the_same_number_with_another_id_is_a_conflict() -> None:
    assert Cursor(1, 5, "1-5").judge(Number(1, 5), "another") is Fate.CONFLICT
    assert Cursor(1, 5, "1-5").judge(Number(1, 5), "1-5") is Fate.DUPLICATE


def test_a_higher_incarnation_is_never_a_duplicate() -> None:
    cursor = Cursor(1, 5, "1-5")
    assert cursor.judge(Number(2, 5), "x") is Fate.NEXT
    assert cursor.judge(Number(2, 6), "x") is Fate.NEXT
    assert cursor.judge(Number(2, 7), "x") is Fate.HELD


def test_a_lower_incarnation_is_never_accepted() -> None:
    cursor = Cursor(2, 5, "2-5")
    assert cursor.judge(Number(1, 5), "x") is Fate.DUPLICATE
    assert cursor.judge(Number(1, 6), "x") is Fate.OLD_LIFE


def test_what_was_held_of_an_older_life_is_refused_when_a_new_one_begins() -> None:
    stream = Stream(Cursor(1, 3, "1-3"))
    stream.offer(a_record(4, incarnation=2))
    settled = stream.release([a_record(6, incarnation=1), a_record(5, incarnation=2)])
    assert [(record.number, fate) for record, fate in stream.refused] == [(Number(1, 6), Fate.OLD_LIFE)]
    assert numbers(stream) == [4, 5]
    assert len(settled) == 2


def test_what_was_held_is_refused_too_when_the_new_life_was_held_beside_it() -> None:
    stream = Stream(Cursor(1, 3, "1-3"))
    stream.offer(a_record(4))
    settled = stream.release([a_record(6), a_record(5, incarnation=2), a_record(9, incarnation=2)])
    assert [(record.number, fate) for record, fate in stream.refused] == [(Number(1, 6), Fate.OLD_LIFE)]
    assert numbers(stream) == [4, 5]
    assert len(settled) == 2
    assert not stream.held, "what waits on is in the table already"


def test_what_was_held_of_an_older_life_is_refused_also_where_the_new_one_has_passed_its_number() -> None:
    """It waited, so it was never taken in: as a duplicate it would be lost."""
    stream = Stream(Cursor(1, 3, "1-3"))
    for n in (4, 5, 6):
        stream.offer(a_record(n, incarnation=2))
    settled = stream.release([a_record(5, incarnation=1)])
    assert [(record.number, fate) for record, fate in stream.refused] == [(Number(1, 5), Fate.OLD_LIFE)]
    assert len(settled) == 1
    assert not stream.duplicates


def test_a_new_life_that_uses_numbers_of_an_old_one_again_is_a_fork_told_once() -> None:
    stream = Stream(Cursor(1, 5, "1-5"))
    for n in (3, 4, 5, 6):
        stream.offer(a_record(n, incarnation=2))
    assert numbers(stream) == [3, 4, 5, 6]
    assert [(fork.record.number, fork.known) for fork in stream.forks] == [(Number(2, 3), 5)]
    stream.offer(a_record(6, incarnation=3))
    assert [(fork.record.number, fork.known) for fork in stream.forks][1:] == [(Number(3, 6), 6)]


def test_a_new_life_that_goes_on_where_the_old_one_ended_is_no_fork() -> None:
    stream = Stream(Cursor(1, 5, "1-5"))
    stream.offer(a_record(6, incarnation=2))
    assert numbers(stream) == [6]
    assert not stream.forks


def test_the_first_life_that_a_reader_sees_is_no_fork() -> None:
    stream = Stream(Cursor())
    stream.offer(a_record(1))
    assert not stream.forks

"""A stream that nothing was lost from, doubled in or moved about in counts 1, 2, 3; only old records may come again."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

from tests.faults.history import Said
from tests.faults.verdict import Class, Finding

Place = tuple[int, int]
COPIES = ".dead-letters"
"""Topics of copies, which have the numbers of what they are copies of."""


def judged_streams(said: Iterable[Said]) -> Iterator[Finding]:
    """What is wrong with the numbered topics."""
    streams: defaultdict[tuple[str, str, str], list[Said]] = defaultdict(list)
    for record in said:
        if record.sequence is not None and not record.topic.endswith(COPIES):
            streams[record.topic, record.source, record.subject].append(record)
    for (topic, source, subject), records in streams.items():
        for kind, words in _judged(records):
            yield Finding(kind, subject, f"{topic} of {source}: {words}")


def _judged(records: Sequence[Said]) -> Iterator[tuple[Class, str]]:
    if len({record.partition for record in records}) > 1:
        yield Class.REORDERED, "its records are on two partitions"
    ids: dict[Place, str] = {}
    places: dict[str, Place] = {}
    last: Place = (0, 0)
    for record in records:
        place = record.sequence or (0, 0)
        new = place not in ids
        if ids.setdefault(place, record.id) != record.id:
            yield Class.DOUBLED, f"two records have the number {place[1]}"
        if places.setdefault(record.id, place) != place:
            yield Class.DOUBLED, f"record {record.id} has two numbers"
        elif new and place < last:
            yield Class.REORDERED, f"number {place[1]} came first after number {last[1]}"
        last = max(last, place)
    yield from _gaps(sorted(ids))


def _gaps(places: Sequence[Place]) -> Iterator[tuple[Class, str]]:
    """A new incarnation goes on where it was set back to, never behind the end of the one before."""
    end = 0
    for incarnation in sorted({place[0] for place in places}):
        numbers = [n for i, n in places if i == incarnation]
        if numbers[0] > end + 1:
            yield Class.LOST, f"there is no number {end + 1}"
        missing = set(range(numbers[0], numbers[-1])) - set(numbers)
        if missing:
            yield Class.LOST, f"there is no number {min(missing)}, and {len(missing) - 1} more are missing"
        end = max(end, numbers[-1])

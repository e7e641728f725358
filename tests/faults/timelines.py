"""Each entry of the order log is on its order's timeline once, those of one source in the order of their numbers."""

from collections import Counter, defaultdict
from collections.abc import Iterator

from tests.faults.causes import LOG
from tests.faults.history import History, Told
from tests.faults.verdict import Class, Finding


def judged_timelines(history: History) -> Iterator[Finding]:
    """What is wrong between the topic of entries and the timelines."""
    places = {(one.subject, one.source, one.id): one.sequence for one in history.said if one.topic == LOG}
    times = Counter((entry.order, entry.source, entry.id) for entry in history.told)
    for order, source, identity in places.keys() - times.keys():
        yield Finding(Class.LOST, order, f"entry {identity} of {source} is not on the timeline")
    for order, source, identity in times.keys() - places.keys():
        yield Finding(Class.LOST, order, f"entry {identity} of {source} is on the timeline and not on the topic")
    for (order, source, identity), count in times.items():
        if count > 1:
            yield Finding(Class.DOUBLED, order, f"entry {identity} of {source} is {count} times on the timeline")
    for order, place in history.broken.items():
        yield Finding(Class.INVALID, order, f"the timeline's chain is broken at entry {place}")
    of_source: defaultdict[tuple[str, str], list[Told]] = defaultdict(list)
    for entry in history.told:
        of_source[entry.order, entry.source].append(entry)
    for (order, source), entries in of_source.items():
        numbers = [places.get((order, source, entry.id)) or (0, 0) for entry in entries]
        if numbers != sorted(numbers):
            yield Finding(Class.REORDERED, order, f"the timeline has the entries of {source} in another order")

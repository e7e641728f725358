"""Each accepted command became one event of its order, in the order in which the topic's were sent."""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from services.notifications.mail import message_id
from tests.faults.accepted import Accepted
from tests.faults.history import EffectKind, Said
from tests.faults.verdict import Class, Finding

EVENTS, LOG = "orders.events", "orders.log"
PLACED, REQUESTED = "order.placed.v1", "order.confirmation-requested.v1"
REJECTED = "command.rejected.v1"


@dataclass(frozen=True)
class Cause:
    """An event of an order, which makes the services call the world."""

    order: str
    id: str
    type: str
    place: tuple[int, int]
    cause: str | None
    recipient: str

    def effect_key(self, kind: EffectKind) -> str:
        """The key of the effect in its service."""
        if kind == "charge":
            return f"charge:{self.id}"
        digest = hashlib.sha256(f"{self.id} {self.recipient}".encode()).hexdigest()[:16]
        return f"mail:{self.id}:order-received:{digest}"

    def outside_key(self, kind: EffectKind, mail_domain: str) -> str:
        """The key by which the outside party knows it."""
        key = self.effect_key(kind)
        return key if kind == "charge" else message_id(key, mail_domain)


def causes_of(said: Iterable[Said]) -> list[Cause]:
    """The events, each once, by order and number."""
    found = {
        (record.subject, record.sequence): Cause(
            record.subject, record.id, record.type, record.sequence, record.cause, record.recipient
        )
        for record in said
        if record.topic == EVENTS and record.sequence is not None
    }
    return [found[place] for place in sorted(found)]


def judged_commands(accepted: Sequence[Accepted], said: Sequence[Said], causes: Sequence[Cause]) -> Iterator[Finding]:
    """What is wrong between the commands and the events."""
    wanted: defaultdict[str, list[Accepted]] = defaultdict(list)
    for promise in accepted:
        wanted[promise.order].append(promise)
    happened: defaultdict[str, list[Cause]] = defaultdict(list)
    for cause in causes:
        happened[cause.order].append(cause)
    rejected = {record.cause: record for record in said if record.type == REJECTED}
    for order in sorted(wanted.keys() | happened.keys()):
        for kind, words in _judged(wanted[order], happened[order], rejected):
            yield Finding(kind, order, words)


def _judged(
    wanted: Sequence[Accepted], happened: Sequence[Cause], rejected: Mapping[str | None, Said]
) -> Iterator[tuple[Class, str]]:
    placed = sum(cause.type == PLACED for cause in happened)
    yield from _compared("placed", min(1, sum(one.kind == "place" for one in wanted)), placed)
    resends = [one for one in wanted if one.kind == "resend"]
    by_topic = [one.id for one in resends if one.way == "topic"]
    requested = [cause for cause in happened if cause.type == REQUESTED]
    found = Counter(cause.cause for cause in requested)
    for identity in by_topic:
        if identity in rejected:
            yield Class.LOST, f"command {identity} was rejected"
        else:
            yield from _compared(f"requested by record {identity}", 1, found[identity])
    others = sum(count for identity, count in found.items() if identity not in set(by_topic))
    yield from _compared("requested by HTTP", len(resends) - len(by_topic), others)
    told = [cause.cause for cause in requested if cause.cause in set(by_topic)]
    if told != [identity for identity in by_topic if identity in found]:
        yield Class.REORDERED, "the events have another order than the commands on the topic"


def _compared(what: str, wanted: int, found: int) -> Iterator[tuple[Class, str]]:
    if found < wanted:
        yield Class.LOST, f"{what}: {wanted} accepted, {found} happened"
    if found > wanted:
        yield Class.DOUBLED, f"{what}: {wanted} accepted, {found} happened"

"""What became of every order that was asked for, from what anybody outside can see; no state is ever taken back."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Literal
from uuid import UUID

from deploy.local.demo.asked import Asked
from shared.contracts.message import Sequence
from shared.contracts.order_commands import PlaceOrder
from shared.contracts.order_events import OrderPlaced
from shared.contracts.order_log import CommandRejected, EffectUnknown, LogEntry, MessageFailed, MessageSent, OrderNoted

Way = Literal["http", "topic", "earlier"]
"""How an order was placed; `earlier` by another run, which had the same order."""
CONFIRMATION = "order-received"
_BEFORE_ALL = Sequence(0, 0)


class State(IntEnum):
    """How far an order has come; a higher one is never taken back."""

    ASKED = 0
    REJECTED = 1
    ACCEPTED = 2
    FAILED = 3
    UNKNOWN = 4
    CONFIRMED = 5


@dataclass
class Story:
    """One order: how it was placed, how far it has come, and why no further."""

    asked: Asked
    way: Way
    state: State = State.ASKED
    reason: str = ""
    words: str = ""
    message_id: str = ""
    on_timeline: bool = False
    """Whether the order's own timeline, asked by HTTP, has its confirmation."""

    document_id: str = ""
    """Of its delivery note at documents, once its timeline says that there is one."""
    printed: bool = False
    """Whether that was fetched."""
    no_paper: str = ""
    """Why it was not."""
    promises: dict[str, tuple[str, str]] = field(default_factory=dict)
    """What the shop expects of others, by name: done, failed, unknown or missing, and the same in words."""

    @property
    def order_id(self) -> UUID:
        """The order's id."""
        return self.asked.order.order_id

    @property
    def settled(self) -> bool:
        """Whether the log is not expected to say more; of an order of an earlier run it may have said all before."""
        return self.way == "earlier" or self.state not in {State.ASKED, State.ACCEPTED}

    def come_to(self, state: State, reason: str = "", words: str = "") -> None:
        """Goes on to `state` if that is further; only an order that nobody has accepted can be rejected."""
        if state > self.state:
            self.state, self.reason, self.words = state, reason, words


class Stories:
    """All orders of one run, by their ids, and how much was read about them."""

    def __init__(self) -> None:
        self._stories: dict[UUID, Story] = {}
        self.entries: Counter[str] = Counter()
        """Log entries about these orders, by their type, each once."""
        self.repeated = 0
        """Records that came again: delivery is at least once, and readers are to drop what is not newer."""
        self._last: dict[tuple[str, UUID], Sequence] = {}

    def __iter__(self) -> Iterator[Story]:
        return iter(self._stories.values())

    def __len__(self) -> int:
        return len(self._stories)

    def begin(self, asked: Asked, way: Way) -> Story:
        """Begins the story of an order; to be called before it is placed, so that no entry is missed."""
        return self._stories.setdefault(asked.order.order_id, Story(asked, way))

    def hear(self, entry: LogEntry) -> bool:
        """Takes in one entry of the order log; False when it is about an order of somebody else."""
        story = self._stories.get(entry.order_id)
        if story is None:
            return False
        if not self._is_newer(entry):
            self.repeated += 1
            return True
        self.entries[entry.type] += 1
        match entry:
            case OrderNoted(event_type=OrderPlaced.type):
                story.come_to(State.ACCEPTED)
            case MessageSent(template=template, message_id=message_id) if template == CONFIRMATION:
                story.come_to(State.CONFIRMED)
                story.message_id = message_id
            case MessageFailed(template=template, reason=reason, detail=detail) if template == CONFIRMATION:
                story.come_to(State.FAILED, reason, detail)
            case EffectUnknown(effect="mail", detail=detail):
                story.come_to(State.UNKNOWN, "unknown", detail)
            case CommandRejected(command_type=PlaceOrder.type, reason=reason, detail=detail):
                story.come_to(State.REJECTED, reason, detail)
        return True

    def _is_newer(self, entry: LogEntry) -> bool:
        stream, sequence = (entry.meta.source, entry.order_id), entry.meta.sequence
        if sequence is None or sequence <= self._last.get(stream, _BEFORE_ALL):
            return False
        self._last[stream] = sequence
        return True

    def at(self, *states: State) -> list[Story]:
        """The stories that have come to one of these states."""
        return [story for story in self if story.state in states]

    def by(self, way: Way) -> list[Story]:
        """The orders that were placed in this way."""
        return [story for story in self if story.way == way]

    def accepted(self) -> list[Story]:
        """Every order that the system has said yes to, whatever came of it."""
        return self.at(State.ACCEPTED, State.CONFIRMED, State.FAILED, State.UNKNOWN)

    def settled(self) -> int:
        """For how many orders nothing more is to be waited for."""
        return sum(story.settled for story in self)

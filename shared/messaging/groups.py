"""A group is the unit of reaction: what reads one topic, with its own lanes; declaring one connects to nothing."""

import inspect
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar, get_type_hints, runtime_checkable

from shared.contracts.message import CONTRACTS, Message
from shared.contracts.topics import BY_NAME, Topic, dead_letters_of
from shared.messaging.timers import Later

M = TypeVar("M", bound=Message)
Handler = Callable[..., Awaitable[Sequence[Message | Later]]]
H = TypeVar("H", bound=Handler)


@runtime_checkable
class Workspace(Protocol):
    """What the handlers of an inside group work on: made for each transaction from its connection."""

    async def open(self, messages: Sequence[Message]) -> None:
        """Locks, sorted, and loads what these messages are about."""

    async def flush(self) -> None:
        """Writes what the handlers changed."""


@dataclass(frozen=True)
class Reaction:
    """A handler and what it needs beside the message: argument name to type."""

    handler: Handler
    needs: Mapping[str, type]
    blocks: bool

    async def __call__(self, message: Message, provided: Mapping[type, Any]) -> Sequence[Message | Later]:
        return await self.handler(message, **{name: provided[kind] for name, kind in self.needs.items()})


@dataclass
class Group:
    """A group reads one topic and has at most one handler per type.

    `inside` handlers run in the transaction that finishes their message and call nothing outside the database.
    A group that `answers` takes in every type of its topic and refuses what it has no handler for.
    `knows` names a source whose records this database has dealt with when it wrote them: those of its present life are
    counted when they come back, and not handled.
    """

    name: str
    reads: Topic
    inside: bool = False
    answers: bool = False
    knows: str | None = None
    reactions: dict[type[Message], Reaction] = field(default_factory=dict)

    @property
    def dead_letters(self) -> Topic:
        """Where copies of what it gives up go."""
        return BY_NAME.get(f"{self.name}.dead-letters") or dead_letters_of(self.name, self.name)

    def on(self, contract: type[M], *, blocks: bool = True) -> Callable[[H], H]:
        """Registers the decorated function for a contract, or for all contracts of a base class.

        `blocks` says whether a message of this type that can never be handled holds up what comes after it.
        """

        def register(handler: H) -> H:
            if contract in self.reactions:
                raise TypeError(f"group {self.name} has two handlers for {contract.__name__}")
            parameters = list(inspect.signature(handler).parameters)
            hints = get_type_hints(handler)
            needs = {name: hints[name] for name in parameters[1:]}
            self.reactions[contract] = Reaction(handler, needs, blocks)
            return handler

        return register

    def reaction_to(self, contract: type[Message]) -> Reaction | None:
        """The handler for a contract: its own, else that of the nearest base class."""
        return next((self.reactions[base] for base in contract.__mro__ if base in self.reactions), None)

    def handles(self, message_type: str) -> bool:
        """Whether messages of this type are taken into the group's lanes."""
        return self.answers or self._reaction_by_name(message_type) is not None

    def blocks(self, message_type: str) -> bool:
        """Whether a message of this type that can never be handled holds up what comes after it."""
        reaction = self._reaction_by_name(message_type)
        return reaction is None or reaction.blocks

    def _reaction_by_name(self, message_type: str) -> Reaction | None:
        contract = CONTRACTS.get(message_type)
        return None if contract is None else self.reaction_to(contract)

    def needs(self) -> set[type]:
        """Everything that the group's handlers want to be given."""
        return {kind for reaction in self.reactions.values() for kind in reaction.needs.values()}

"""What an operator can want of a service; each can be written down, and be done later by whoever reads it."""

from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from shared.contracts.message import reasons
from shared.contracts.order_log import EffectKey
from shared.contracts.refusal import Refused
from shared.contracts.values import Identifier, OrderId, ShopId

Position = Annotated[int, Field(ge=1, lt=2**63)]
Incarnation = Annotated[int, Field(ge=0, lt=10**10)]
Number = Annotated[int, Field(ge=1, lt=10**12)]


class Wanted(BaseModel):
    """The base: what shall be done, and to what. `action` is its name in the records of what was done."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, use_attribute_docstrings=True)
    action: ClassVar[str]

    def __init_subclass__(cls, action: str, **rest: Any) -> None:
        super().__init_subclass__(**rest)
        cls.action = action
        ACTIONS[action] = cls


ACTIONS: dict[str, type[Wanted]] = {}
"""Everything that can be wanted, by its name."""


class RetryDead(Wanted, action="retry"):
    """A message that a group has given up is tried again, in its place."""

    group: Identifier
    position: Position


class SkipDead(Wanted, action="skip"):
    """A message that a group has given up is never handled; what waits behind it goes on."""

    group: Identifier
    position: Position


class ReleaseKey(Wanted, action="release"):
    """What waits behind a record that the broker refused is sent again, that one first."""

    topic: Identifier
    key: Identifier


class AcceptGap(Wanted, action="accept-gap"):
    """These numbers of a stream never come; what waits behind them goes on."""

    topic: Identifier
    source: Identifier
    subject: Identifier
    incarnation: Incarnation
    first: Number
    last: Number


class TakeAgain(Wanted, action="re-ingest"):
    """A record that was not understood is read again, as if it had just come."""

    position: Position


class SettleEffect(Wanted, action="settle"):
    """A call to the outside of which nobody knew whether it happened: it did, or it did not."""

    key: EffectKey
    happened: bool
    again: bool = True
    """Where it did not: whether the call is made again, or given up."""


class AskedOnOrder(Wanted, action="asked-on-order"):
    """What an entry of an order's log tells of is put right, as somebody asked on the order; it is about no other."""

    order: OrderId
    shop: ShopId
    entry: Identifier
    do: Literal["retry", "skip", "settle"]
    group: Identifier | None = None
    """Whose message, where one is tried again or skipped."""
    message: Identifier | None = None
    source: Identifier | None = None
    key: EffectKey | None = None
    """Which call, where one is settled."""
    happened: bool | None = None
    again: bool = False
    cause: Identifier
    """The id of the message that asked."""
    correlation: Identifier | None = None


def wanted_from(action: str, arguments: str) -> Wanted:
    """What was written down, its arguments as JSON. Raises Refused for what this version does not know."""
    kind = ACTIONS.get(action)
    if kind is None:
        raise Refused("unknown-action", f"{action} is not known here")
    try:
        return kind.model_validate_json(arguments)
    except ValidationError as error:
        raise Refused("malformed", "; ".join(reasons(error))) from None

"""What a source of orders hands on: every order it has, and with a reason everything that it could not make one of."""

from dataclasses import dataclass

from shared.contracts.order_commands import PlaceOrder


@dataclass(frozen=True)
class Asked:
    """An order to place for a shop; `label` is how people find it in its source, `rows` what it was made of."""

    shop: str
    label: str
    order: PlaceOrder
    rows: int = 1


@dataclass(frozen=True)
class TurnedAway:
    """What cannot be an order: a stable reason, the same in words, and how many rows it stands for."""

    label: str
    reason: str
    words: str
    rows: int

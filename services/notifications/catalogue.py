"""The message catalogue: a new message is one row here and a folder with its templates and texts, and nothing else."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from shared.contracts.order import OrderSnapshot

Part = Callable[[OrderSnapshot], OrderSnapshot]
"""What of an order the recipient is shown."""


def whole_order(order: OrderSnapshot) -> OrderSnapshot:
    """Everything, as a customer may see it."""
    return order


@dataclass(frozen=True)
class MessageKind:
    """One kind of message.

    `name` is its folder under `templates/` (`subject.txt`, `body.txt`, `body.html`, `texts.toml`) and how the order
    log calls it. `when_unknown` says what happens when nobody can say whether the mail server took it, which cannot be
    asked: a person decides, or it goes out once more under the same Message-ID, by which mail programs know it again.
    """

    name: str
    part: Part = whole_order
    when_unknown: Literal["ask-a-person", "once-more"] = "ask-a-person"


ORDER_RECEIVED = MessageKind("order-received")
"""The confirmation to the customer (R122)."""

ABOUT_ORDER = MessageKind("message-about-order")
"""What a person writes about an order, to its customer or to somebody else (R049, R121)."""

ORDER_STATUS = MessageKind("order-status")
"""What the order is called now; a shop decides which statuses send it."""

CATALOGUE = {kind.name: kind for kind in (ORDER_RECEIVED, ABOUT_ORDER, ORDER_STATUS)}

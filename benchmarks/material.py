"""Orders and records in any number: made once as the contracts make them, then about one order after another."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self
from uuid import uuid4

from shared.contracts.message import Message, Sequence, new_id, record_headers, write_record
from shared.contracts.order import OrderSnapshot
from shared.messaging.outbox import noted
from tests.builders import a_line, an_order, placed, stamped, to_place

FIRST_OF_ITS_STREAM = str(Sequence(1_790_000_000, 1))


@dataclass(frozen=True)
class Letter:
    """One record as a pattern; each copy has an order, an id and a number of its own, and is the same otherwise."""

    type: str
    text: str
    headers: Mapping[str, str]
    order_id: str
    id: str

    @classmethod
    def of(cls, message: Message) -> Self:
        """From a stamped message."""
        meta = message.meta
        return cls(message.type, write_record(message, meta), record_headers(message, meta), meta.subject, meta.id)

    def about(self, order_id: str, n: int = 1) -> str:
        """The record's text about this order, the n-th of its stream."""
        text = self.text.replace(self.order_id, order_id).replace(self.id, new_id())
        return text if n == 1 else text.replace(FIRST_OF_ITS_STREAM, str(Sequence(1_790_000_000, n)))

    def headers_about(self, order_id: str) -> dict[str, str]:
        """Its headers, about this order."""
        return {**self.headers, "ce_subject": order_id}

    def size(self) -> int:
        """Bytes of a record with its key and its headers."""
        headers = sum(len(name) + len(value.encode()) for name, value in self.headers.items())
        return len(self.order_id) + len(self.text.encode()) + headers


def order_of(lines: int) -> OrderSnapshot:
    """An order with so many lines."""
    return an_order(lines=[a_line() for _ in range(lines)])


def command_letter(lines: int = 5) -> Letter:
    """`order.place.v1`."""
    return Letter.of(to_place(order_of(lines)))


def event_letter(lines: int = 1) -> Letter:
    """`order.placed.v1`; with one line it has 2 kB."""
    return Letter.of(placed(order_of(lines)))


def entry_letter() -> Letter:
    """`order.noted.v1`, the smallest and commonest record."""
    event = placed(order_of(1))
    return Letter.of(stamped(noted(event, event.meta.id)))


def body_to_place(lines: int = 5) -> tuple[str, str]:
    """What a shop front posts, and the order id in it."""
    command = to_place(order_of(lines))
    return command.model_dump_json(), str(command.order_id)


def snapshot_to_store(lines: int = 5) -> str:
    """An order as it is stored."""
    return order_of(lines).model_dump_json()


def new_order_id() -> str:
    """A random one, as shop fronts choose them."""
    return str(uuid4())


def headers_as_json(headers: Mapping[str, str]) -> str:
    """As the outbox has them."""
    return json.dumps(headers)

"""What the relay does about errors, whatever mixture of them a batch brings."""

from collections.abc import Iterable, Sequence
from typing import Any, cast

import asyncpg
import pytest
from aiokafka.errors import KafkaTimeoutError, MessageSizeTooLargeError

from shared.messaging.relay import Relay
from shared.messaging.relay_lease import RelayLease
from shared.messaging.wakeup import Bell


class Told(Relay):
    """A relay whose broker answers as told: to a batch, and to rows sent alone."""

    def __init__(self, *answers: Sequence[BaseException | None]) -> None:
        super().__init__("", "", Bell())
        self.answers = list(answers)
        self.sent: list[list[int]] = []
        self.forgotten: list[int] = []

    async def _send(self, rows: Sequence[Any], lease: RelayLease) -> list[BaseException | None]:
        assert lease is not None
        self.sent.append([row["position"] for row in rows])
        return list(self.answers.pop(0))

    async def _unknown_of(self, topics: Iterable[str]) -> set[str]:
        assert set(topics) == {"orders.events"}
        return set()

    async def _forget(self, connection: asyncpg.Connection, token: Any, positions: list[int]) -> None:
        assert (connection, token) is not None
        self.forgotten += positions


def a_row(position: int, key: str) -> Any:
    return {"position": position, "topic": "orders.events", "aggregateid": key}


async def publish(relay: Relay, *rows: Any) -> None:
    nobody = cast("asyncpg.Connection", None)
    await relay._publish(nobody, RelayLease(nobody), rows)  # noqa: SLF001 - without a database


async def test_a_refused_row_is_not_sent_alone_before_an_earlier_one_of_its_key() -> None:
    relay = Told([KafkaTimeoutError(), MessageSizeTooLargeError()])
    with pytest.raises(KafkaTimeoutError):
        await publish(relay, a_row(1, "a"), a_row(2, "a"))
    assert relay.sent == [[1, 2]]


async def test_a_refused_row_is_sent_alone_when_nothing_of_its_key_is_before_it() -> None:
    relay = Told([KafkaTimeoutError(), MessageSizeTooLargeError()], [None])
    await publish(relay, a_row(1, "a"), a_row(2, "b"))
    assert relay.sent == [[1, 2], [2]]
    assert relay.forgotten == [2]

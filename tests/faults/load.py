"""Shop fronts that place orders and ask for confirmations, by HTTP and by topic, and repeat until they are answered."""

import asyncio
import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import TypeVar
from uuid import UUID

from shared.contracts.order import OrderSnapshot
from shared.contracts.order_commands import OrderCommand, ResendConfirmation
from tests.builders import a_customer, a_line, an_order, stamped, to_place
from tests.faults.accepted import Promises, Way
from tests.faults.payer.handlers import POISON
from tests.faults.shop_front import ShopFront

C = TypeVar("C", bound=OrderCommand)

AT_ONCE = 1000
"""Orders that are on their way at the same time: while Kafka is away many wait for it, and HTTP goes on."""


@dataclass(frozen=True)
class Story:
    """What happens to one order: how it is placed, and by which ways its confirmation is asked for afterwards."""

    order: OrderSnapshot
    placed_by: tuple[Way, ...]
    resends: tuple[Way, ...]


def stories(count: int, seed: int, poison: int = 0) -> Iterator[Story]:
    """So many orders: one in a hundred is hot, one in twenty is placed by both ways, `poison` end who works on them."""
    dice = random.Random(f"load {seed}")
    ways: list[Way] = ["http", "topic"]
    for n in range(count):
        identity = UUID(int=dice.getrandbits(128), version=4)
        customer = a_customer(email=f"kund-{seed}-{n}@kund.example")
        line = a_line(line_id=f"line-{n}", quantity=dice.randint(1, 9))
        hot = n % 100 == 50
        resends = tuple(dice.choice(ways) for _ in range(30 if hot else dice.choice((0, 1, 1, 2, 2, 3))))
        placed_by = tuple(dice.sample(ways, 1 if dice.random() > 1 / 20 else 2))
        reference = POISON if (n + 1) * poison // count > n * poison // count else ""
        yield Story(an_order(id=identity, customer=customer, lines=[line], reference=reference), placed_by, resends)


class Load:
    """Tells the stories, `per_second` new ones; `told` counts those that were told to the end."""

    def __init__(self, front: ShopFront, promises: Promises, told_stories: Iterable[Story], per_second: float) -> None:
        self.told = 0
        self._front, self._promises = front, promises
        self._stories = told_stories
        self._pause = 1.0 / per_second
        self._turns = asyncio.Semaphore(AT_ONCE)

    async def run(self) -> None:
        """Returns when every command of every story was accepted, or refused."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        async with asyncio.TaskGroup() as tasks:
            for n, story in enumerate(self._stories):
                await asyncio.sleep(max(0.0, began + n * self._pause - loop.time()))
                await self._turns.acquire()
                tasks.create_task(self._tell(story))

    async def _tell(self, story: Story) -> None:
        try:
            for way in story.placed_by:
                await self._place(story.order, way)
            for way in story.resends:
                await self._resend(story.order, way)
        finally:
            self._turns.release()
        self.told += 1

    async def _place(self, order: OrderSnapshot, way: Way) -> None:
        command = unnumbered(to_place(order))
        key = command.meta.id
        if way == "topic":
            await self._front.send(command)
        elif why := await self._front.post("/v1/orders", command.model_dump_json(), key):
            self._promises.refuse(str(order.id), "place", way, key, why)
            return
        self._promises.accept(str(order.id), "place", way, key)

    async def _resend(self, order: OrderSnapshot, way: Way) -> None:
        command = unnumbered(stamped(ResendConfirmation(order_id=order.id), shop=order.shop, source="/shop-front"))
        key = command.meta.id
        if way == "topic":
            await self._front.send(command)
        elif why := await self._front.post(f"/v1/orders/{order.id}/confirmation", '{"content": "as-then"}', key):
            self._promises.refuse(str(order.id), "resend", way, key, why)
            return
        self._promises.accept(str(order.id), "resend", way, key)


def unnumbered(command: C) -> C:
    """A shop front numbers nothing: its commands are told apart by their ids."""
    return command.stamped(replace(command.meta, sequence=None))

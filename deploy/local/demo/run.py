"""All orders are placed, some at a time, while the order log is read, until each is settled or nothing moves."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from deploy.local.demo.asked import Asked
from deploy.local.demo.checkout import Checkout
from deploy.local.demo.follow import OrderLog
from deploy.local.demo.papers import Papers
from deploy.local.demo.screen import Bars, Screen
from deploy.local.demo.shop_front import NoAnswer, ShopFront
from deploy.local.demo.stories import State, Stories, Story
from deploy.local.demo.timelines import Timelines
from deploy.local.demo.work import Work

_AT_A_TIME = 8
_TICK = 0.2


class Run:
    """One run: `check` is called all the time and raises when a service has ended; `patience` in seconds."""

    def __init__(
        self,
        front: ShopFront,
        checkout: Checkout,
        log: OrderLog,
        screen: Screen,
        check: Callable[[], None],
        patience: float = 120.0,
    ) -> None:
        self._front = front
        self._checkout = checkout
        self._log = log
        self._screen = screen
        self._check = check
        self._patience = patience
        self._placed = 0
        self.stories = Stories()

    async def tell(self, asked: Sequence[Asked]) -> None:
        """Places all of these, every second one on the command topic, and follows them on the log."""
        reading = asyncio.create_task(self._log.read(self.stories.hear))
        placing = asyncio.create_task(self._place_all(asked))
        try:
            with self._screen.bars({"placed": len(asked), "settled": len(asked)}) as bars:
                await self._watch(bars, reading, placing)
        finally:
            for task in (reading, placing):
                task.cancel()
            await asyncio.gather(reading, placing, return_exceptions=True)

    async def compare(self, timelines: Timelines) -> None:
        """Looks for every accepted order's confirmation on its own timeline."""
        await self._for_each_accepted("timelines", timelines.wait_for)

    async def work(self, work: Work) -> None:
        """Does with every accepted order what a shop does."""
        await self._for_each_accepted("handled", work.handle)

    async def print_notes(self, papers: Papers) -> None:
        """Has every accepted order's delivery note printed, and fetches it."""
        await self._for_each_accepted("printed", papers.print_note)

    async def _for_each_accepted(self, bar: str, work: Callable[[Story], Awaitable[None]]) -> None:
        accepted = self.stories.accepted()
        seen = 0
        with self._screen.bars({bar: len(accepted)}) as bars:

            async def one(number: int) -> None:
                nonlocal seen
                await work(accepted[number])
                seen += 1
                self._check()
                bars.show(bar, seen)

            await _some_at_a_time(len(accepted), one)

    async def _watch(self, bars: Bars, reading: asyncio.Task[None], placing: asyncio.Task[None]) -> None:
        clock = asyncio.get_running_loop().time
        before, moved_at = (-1, -1, -1), clock()
        while True:
            await asyncio.wait({reading} if placing.done() else {reading, placing}, timeout=_TICK)
            self._check()
            for task in (reading, placing):
                if task.done():
                    task.result()
            settled = self.stories.settled()
            bars.show("placed", self._placed)
            bars.show("settled", settled)
            now = (self._placed, settled, self.stories.entries.total())
            if now != before:
                before, moved_at = now, clock()
            if placing.done() and (settled == len(self.stories) or clock() - moved_at > self._patience):
                return

    async def _place_all(self, asked: Sequence[Asked]) -> None:
        async def place(number: int) -> None:
            await self._place(asked[number], by_topic=number % 2 == 1)
            self._placed += 1

        await _some_at_a_time(len(asked), place)

    async def _place(self, asked: Asked, *, by_topic: bool) -> None:
        try:
            if await self._front.knows(asked):
                self.stories.begin(asked, "earlier").come_to(State.ACCEPTED)
                return
            paid = await self._checkout.paid(asked)
            await self._front.place(self.stories.begin(paid, "topic" if by_topic else "http"))
        except NoAnswer as silence:
            self.stories.begin(asked, "http").words = str(silence)


async def _some_at_a_time(count: int, work: Callable[[int], Awaitable[None]]) -> None:
    numbers = iter(range(count))

    async def worker() -> None:
        for number in numbers:
            await work(number)

    await asyncio.gather(*(worker() for _ in range(_AT_A_TIME)))

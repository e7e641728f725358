"""The last word on an order is its own timeline, asked over HTTP; what stands on no timeline was not told."""

import asyncio

from deploy.local.demo.shop_front import NoAnswer, ShopFront
from deploy.local.demo.stories import CONFIRMATION, State, Story
from shared.contracts.order_log import EffectUnknown, MessageFailed, MessageSent

_ENDS = {MessageSent.type: State.CONFIRMED, MessageFailed.type: State.FAILED, EffectUnknown.type: State.UNKNOWN}
_EVERY = 0.25


class Timelines:
    """Asks for each order with its shop's token; a confirmation not there yet is waited for, `patience` seconds."""

    def __init__(self, front: ShopFront, patience: float = 30.0) -> None:
        self._front = front
        self._patience = patience

    async def wait_for(self, story: Story) -> None:
        """Sets `on_timeline` when the confirmation is there; what the timeline says is in the story afterwards."""
        deadline = asyncio.get_running_loop().time() + self._patience
        while True:
            try:
                await self._look(story)
            except NoAnswer as silence:
                story.words = str(silence)
                return
            if story.on_timeline or story.state in {State.FAILED, State.UNKNOWN}:
                return
            if asyncio.get_running_loop().time() > deadline:
                return
            await asyncio.sleep(_EVERY)

    async def _look(self, story: Story) -> None:
        for entry in await self._front.log_of(story.asked, list(_ENDS)):
            data = entry["data"]
            if data.get("template", CONFIRMATION) == CONFIRMATION:
                story.come_to(_ENDS[entry["type"]], data.get("reason", ""), data.get("detail", ""))
                story.on_timeline |= entry["type"] == MessageSent.type

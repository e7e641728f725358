"""What the mailbox took is counted by itself, so that what the log says can be held against it."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import httpx2

from deploy.local.demo.stories import Story

_PER_PAGE = 1000


@dataclass(frozen=True)
class MailCheck:
    """The mails of these orders in the mailbox: how many, which came twice, and which the log promised in vain."""

    found: int
    doubled: list[str]
    missing: list[str]

    @property
    def right(self) -> bool:
        """Whether every mail that the log calls sent is there once."""
        return not self.doubled and not self.missing


class Mailbox:
    """The mailbox's JSON API."""

    def __init__(self, http: httpx2.AsyncClient) -> None:
        self._http = http

    async def last_number(self) -> int:
        """The number of the newest mail; 0 where there is none."""
        newest = await self._page({"limit": 1})
        return int(newest[0]["number"]) if newest else 0

    async def message_ids(self, after: int) -> list[str]:
        """The Message-IDs of all mails with a number above `after`."""
        found: list[str] = []
        before: dict[str, int] = {}
        while page := await self._page({"after": after, "limit": _PER_PAGE, **before}):
            found += [message["message_id"] for message in page]
            before = {"before": page[-1]["number"]}
        return found

    async def _page(self, asked: dict[str, int]) -> list[dict[str, Any]]:
        answer = await self._http.get("/api/messages", params=asked)
        answer.raise_for_status()
        messages: list[dict[str, Any]] = answer.json()["messages"]
        return messages


def check_mails(stories: Iterable[Story], message_ids: Iterable[str]) -> MailCheck:
    """Holds the mails that the log calls sent against those in the mailbox."""
    sent = {story.message_id for story in stories if story.message_id and story.way != "earlier"}
    counts = Counter(message_id for message_id in message_ids if message_id in sent)
    doubled = sorted(message_id for message_id, count in counts.items() if count > 1)
    return MailCheck(found=counts.total(), doubled=doubled, missing=sorted(sent - counts.keys()))

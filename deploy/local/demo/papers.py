"""Each accepted order's delivery note is asked for, waited for on the timeline, and fetched, as a shop would do it."""

import asyncio
from collections.abc import Mapping

import httpx2

from deploy.local.demo.shop_front import NoAnswer, ShopFront
from deploy.local.demo.stories import Story
from shared.contracts.files import DocumentKind
from shared.contracts.order_log import DocumentFailed, DocumentPrinted, ReactionDead

NOTE: DocumentKind = "delivery-note"
_TYPES = [DocumentPrinted.type, DocumentFailed.type, ReactionDead.type]
_EVERY = 0.25


class Papers:
    """Prints with the shops' tokens; `tokens` are those of documents, `patience` is in seconds."""

    def __init__(
        self, front: ShopFront, documents: httpx2.AsyncClient, tokens: Mapping[str, str], patience: float = 60.0
    ) -> None:
        self._front, self._documents, self._tokens, self._patience = front, documents, tokens, patience

    async def print_note(self, story: Story) -> None:
        """Sets `printed` when the note is there and is a PDF, else `no_paper` to why it is not."""
        try:
            await self._front.ask_for(story.asked, NOTE)
            story.document_id = await self._printed(story)
            headers = {"Authorization": f"Bearer {self._tokens[story.asked.shop]}"}
            answer = await self._documents.get(f"/v1/documents/{story.document_id}", headers=headers)
        except (NoAnswer, httpx2.TransportError) as problem:
            story.no_paper = str(problem) or type(problem).__name__
            return
        story.printed = answer.is_success and answer.content.startswith(b"%PDF-")
        if not story.printed:
            story.no_paper = f"documents answers HTTP {answer.status_code}: {answer.text[:200]}"

    async def _printed(self, story: Story) -> str:
        """The document's id. Raises NoAnswer when the timeline says that there is none, or says nothing."""
        deadline = asyncio.get_running_loop().time() + self._patience
        while asyncio.get_running_loop().time() < deadline:
            for entry in await self._front.log_of(story.asked, _TYPES):
                said = entry["data"]
                if entry["type"] == DocumentPrinted.type and said["document"] == NOTE:
                    return str(said["document_id"])
                if said.get("document", NOTE) == NOTE and said.get("group", "documents") == "documents":
                    raise NoAnswer(f"{entry['type']}: {said.get('reason', '')} {said.get('detail', '')}".strip())
            await asyncio.sleep(_EVERY)
        raise NoAnswer(f"its timeline says nothing of a {NOTE} after {self._patience:.0f} s")

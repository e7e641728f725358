"""One request gives one document: set, kept under its content's hash, recorded, and told on the order log.

All of it may be done again: the same request gives the same bytes, and the same bytes are one file.
"""

from typing import Protocol, TypeVar

from services.documents import metrics
from services.documents.archive import Archive, Kept
from services.documents.press import Printed
from services.documents.store import Files
from services.documents.typesetting import PrintRequest
from shared.contracts.files import FileRef
from shared.contracts.order_events import DocumentRequested
from shared.contracts.order_log import DocumentFailed, DocumentPrinted, LogEntry
from shared.contracts.shop_facts import ShopFact, ShopSettings
from shared.contracts.values import on_one_line
from shared.runtime.child import Fault

F = TypeVar("F", bound=ShopFact)

PDF = "application/pdf"


class Facts(Protocol):
    """What is known of a shop; raises Retry while it is not."""

    async def of(self, shop: str, contract: type[F]) -> F: ...


class Presses(Protocol):
    """Where documents are set."""

    async def print(self, request: PrintRequest) -> Printed: ...


class Printing:
    """What the handler prints with."""

    def __init__(self, facts: Facts, presses: Presses, files: Files, archive: Archive) -> None:
        self._facts, self._presses, self._files, self._archive = facts, presses, files, archive

    async def print(self, event: DocumentRequested) -> LogEntry:
        """What the order log shall say of it. Raises Retry while the shop is not known, NotMade to be tried again."""
        shop = await self._facts.of(event.meta.shop, ShopSettings)
        request = PrintRequest(
            document=event.document, language=event.language, at=event.meta.time, order=event.order, shop=shop
        )
        try:
            with metrics.seconds.labels(event.document).time():
                file = await self._kept(request, event)
        except Fault as fault:
            metrics.printed.labels(event.document, "failed").inc()
            return _failed(event, str(fault))
        metrics.printed.labels(event.document, "printed").inc()
        return DocumentPrinted(
            order_id=event.order.id,
            outcome="done",
            summary="document.printed",
            parameters={"document": event.document, "language": event.language},
            document=event.document,
            language=event.language,
            document_id=event.meta.id,
            file=file,
        )

    async def _kept(self, request: PrintRequest, event: DocumentRequested) -> FileRef:
        printed = await self._presses.print(request)
        digest = await self._files.keep(printed.content)
        file = FileRef(sha256=digest, name=printed.name, media_type=PDF, size=len(printed.content))
        meta = event.meta
        await self._archive.add(
            Kept(meta.id, meta.shop, event.order.id, event.document, event.language, file, meta.time)
        )
        return file


def _failed(event: DocumentRequested, detail: str) -> DocumentFailed:
    return DocumentFailed(
        order_id=event.order.id,
        outcome="failed",
        summary="document.failed",
        parameters={"document": event.document, "language": event.language, "reason": "not-typeset"},
        document=event.document,
        language=event.language,
        reason="not-typeset",
        detail=on_one_line(detail, 500),
    )

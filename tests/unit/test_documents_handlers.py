"""A document that is asked for is printed, kept and told; what cannot be made is told too, and the rest tried again."""

from typing import Any, TypeVar

import pytest

from services.documents.archive import Kept
from services.documents.handlers import documents, print_document
from services.documents.press import Printed
from services.documents.printing import Printing
from services.documents.typesetting import PrintRequest
from shared.contracts.order_events import DocumentRequested
from shared.contracts.order_log import DocumentFailed, DocumentPrinted
from shared.contracts.shop_facts import ShopFact, ShopSettings
from shared.contracts.topics import ORDERS_EVENTS
from shared.messaging.failures import Retry
from shared.runtime.child import Fault
from shared.runtime.children import NotMade
from tests.builders import a_shop, an_order, document_requested

F = TypeVar("F", bound=ShopFact)


class Shops:
    """Facts about one shop, or none."""

    def __init__(self, shop: ShopSettings | None) -> None:
        self._shop = shop

    async def of(self, shop: str, contract: type[F]) -> F:
        if not isinstance(self._shop, contract):
            raise Retry(f"nothing is known of {shop}")
        return self._shop


class Press:
    """Prints one thing, or fails."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error, self.asked = error, list[PrintRequest]()

    async def print(self, request: PrintRequest) -> Printed:
        self.asked.append(request)
        if self.error:
            raise self.error
        return Printed("note.pdf", b"%PDF")


class Kepts:
    """A store and an archive in memory."""

    def __init__(self) -> None:
        self.contents, self.documents = list[bytes](), list[Kept]()

    async def keep(self, content: bytes) -> str:
        self.contents.append(content)
        return "ab" * 32

    async def add(self, kept: Kept) -> None:
        self.documents.append(kept)


def printing(press: Press, kepts: Kepts, shop: ShopSettings | None = None) -> Printing:
    anything: Any = kepts
    return Printing(Shops(shop), press, anything, anything)


async def test_a_document_is_printed_kept_recorded_and_told() -> None:
    event, press, kepts = document_requested(an_order(), language="fi"), Press(), Kepts()
    (entry,) = await print_document(event, printing(press, kepts, a_shop()))
    (request,) = press.asked
    assert (request.document, request.language, request.at, request.order) == (
        *("delivery-note", "fi"),
        *(event.meta.time, event.order),
    )
    assert isinstance(entry, DocumentPrinted)
    assert (entry.document_id, entry.outcome, entry.file.name, entry.file.size) == (
        *(event.meta.id, "done"),
        *("note.pdf", 4),
    )
    assert kepts.contents == [b"%PDF"]
    assert [(kept.id, kept.shop, kept.file) for kept in kepts.documents] == [(event.meta.id, "nordic-tea", entry.file)]


async def test_a_document_that_cannot_be_set_is_told_as_failed() -> None:
    event, kepts = document_requested(an_order()), Kepts()
    (entry,) = await print_document(event, printing(Press(Fault("pick-list: unknown variable\nx")), kepts, a_shop()))
    assert isinstance(entry, DocumentFailed)
    assert (entry.outcome, entry.reason, entry.detail) == ("failed", "not-typeset", "pick-list: unknown variable x")
    assert not kepts.documents


async def test_what_took_too_long_is_tried_again() -> None:
    with pytest.raises(NotMade):
        await print_document(
            document_requested(an_order()), printing(Press(NotMade("not made within 30 s")), Kepts(), a_shop())
        )


async def test_a_document_of_a_shop_that_is_not_known_yet_waits() -> None:
    with pytest.raises(Retry):
        await print_document(document_requested(an_order()), printing(Press(), Kepts()))


def test_a_document_that_cannot_be_made_holds_up_no_other() -> None:
    assert documents.reads is ORDERS_EVENTS
    assert not documents.blocks(DocumentRequested.type)

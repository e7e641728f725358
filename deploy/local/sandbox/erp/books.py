"""A reference has one document for ever, and a change is made to the revision that its maker has seen, or not made."""

from collections import Counter
from pathlib import Path

from pydantic import Field

from deploy.local.sandbox.answers import Refused
from deploy.local.sandbox.desk import Desk
from deploy.local.sandbox.erp.model import VAT_RATES, SalesOrder, SalesOrderWanted
from deploy.local.sandbox.executed import Executed
from deploy.local.sandbox.ledger import Entry
from deploy.local.sandbox.misbehaviour import Misbehaviour

BEFORE_THE_FIRST = 10_000


class ErpMisbehaviour(Misbehaviour):
    """How Sandbox ERP behaves."""

    refused_articles: list[str] = Field(default_factory=lambda: ["REFUSED"])
    """Article numbers that it does not take."""


class SalesOrders:
    """All companies' sales orders."""

    def __init__(self, folder: Path, desk: Desk) -> None:
        self._orders: dict[tuple[str, int], SalesOrder] = {}
        self._numbers: dict[tuple[str, str], int] = {}
        self._last: Counter[str] = Counter()
        self._desk = desk
        self.executed = Executed(folder, self._apply, desk, None)

    def get(self, company: str, number: int) -> SalesOrder:
        """Raises Refused where the company has no such document."""
        found = self._orders.get((company, number))
        if found is None:
            raise Refused(404, "DOCUMENT_NOT_FOUND", f"There is no sales order {number}.")
        return found

    def with_reference(self, company: str, reference: str) -> list[SalesOrder]:
        """The one document of a reference, or none."""
        number = self._numbers.get((company, reference))
        return [] if number is None else [self.get(company, number)]

    async def create(self, company: str, wanted: SalesOrderWanted) -> SalesOrder:
        """Raises Refused for a reference that has a document, and for what the ERP does not take."""
        reference = wanted.external_reference
        async with self._desk.turn(f"reference {company} {reference}"):
            number = self._numbers.get((company, reference))
            if number is not None:
                message = f"{reference} is sales order {number} already."
                raise Refused(409, "DUPLICATE_EXTERNAL_REFERENCE", message, documentNumber=number)
            self._refuse(wanted)
            self._last[company] += 1
            order = SalesOrder(
                **wanted.model_dump(), document_number=BEFORE_THE_FIRST + self._last[company], revision=1
            )
            await self._add(company, order, "created")
            return order

    async def change(self, company: str, number: int, revision: int, wanted: SalesOrderWanted) -> SalesOrder:
        """Raises Refused where the document has another revision by now, and for what the ERP does not take."""
        async with self._desk.turn(f"document {company} {number}"):
            order = self.get(company, number)
            if order.revision != revision:
                message = f"The sales order has revision {order.revision}."
                raise Refused(412, "REVISION_MISMATCH", message, revision=order.revision)
            if order.external_reference != wanted.external_reference:
                raise Refused(422, "EXTERNAL_REFERENCE_IS_FIXED", "A document keeps its external reference.")
            self._refuse(wanted)
            changed = SalesOrder(**wanted.model_dump(), document_number=number, revision=revision + 1)
            await self._add(company, changed, "changed")
            return changed

    def _refuse(self, wanted: SalesOrderWanted) -> None:
        misbehaviour = self._desk.misbehaviour
        refused = misbehaviour.refused_articles if isinstance(misbehaviour, ErpMisbehaviour) else []
        for n, row in enumerate(wanted.rows):
            if row.article_number in refused:
                message = f"There is no article {row.article_number}."
                raise Refused(422, "ARTICLE_REFUSED", message, field=f"rows.{n}.articleNumber")
            if row.vat_code not in VAT_RATES:
                raise Refused(422, "UNKNOWN_VAT_CODE", f"VAT code {row.vat_code}?", field=f"rows.{n}.vatCode")

    async def _add(self, company: str, order: SalesOrder, did: str) -> None:
        reference, number = order.external_reference, order.document_number
        document = order.model_dump(by_alias=True)
        await self.executed.add(account=company, did=did, reference=reference, number=number, document=document)

    def _apply(self, entry: Entry) -> None:
        order, company = SalesOrder.model_validate(entry["document"]), entry["account"]
        self._orders[company, order.document_number] = order
        self._numbers[company, order.external_reference] = order.document_number
        self._last[company] = max(self._last[company], order.document_number - BEFORE_THE_FIRST)

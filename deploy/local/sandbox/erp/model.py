"""A sales order in an ERP's words: camelCase, decimals as text, totals that the ERP works out by itself."""

from decimal import ROUND_HALF_UP, Decimal
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

VAT_RATES = {
    "SE25": Decimal("0.25"),
    "SE12": Decimal("0.12"),
    "SE06": Decimal("0.06"),
    "FI255": Decimal("0.255"),
    "FI135": Decimal("0.135"),
    "FI10": Decimal("0.10"),
    "GB20": Decimal("0.20"),
    "GB175": Decimal("0.175"),
    "EU": Decimal(0),
    "EXPORT": Decimal(0),
    "NONE": Decimal(0),
}
"""The codes that the ERP knows."""
CENT = Decimal("0.01")

DecimalText = Annotated[str, Field(pattern=r"^-?\d{1,12}(\.\d{1,4})?$")]
Text = Annotated[str, Field(min_length=1, max_length=200)]


class Document(BaseModel):
    """What all parts of a document have in common: its words are camelCase outside."""

    model_config = ConfigDict(frozen=True, extra="forbid", alias_generator=to_camel, populate_by_name=True)


class Row(Document):
    article_number: Text
    description: str = ""
    quantity: DecimalText
    unit_price: DecimalText
    """Without VAT."""
    vat_code: str

    @property
    def net(self) -> Decimal:
        return (Decimal(self.quantity) * Decimal(self.unit_price)).quantize(CENT, ROUND_HALF_UP)

    @property
    def vat(self) -> Decimal:
        return (self.net * VAT_RATES[self.vat_code]).quantize(CENT, ROUND_HALF_UP)


class SalesOrderWanted(Document):
    """What a document shall say."""

    external_reference: Text
    customer_name: Text
    customer_number: str | None = None
    order_date: Annotated[str, Field(pattern=r"^\d{4}-\d{2}-\d{2}$")]
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")]
    remarks: str = ""
    cancelled: bool = False
    rows: Annotated[tuple[Row, ...], Field(min_length=1, max_length=2100)]


class SalesOrder(SalesOrderWanted):
    """A document as it stands; a change makes a new one."""

    document_number: int
    revision: int

    def shown(self) -> dict[str, object]:
        """The document as the API shows it, with its totals: VAT is rounded for each row, half a cent up."""
        nothing = Decimal("0.00")
        net, vat = sum((row.net for row in self.rows), nothing), sum((row.vat for row in self.rows), nothing)
        totals = {"netTotal": str(net), "vatTotal": str(vat), "grossTotal": str(net + vat)}
        return self.model_dump(by_alias=True) | totals

"""From an order to the pages of a PDF: Typst sets data, never markup, with its own fonts and without a network.

The same request gives the same bytes: the document's date is that of the event that asked for it.
"""

import json
from dataclasses import asdict
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any, Literal

import typst
from pydantic import BaseModel, ConfigDict

from services.documents.papers import CATALOGUE, Units
from shared.contracts.files import DocumentKind
from shared.contracts.order import OrderSnapshot
from shared.contracts.shop_facts import ShopSettings
from shared.contracts.values import Language
from shared.runtime.child import Fault
from shared.runtime.presentation.formats import Formats
from shared.runtime.presentation.shown import LineShown, order_shown, shop_shown
from shared.runtime.presentation.texts import read_texts

TEMPLATES = Path(__file__).parent / "templates"
STANDARDS: list[Literal["a-2a", "ua-1"]] = ["a-2a", "ua-1"]
"""PDF/A for keeping, PDF/UA for screen readers."""


class PrintRequest(BaseModel):
    """Everything that a document is made from; `at` is when it was asked for."""

    model_config = ConfigDict(hide_input_in_errors=True)

    document: DocumentKind
    language: Language
    at: datetime
    order: OrderSnapshot
    shop: ShopSettings


class Typesetting:
    """Sets the documents whose templates lie in a folder; compilers and texts are kept."""

    def __init__(self, folder: Path = TEMPLATES) -> None:
        self._folder = folder
        self._texts = cache(lambda kind: read_texts(folder, kind))
        self._compilers = cache(self._compiler)

    def pages(self, request: PrintRequest) -> bytes:
        """The PDF. Raises Fault where the template is wrong; TextsIncomplete, OSError for a folder that is."""
        inputs = {"data": json.dumps(self.given(request))}
        compiler = self._compilers(request.document)
        try:
            return self._set(compiler, inputs, strict=True)
        except typst.TypstError:
            pass  # a character that no font here has: the standards refuse it, paper does not
        try:
            return self._set(compiler, inputs, strict=False)
        except typst.TypstError as error:
            raise Fault(f"{request.document}: {error}") from None

    def file_name(self, request: PrintRequest) -> str:
        """What the file is called when it is saved."""
        return self._texts(request.document)[request.language]("file_name", number=str(request.order.number)) + ".pdf"

    def given(self, request: PrintRequest) -> dict[str, Any]:
        """What the template is given."""
        formats = Formats(request.language, request.shop.time_zone)
        order = order_shown(request.order, request.shop, formats)
        texts = self._texts(request.document)[request.language]
        at = request.at.astimezone(UTC)
        counted = [CATALOGUE[request.document](line) for line in request.order.lines]
        found = [(units, line) for units, line in zip(counted, order.lines, strict=True) if units is not None]
        rows = [_row(units, line, formats) for units, line in found]
        units = sum(each.now for each, _ in found)
        return {
            "language": request.language,
            "texts": texts.all(),
            "order": {name: value for name, value in asdict(order).items() if name != "lines"},
            "shop": asdict(shop_shown(request.shop)),
            "rows": rows,
            "counted": {"lines": formats.number(len(rows)), "units": formats.number(units)},
            "printed": {"day": formats.local_day(request.at), "time": formats.local_time(request.at)},
            "date": {name: getattr(at, name) for name in ("year", "month", "day", "hour", "minute", "second")},
        }

    def _set(self, compiler: typst.Compiler, inputs: dict[str, str], *, strict: bool) -> bytes:
        pdf = compiler.compile(format="pdf", sys_inputs=inputs, pdf_standards=[*STANDARDS] if strict else [])
        assert isinstance(pdf, bytes)  # noqa: S101 - a PDF is one file
        return pdf

    def _compiler(self, kind: DocumentKind) -> typst.Compiler:
        return typst.Compiler(str(self._folder / kind / "page.typ"), root=str(self._folder), ignore_system_fonts=True)


def _row(units: Units, line: LineShown, formats: Formats) -> dict[str, str]:
    later = formats.number(units.later) if units.later else ""
    return {**asdict(line), "now": formats.number(units.now), "later": later}

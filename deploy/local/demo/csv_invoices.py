"""Every row of every file belongs to exactly one invoice; an unreadable row spoils its invoice, never vanishes."""

import csv
import io
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path
from zoneinfo import ZoneInfo

from deploy.local.failure import LocalStackError

COLUMNS = ("InvoiceNo", "StockCode", "Description", "Quantity", "InvoiceDate", "UnitPrice", "CustomerID", "Country")
TIME_ZONE = "Europe/London"
_UNREADABLE = ""
_AT = "%Y-%m-%d %H:%M:%S"


class OrderFilesError(LocalStackError):
    """The folder of order files cannot be used; the message names the folder, or the file and its line."""


@dataclass(frozen=True)
class Row:
    """One row that could be read: the price in pounds for one unit, the moment in the shop's own time zone."""

    line: int
    stock_code: str
    description: str
    quantity: int
    at: datetime
    price: Decimal
    customer: str
    country: str


@dataclass
class Invoice:
    """The rows of one file that bear the same invoice number, and what is wrong with those that cannot be read."""

    file: str
    number: str
    first_line: int
    rows: list[Row] = field(default_factory=list)
    unreadable: list[str] = field(default_factory=list)

    @property
    def row_count(self) -> int:
        """How many rows of its file the invoice has."""
        return len(self.rows) + len(self.unreadable)


def invoices_in(folder: Path) -> Iterator[Invoice]:
    """All invoices of the folder's CSV files, file by file, in the order in which they begin.

    Raises OrderFilesError for a folder without such files, and for a file that is not of this format.
    """
    for path in order_files(folder):
        yield from _invoices_of(path)


def order_files(folder: Path) -> list[Path]:
    """The CSV files of the folder, by name. Raises OrderFilesError where there is no such folder or none in it."""
    if not folder.exists():
        raise OrderFilesError(
            f"There is no folder {folder.absolute()}: DATA must name one that holds CSV files of orders."
        )
    if not folder.is_dir():
        raise OrderFilesError(f"{folder.absolute()} is a file: DATA must name the folder that holds it.")
    files = sorted(path for path in folder.iterdir() if path.suffix.lower() == ".csv" and path.is_file())
    if not files:
        raise OrderFilesError(f"There is no CSV file in {folder.absolute()}.")
    return files


def _invoices_of(path: Path) -> Iterable[Invoice]:
    invoices: dict[str | int, Invoice] = {}
    for line, fields in _records(path):
        number = fields.get("InvoiceNo", "").strip()
        invoice = invoices.setdefault(number or line, Invoice(path.name, number, line))
        try:
            invoice.rows.append(_row(line, fields))
        except ValueError as problem:
            invoice.unreadable.append(f"line {line}: {problem}")
    return invoices.values()


def _records(path: Path) -> Iterator[tuple[int, dict[str, str]]]:
    """Line number and named fields of each row; of a row with too many or too few, only the invoice number."""
    reader = csv.reader(io.StringIO(_text(path), newline=""), strict=True)
    try:
        header = [name.strip() for name in next(reader, [])]
        _check_header(path, header)
        for values in reader:
            fields = dict(zip(header, values, strict=False))
            if len(values) == len(header):
                yield reader.line_num, fields
            elif values:
                has = f"{len(values)} fields instead of {len(header)}"
                yield reader.line_num, {"InvoiceNo": fields.get("InvoiceNo", ""), _UNREADABLE: has}
    except csv.Error as problem:
        raise OrderFilesError(f"{path}, line {reader.line_num}: this is not CSV ({problem}).") from None


def _text(path: Path) -> str:
    try:
        raw = path.read_bytes()
    except OSError as problem:
        raise OrderFilesError(f"{path} cannot be read: {problem.strerror}.") from None
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as problem:
        line = raw.count(b"\n", 0, problem.start) + 1
        raise OrderFilesError(f"{path}, line {line}: this is not UTF-8 text.") from None


def _check_header(path: Path, header: list[str]) -> None:
    missing = [name for name in COLUMNS if name not in header]
    if missing:
        raise OrderFilesError(
            f"{path}, line 1: {_listed(missing)} missing; the columns must be {', '.join(COLUMNS)}, "
            f"and are {', '.join(header)[:300] or 'none'}."
        )


def _listed(names: list[str]) -> str:
    return f"the column {names[0]} is" if len(names) == 1 else f"the columns {', '.join(names)} are"


def _row(line: int, fields: dict[str, str]) -> Row:
    if _UNREADABLE in fields:
        raise ValueError(fields[_UNREADABLE])
    return Row(
        line=line,
        stock_code=fields["StockCode"].strip(),
        description=fields["Description"].strip(),
        quantity=_whole(fields["Quantity"], "Quantity"),
        at=_moment(fields["InvoiceDate"]),
        price=_number(fields["UnitPrice"], "UnitPrice"),
        customer=fields["CustomerID"].strip().removesuffix(".0"),
        country=fields["Country"].strip(),
    )


def _number(text: str, column: str) -> Decimal:
    try:
        number = Decimal(text.strip())
    except InvalidOperation:
        number = Decimal("NaN")
    if not number.is_finite() or number.adjusted() > 12:  # noqa: PLR2004 - beyond any price or quantity
        raise ValueError(f"{column} is {text[:40]!r}, not a number")
    return number


def _whole(text: str, column: str) -> int:
    number = _number(text, column)
    if number != number.to_integral_value():
        raise ValueError(f"{column} is {text[:40]!r}, not a whole number")
    return int(number)


def _moment(text: str) -> datetime:
    try:
        return datetime.strptime(text.strip(), _AT).replace(tzinfo=ZoneInfo(TIME_ZONE))
    except ValueError:
        raise ValueError(f"InvoiceDate is {text[:40]!r}, not like 2010-12-01 08:26:00") from None

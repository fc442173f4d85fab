"""Tables in files: the rows of a CSV or an XLSX file, as text and numbers, nothing interpreted."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from pay88kit.errors import WrongUse, needs

# Excel shows fifteen digits of a number. Above this, cents need more; no Excel wrote those.
_EXCEL_DIGITS, _ALL_SHOWN = 15, 1e13


@dataclass(frozen=True)
class Sheet:
    """A table with a header.

    Attributes:
        columns: the header, in order.
        rows: the number of each row in the file (the header is 1), and its cells by column. Empty
            cells are left out, and so are rows without any.
    """

    columns: tuple[str, ...]
    rows: Iterator[tuple[int, Mapping[str, Any]]]


def read(path: Path, *, encoding: str | None = None, sheet: str | None = None) -> Sheet:
    """Read a table; ``.xlsx`` by its ending, anything else as CSV.

    A CSV is UTF-8 (or what its byte order mark says) unless ``encoding`` names another, and its
    cells are divided by commas, semicolons or tabs, as its header is. In a spreadsheet the first
    sheet is read, or the one that is named; of a formula its last result counts.

    Raises:
        WrongUse: it is no such file, or has no header or a column twice.
        OSError: it cannot be read.
    """
    if path.suffix.lower() == ".xlsx":
        if encoding is not None:
            raise WrongUse(f"encoding: {path.name} is a spreadsheet, which has none. Leave it out.")
        lines = _xlsx(path, sheet)
    else:
        if sheet is not None:
            raise WrongUse(f"sheet: {path.name} is no .xlsx file. Leave it out.")
        lines = _csv(path, encoding)
    return _with_header(path.name, lines)


def _with_header(name: str, lines: Iterator[list[Any]]) -> Sheet:
    header = [str(cell).strip() if cell is not None else "" for cell in next(lines, [])]
    columns = tuple(column for column in header if column)
    if not columns:
        raise WrongUse(f"{name}: its first row is empty. It must name the columns.")
    twice = sorted({column for column in columns if columns.count(column) > 1})
    if twice:
        raise WrongUse(f"{name}: two columns are called {twice[0]!r}. Give each its own name.")

    def rows() -> Iterator[tuple[int, Mapping[str, Any]]]:
        for number, line in enumerate(lines, 2):
            cells = {
                column: cell
                for column, cell in zip(header, line, strict=False)
                if column and not _is_empty(cell)
            }
            if any(not _is_empty(cell) for cell in line[len(header) :]):
                # Nearly always a divider within a text that has no quotes: what follows it has
                # moved to the wrong column.
                cells[""] = "more cells than the header has"
            if cells:
                yield number, cells

    return Sheet(columns, rows())


def _is_empty(cell: Any) -> bool:
    return cell is None or (isinstance(cell, str) and not cell.strip())


def _csv(path: Path, encoding: str | None) -> Iterator[list[Any]]:
    raw = path.read_bytes()
    marks = {b"\xef\xbb\xbf": "utf-8-sig", b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}
    marked = next((name for mark, name in marks.items() if raw.startswith(mark)), "utf-8")
    try:
        # Whoever names the encoding need not know that Excel puts a mark before the first column.
        text = raw.decode(encoding or marked).removeprefix("\ufeff")
    except LookupError:
        raise WrongUse(f"encoding: {encoding!r} is unknown. Use utf-8 or cp1252.") from None
    except UnicodeDecodeError as error:
        raise WrongUse(
            f"{path.name}: byte {error.start + 1} is not {encoding or marked}. A file from Excel "
            "in Latin America is often cp1252: name it as the encoding."
        ) from None
    first = text.split("\n", 1)[0]
    divider = max(",;\t", key=first.count)
    try:
        yield from csv.reader(io.StringIO(text, newline=""), delimiter=divider, strict=True)
    except csv.Error as error:
        raise WrongUse(f"{path.name}: is no CSV file: {error}. Save it again as CSV.") from None


def _xlsx(path: Path, sheet: str | None) -> Iterator[list[Any]]:
    with needs("frames"):
        from openpyxl import load_workbook
    try:
        book = load_workbook(path, read_only=True, data_only=True)
    except OSError:
        raise
    except Exception:
        raise WrongUse(f"{path.name}: is no .xlsx file. Save it again in Excel.") from None
    try:
        if sheet is not None and sheet not in book.sheetnames:
            raise WrongUse(f"sheet: {path.name} has {', '.join(book.sheetnames)}, not {sheet!r}.")
        table = book[sheet] if sheet is not None else book.worksheets[0]
        lines = table.iter_rows(values_only=True)
        while (line := _next(lines, path)) is not None:
            yield [_exact(cell) for cell in line]
    finally:
        book.close()


def _next(lines: Iterator[Any], path: Path) -> Any:
    try:
        return next(lines, None)
    except Exception:  # a damaged part inside a good archive: any error of any parser
        raise WrongUse(
            f"{path.name}: the sheet is damaged and cannot be read. Save it again in Excel."
        ) from None


def _exact(cell: Any) -> Any:
    """A cell's value; a number as the decimal that Excel shows."""
    if isinstance(cell, float):
        return Decimal(f"{cell:.{_EXCEL_DIGITS}g}" if abs(cell) < _ALL_SHOWN else repr(cell))
    if isinstance(cell, date) and not isinstance(cell, datetime):
        return cell.isoformat()
    return cell

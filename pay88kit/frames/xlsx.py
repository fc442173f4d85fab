"""A frame as an Excel workbook: numbers are numbers, text is text, whatever it looks like."""

from __future__ import annotations

import math
import os
import re
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from itertools import chain
from typing import TYPE_CHECKING, Any

from pay88kit import money
from pay88kit.errors import FrameError, needs
from pay88kit.frames.columns import is_missing, plain, with_index
from pay88kit.frames.files import private

if TYPE_CHECKING:
    import pandas as pd

# What a sheet holds: Excel's own limits.
ROWS, COLUMNS, CHARACTERS, DIGITS = 1_048_576, 16_384, 32_767, 15
_FIRST_YEAR = 1901  # Excel's calendar has a 29 February 1900, so nothing before 1901 is sure
_FORMATS = {"amount": "#,##0.00", "time": "yyyy-mm-dd hh:mm:ss", "day": "yyyy-mm-dd"}
# Of a column, in characters: Excel shows a number or a time that does not fit as ####.
_NARROWEST, _WIDEST = 12, 60
# Of the name of a sheet: its length, and what it cannot have.
_NAME = 31
_NO_NAME = re.compile(r"[\\/?*:\[\]\x00-\x1f\ud800-\udfff\ufffe\uffff]")
# In a workbook, _x000D_ stands for the character 0D; a text that has such a piece gets it escaped.
_UNSAFE = re.compile(r"[\x00-\x08\x0b-\x1f\ufffe\uffff]|_(?=x[0-9A-Fa-f]{4}_)")


@dataclass(frozen=True)
class Amount:
    """An amount with its currency, three capital letters: a number that shows both."""

    value: Decimal
    currency: str

    def __str__(self) -> str:
        return money.show(self.value, self.currency)


def save_xlsx(frame: pd.DataFrame, path: str | os.PathLike[str], sheet: str = "88Pay") -> None:
    """Write the frame as a workbook with one sheet, which only its owner reads.

    Amounts and counts are numbers, so that Excel adds them; times are Excel's times, in UTC and to
    the second on the screen, days are Excel's days; text stays text also when it begins with
    ``=``. Excel keeps 15 digits: a longer number is written as text, so that no digit is lost, and
    Excel does not add it. A time before 1901 is text too.

    Raises:
        FrameError: more rows, columns or text in a cell than Excel holds; a name that no sheet
            can have.
        OSError: the file cannot be written.
    """
    with needs("frames"):
        import openpyxl
    if not 0 < len(sheet) <= _NAME or _NO_NAME.search(sheet) or "'" in (sheet[0], sheet[-1]):
        raise FrameError(
            f"sheet: {sheet[:40]!r} is no name of a sheet. Use 1 to {_NAME} characters without any "
            f"of \\ / ? * : [ ], and no ' at its ends."
        )
    frame = with_index(frame)
    if len(frame) >= ROWS or len(frame.columns) > COLUMNS:
        raise FrameError(
            f"a sheet has {ROWS - 1:,} rows below its header and {COLUMNS:,} columns; this frame "
            f"has {len(frame):,} and {len(frame.columns):,}. Write it in parts, or with save_csv."
        )
    names = list(map(str, frame))
    widths = [_NARROWEST] * len(names)
    # Before anything is written: a workbook that is broken off leaves a temporary file behind.
    for row, values in enumerate(chain([names], frame.itertuples(index=False, name=None))):
        for at, value in enumerate(values):
            _check(value, f"row {row - 1}" if row else "header", names[at])
            widths[at] = max(widths[at], _width(value))
    book = openpyxl.Workbook(write_only=True)
    page = book.create_sheet(sheet)
    page.freeze_panes = "A2"
    for at, width in enumerate(widths, 1):
        letter = openpyxl.utils.get_column_letter(at)
        page.column_dimensions[letter].width = min(width, _WIDEST)
    page.append([_cell(page, name) for name in names])
    for values in frame.itertuples(index=False, name=None):
        page.append([_cell(page, value) for value in values])
    with private(path) as file:
        book.save(file)


def _check(value: Any, row: str, name: str) -> None:
    length = len(_text(value)) if isinstance(value, str | list | dict) else 0
    if length > CHARACTERS:
        raise FrameError(
            f"{row}, column {name[:40]}: has {length:,} characters; a cell holds {CHARACTERS:,}. "
            f"Leave the column out, or use save_csv."
        )


def _width(value: Any) -> int:
    """How wide a column must be to show it, with a little room; about right for text."""
    if isinstance(value, datetime):
        return len("2026-01-15 12:00:00") + 2
    return len(f"{value:,.2f}" if isinstance(value, Decimal) else str(value)) + 2


def _cell(page: Any, value: Any) -> Any:
    from openpyxl.cell import WriteOnlyCell

    if is_missing(value):
        return None
    if isinstance(value, bool):
        return WriteOnlyCell(page, value)
    if isinstance(value, Amount) and _fits(value.value):
        cell = _cell(page, value.value)
        cell.number_format += f' "{value.currency}"'
        return cell
    if isinstance(value, int | Decimal | float) and _fits(value):
        cell = WriteOnlyCell(page, value)
        if isinstance(value, Decimal):
            places = max(2, -int(value.as_tuple().exponent))
            cell.number_format = _FORMATS["amount"] + "0" * (places - 2)
        return cell
    if isinstance(value, datetime) and value.year >= _FIRST_YEAR:
        at = value.astimezone(UTC) if value.tzinfo else value
        cell = WriteOnlyCell(page, at.replace(tzinfo=None))  # Excel knows no zones
        cell.number_format = _FORMATS["time"]
        return cell
    if isinstance(value, date) and not isinstance(value, datetime) and value.year >= _FIRST_YEAR:
        cell = WriteOnlyCell(page, value)
        cell.number_format = _FORMATS["day"]
        return cell
    text = _text(value)
    cell = WriteOnlyCell(page, text)
    cell.data_type = "s"  # openpyxl takes "=1+1" for a formula, and "#N/A" for an error
    # Keeps it text when somebody edits the cell.
    cell.quotePrefix = text[:1] in tuple("=+-@")
    return cell


def _text(value: Any) -> str:
    return _UNSAFE.sub(lambda found: f"_x{ord(found[0]):04X}_", str(plain(value)))


def _fits(number: int | float | Decimal) -> bool:
    if isinstance(number, float):
        return math.isfinite(number)
    number = Decimal(number)
    return number.is_finite() and len(number.as_tuple().digits) <= DIGITS

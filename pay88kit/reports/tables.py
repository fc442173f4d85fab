"""The tables of a page as Excel files: what the reader sees, with numbers as numbers."""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass, field
from decimal import Decimal
from html.parser import HTMLParser
from itertools import accumulate
from pathlib import Path

from pay88kit.errors import needs
from pay88kit.frames import save_xlsx
from pay88kit.frames.xlsx import Amount
from pay88kit.language import translated

# As the kit writes them: exact, a comma at each thousand, no zero in front.
_NUMBER = re.compile(r"-?(?:0|[1-9]\d*|[1-9]\d{0,2}(?:,\d{3})+)(?:\.\d+)?", re.ASCII)
_CURRENCY = re.compile(r"[A-Z]{3}")
_MISSING = ("", "–", "<NA>", "None", "NaN", "NaT", "nan")
_WIDEST = 1_000  # a stranger's colspan must not fill the memory


@dataclass
class Cell:
    """A cell's text; ``number`` says that it stands at the right, where numbers stand."""

    text: str = ""
    number: bool = False
    header: bool = False


@dataclass
class Table:
    """A table found in HTML; ``end`` is where it ends there."""

    title: str = ""
    rows: list[list[Cell]] = field(default_factory=list)
    headers: int = 0
    end: int = 0


def found_in(text: str) -> list[Table]:
    """The tables of a piece of HTML, in order; one inside another belongs to the outer one."""
    reader = _Reader(text)
    # Python's parser refuses a few of the declarations that it does not know.
    with suppress(AssertionError):
        reader.feed(text)
        reader.close()
    # One that is never closed ends nowhere, and so gets no link.
    return [table for table in reader.tables if table.end and table.rows]


def save(table: Table, folder: Path, number: int, language: str = "en") -> Path:
    """Write a table into ``folder``, which is made if need be.

    ``language`` is that of the names which the table itself does not have.

    Numbers are what stands at the right and looks like one, also with a currency behind it;
    everything else stays text, also when it begins like a formula.

    Raises:
        FrameError: the table is larger than a sheet.
        OSError: the file cannot be written.
    """
    with needs("frames"):
        import pandas as pd
    header, rows = _split(table, language)
    values = [[_value(cell) for cell in row] for row in rows]
    frame = pd.DataFrame(values, columns=header, dtype=object)
    folder.mkdir(mode=0o700, exist_ok=True)
    name = translated("Table", language)
    title = table.title.partition(": ")[0]
    word = re.sub(r"[^\w]+", "_", title).strip("_")[:40] or name.lower()
    path = folder / f"{number}-{word}.xlsx"
    save_xlsx(frame, path, re.sub(r"[\[\]:*?/\\']+", " ", title)[:31].strip() or name)
    return path


def _split(table: Table, language: str) -> tuple[list[str], list[list[Cell]]]:
    """The names of the columns, each one once, and the rows below."""
    width = max((len(row) for row in table.rows), default=0)
    rows = [row + [Cell()] * (width - len(row)) for row in table.rows]
    head, body = rows[: table.headers], rows[table.headers :]
    if head:
        names = [" ".join(filter(None, (row[at].text for row in head))) for at in range(width)]
    else:
        pair = [translated("name", language), translated("value", language)]
        names = pair if width == 2 else [""] * width
    header: list[str] = []
    for at, name in enumerate(names, 1):
        name = name or translated("column {number}", language, number=at)
        header.append(name if name not in header else f"{name} ({at})")
    return header, body


def _value(cell: Cell) -> str | int | Decimal | Amount | None:
    if not cell.number:
        return cell.text
    if cell.text in _MISSING:
        return None
    written, space, currency = cell.text.partition(" ")
    if not _NUMBER.fullmatch(written) or (space and not _CURRENCY.fullmatch(currency)):
        return cell.text
    digits = written.replace(",", "")
    if currency:
        return Amount(Decimal(digits), currency)
    return Decimal(digits) if "." in digits else int(digits)


class _Reader(HTMLParser):
    """Reads the tables of a piece of HTML, and where each one ends."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tables: list[Table] = []
        self._text = text
        self._starts = [0, *accumulate(len(line) + 1 for line in text.split("\n"))]
        self._depth = 0
        self._right = False  # pandas aligns its cells by its own style
        self._in_head = False
        self._into: list[str] | None = None
        self._cell = Cell()
        self._spans: dict[int, tuple[int, Cell]] = {}

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "table":
            self._depth += 1
            if self._depth == 1:
                self.tables.append(Table())
                self._right = "dataframe" in given.get("class", "").split()
                self._spans, self._in_head = {}, False
        if self._depth != 1:
            return
        if tag == "thead":
            self._in_head = True
        elif tag == "tbody":
            self._in_head = False
        elif tag == "tr":
            self._end_row()
            self.tables[-1].rows.append([])
        elif tag in ("td", "th") and self.tables[-1].rows:
            self._end_cell()
            self._begin_cell(tag, given)
        elif tag == "caption":
            self._into = []
        elif tag == "br" and self._into is not None:
            self._into.append(" ")

    def handle_endtag(self, tag: str) -> None:
        if self._depth == 1 and tag in ("td", "th"):
            self._end_cell()
        elif self._depth == 1 and tag == "tr":
            self._end_row()
        elif self._depth == 1 and tag == "caption" and self._into is not None:
            self.tables[-1].title, self._into = _squeezed(self._into), None
        elif self._depth == 1 and tag == "thead":
            self._in_head = False
        if tag == "table" and self._depth:
            if self._depth == 1:
                self._end_row()
                line, column = self.getpos()
                end = self._starts[line - 1] + column
                self.tables[-1].end = self._text.index(">", end) + 1
            self._depth -= 1

    def handle_data(self, data: str) -> None:
        if self._depth and self._into is not None:
            self._into.append(data)

    def _begin_cell(self, tag: str, given: dict[str, str]) -> None:
        row = self.tables[-1].rows[-1]
        self._fill(row)
        style = given.get("style", "").replace(" ", "")
        right = "text-align:right" in style or (self._right and tag == "td")
        self._cell = Cell(number=right, header=tag == "th")
        self._into = []
        across, down = (_count(given.get(name, "")) for name in ("colspan", "rowspan"))
        for _ in range(across):
            if down > 1:
                self._spans[len(row)] = (down - 1, self._cell)
            row.append(self._cell)

    def _fill(self, row: list[Cell]) -> None:
        """What a cell of a row above spans in this one."""
        while (at := len(row)) in self._spans:
            left, cell = self._spans.pop(at)
            if left > 1:
                self._spans[at] = (left - 1, cell)
            row.append(cell)

    def _end_cell(self) -> None:
        if self._into is not None:
            self._cell.text, self._into = _squeezed(self._into), None

    def _end_row(self) -> None:
        self._end_cell()
        table = self.tables[-1]
        if not table.rows or len(table.rows) <= table.headers:
            return
        row = table.rows[-1]
        self._fill(row)
        first = len(table.rows) == 1 and bool(row) and all(cell.header for cell in row)
        if (self._in_head or first) and len(table.rows) == table.headers + 1:
            table.headers += 1


def _squeezed(parts: list[str]) -> str:
    return " ".join("".join(parts).split())


def _count(text: str) -> int:
    return min(int(text), _WIDEST) if text.isascii() and text.isdigit() and text != "0" else 1

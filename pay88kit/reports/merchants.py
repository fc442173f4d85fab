"""Of whom many reports are made: the merchants of a file, or of the books."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pay88kit.config import Config
from pay88kit.display import one_line
from pay88kit.errors import needs
from pay88kit.reports.days import ReportError

COLUMN = "merchant_id"
# What may divide the cells. Excel writes semicolons where a comma is the decimal mark.
_DIVIDERS = {",": "comma", ";": "semicolon", "\t": "tab"}


@dataclass(frozen=True)
class Merchant:
    """A merchant, with what else a report is to be given for it.

    ``where`` says in an error which one is meant.
    """

    where: str
    merchant_id: str
    values: Mapping[str, str] = field(default_factory=dict)


def merchants_in_file(path: Path | str) -> list[Merchant]:
    """The rows of a CSV file with a column ``merchant_id``; further columns are parameters.

    Commas, semicolons or tabs divide the cells, as they do in the first row. An empty cell leaves
    the report's default as it is.

    Raises:
        ReportError: the file cannot be read so, or names a merchant twice or none at all.
    """
    try:
        # A spreadsheet may put a mark at the beginning of what it saves.
        text = Path(path).read_text(encoding="utf-8-sig")
        divider = max(_DIVIDERS, key=text.partition("\n")[0].count)
        lines = text.splitlines(keepends=True)
        rows = list(csv.reader(lines, delimiter=divider, strict=True))
    except OSError as error:
        raise ReportError(f"merchants: {path} cannot be read: {error.strerror}.") from None
    except UnicodeDecodeError:
        raise ReportError(f"merchants: {path} is not in UTF-8. Save it as CSV UTF-8.") from None
    except csv.Error as error:
        raise ReportError(f"merchants: {path} is no CSV: {error}. Save it as CSV.") from None
    header = [name.strip() for name in rows[0]] if rows else []
    if COLUMN not in header:
        raise ReportError(
            f"merchants: {path} has no column {COLUMN}. Its first row must name the columns; it "
            f"is: {one_line(', '.join(header))[:80] or 'empty'}."
        )
    twice = {name for name in header if header.count(name) > 1}
    if twice or "" in header:
        raise ReportError(
            f"merchants: {path}: every column needs a name of its own. Look at the first row."
        )
    found: list[Merchant] = []
    rows_of: dict[str, int] = {}
    for number, row in enumerate(rows[1:], 2):
        if not any(cell.strip() for cell in row):
            continue
        where = f"{path}, row {number}"
        if len(row) > len(header):
            raise ReportError(
                f"{where}: has more cells than the first row has names. "
                f'Put a value that has a {_DIVIDERS[divider]} in it between "".'
            )
        values = {name: cell.strip() for name, cell in zip(header, row, strict=False)}
        merchant_id = values.pop(COLUMN, "")
        if not merchant_id:
            raise ReportError(f"{where}: has no {COLUMN}. Fill it in, or remove the row.")
        if merchant_id in rows_of:
            raise ReportError(
                f"{path}: {one_line(merchant_id)[:80]} is in row {rows_of[merchant_id]} and in row "
                f"{number}. Remove one of them."
            )
        rows_of[merchant_id] = number
        found.append(Merchant(where, merchant_id, {k: v for k, v in values.items() if v}))
    if not found:
        raise ReportError(f"merchants: {path} names none. Write one in each row.")
    return found


def merchants_in_books(config: Config) -> list[Merchant]:
    """The merchants with an operation or a balance in the books, in this environment.

    Raises:
        ReportError: there is none.
        MissingExtra: without the extra ``books``.
    """
    with needs("books"):
        from pay88kit.books.default import default_books
    found = default_books(config).accounts.merchants(config.environment)
    if not found:
        raise ReportError(
            f"merchants: the books have none in {config.environment}. Name the books in "
            f"PAY88_BOOKS, or give a file of merchants."
        )
    return [Merchant(f"merchant {one_line(name)}", name) for name in found]

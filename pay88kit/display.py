"""One thing shown twice: as HTML in a notebook, as text everywhere else."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

Row = tuple[str, str]
# Amounts without a currency, as in a balance, stand right-aligned under each other.
_AMOUNT = re.compile(r"-?[\d,]+\.\d\d")


class Shown:
    """Something with a title and rows: text where text is shown, a table in a notebook."""

    def _title(self) -> str:
        return type(self).__name__

    def _rows(self) -> list[Row]:
        raise NotImplementedError

    def __str__(self) -> str:
        return as_text(self._title(), self._rows())

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        printer.text(str(self))

    def _repr_html_(self) -> str:
        return as_html(self._title(), self._rows())


def as_text(title: str, rows: Iterable[Row]) -> str:
    """A title and aligned ``name value`` lines."""
    rows = [(one_line(name), one_line(value)) for name, value in rows]
    width = max((len(name) for name, _ in rows), default=0)
    return "\n".join([one_line(title), *(f"  {name:<{width}}  {value}" for name, value in rows)])


def as_html(title: str, rows: Iterable[Row]) -> str:
    """The same as a table with row headers. Everything is escaped: text may be a stranger's."""
    body = "".join(
        f'<tr><th scope="row" style="text-align:left">{_cell(name)}</th>'
        f'<td style="text-align:{"right" if _AMOUNT.fullmatch(value) else "left"}">'
        f"{_cell(value)}</td></tr>"
        for name, value in rows
    )
    return f"<table><caption><b>{_cell(title)}</b></caption>{body}</table>"


def grid_html(
    title: str,
    header: Sequence[str],
    rows: Iterable[Sequence[str]],
    *,
    numbers: Iterable[str] = (),
    links: Mapping[str, str] | None = None,
) -> str:
    """A table with column headers, escaped.

    The columns named in ``numbers`` are right-aligned. ``links`` maps a cell's text to where it
    leads; both are the kit's own, never a stranger's.
    """
    right = set(numbers)
    sides = ["right" if name in right else "left" for name in header]

    def shown(cell: str) -> str:
        target = (links or {}).get(cell)
        return f'<a href="{html.escape(target)}">{_cell(cell)}</a>' if target else _cell(cell)

    def cells(tag: str, row: Sequence[str]) -> str:
        return "".join(
            f'<{tag} style="text-align:{side}">{shown(cell)}</{tag.split()[0]}>'
            for side, cell in zip(sides, row, strict=True)
        )

    head = cells('th scope="col"', header)
    body = "".join(f"<tr>{cells('td', row)}</tr>" for row in rows)
    caption = f"<caption><b>{_cell(title)}</b></caption>"
    return f"<table>{caption}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _cell(value: str) -> str:
    return html.escape(one_line(value))


def one_line(value: str) -> str:
    """A stranger's line breaks and control characters must not fake another line."""
    return "".join(char if char.isprintable() else f"\\x{ord(char):02x}" for char in value)

"""A table of short texts that reads the same as text and as HTML."""

from __future__ import annotations

from dataclasses import dataclass

from pay88kit.display import grid_html, one_line


@dataclass(frozen=True)
class Sheet:
    """A title, a header and rows; everything in it is escaped."""

    title: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def __repr__(self) -> str:
        rows = [[one_line(cell) for cell in row] for row in (self.header, *self.rows)]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines = ("  ".join(map(str.ljust, row, widths)) for row in rows)
        return "\n".join([self.title, *(f"  {line}".rstrip() for line in lines)])

    def _repr_html_(self) -> str:
        return grid_html(self.title, self.header, self.rows)

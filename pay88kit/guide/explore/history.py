"""The exchanges so far, oldest first."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from pay88kit.display import grid_html, one_line
from pay88kit.frames import to_frame
from pay88kit.guide.explore.exchange import Exchange

if TYPE_CHECKING:
    import pandas as pd

# At most; the oldest give way.
MOST = 500
_COLUMNS = ("number", "at", "operation", "status", "reference", "error")


class History:
    """What was asked and what came of it. ``history[-1]`` is the last exchange."""

    _HEADER = ("#", "At", "Operation", "Came", "Reference")

    def __init__(self) -> None:
        self._exchanges: list[Exchange] = []
        self._count = 0

    def next_number(self) -> int:
        """The number of the next exchange, from 1."""
        return self._count + 1

    def add(self, exchange: Exchange) -> None:
        """Keep one."""
        self._count += 1
        self._exchanges = [*self._exchanges, exchange][-MOST:]

    def __getitem__(self, index: int) -> Exchange:
        return self._exchanges[index]

    def __iter__(self) -> Iterator[Exchange]:
        return iter(self._exchanges)

    def __len__(self) -> int:
        return len(self._exchanges)

    def frame(self) -> pd.DataFrame:
        """A row for each exchange."""
        return to_frame([_record(exchange) for exchange in self], _COLUMNS)

    def _cells(self) -> list[tuple[str, str, str, str, str]]:
        return [
            (
                str(each.number),
                f"{each.at:%Y-%m-%d %H:%M:%S} UTC",
                one_line(each.operation)[:60],
                " ".join(str(part) for part in (each.status, _error(each)) if part),
                one_line(each.reference or "–")[:40],
            )
            for each in self
        ]

    def __repr__(self) -> str:
        if not self:
            return "Nothing was asked yet."
        rows = [self._HEADER, *self._cells()]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        return "\n".join(
            "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
            for row in rows
        )

    def _repr_html_(self) -> str:
        return grid_html("History", self._HEADER, self._cells(), numbers=["#"])


def _record(exchange: Exchange) -> dict[str, Any]:
    return {
        "number": exchange.number,
        "at": exchange.at,
        "operation": exchange.operation,
        "status": exchange.status,
        "reference": exchange.reference,
        "error": _error(exchange),
    }


def _error(exchange: Exchange) -> str | None:
    return type(exchange.error).__name__ if exchange.error else None

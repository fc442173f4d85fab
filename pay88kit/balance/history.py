"""The history of a balance: the snapshots of a range, with its gaps shown as gaps."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pay88kit import money
from pay88kit.balance.figures import FIELDS
from pay88kit.balance.sources import check_interval
from pay88kit.display import as_text, grid_html, one_line
from pay88kit.errors import WrongUse, needs

if TYPE_CHECKING:
    import pandas as pd

    from pay88kit.books import Books

HOUR = timedelta(hours=1)
# A scheduler is seldom on time to the second, and never half an interval late.
_LATE = 1.5
# Of the table as people read it; the frame has all.
_ROWS = 24
# What is drawn, told apart by line and mark as well as by colour.
_LOOKS = {
    "total_available": ("#0369a1", "-", "o"),
    "net_balance": ("#b45309", "--", "s"),
    "total_settled": ("#4b5563", ":", "^"),
}


@dataclass(frozen=True, repr=False)
class History:
    """The snapshots of a merchant's balance.

    Attributes:
        frame: a row per snapshot: ``taken_at`` and 88Pay's five numbers, exact.
        every: the expected interval between two snapshots.
        gaps: from which snapshot to which one there is more than one and a half intervals. What
            the balance was in between is not known.
        zone: the zone in which times are shown; in ``frame`` they are in UTC.
    """

    merchant_id: str
    environment: str
    frame: pd.DataFrame
    every: timedelta
    gaps: tuple[tuple[datetime, datetime], ...]
    zone: str

    def describe(self) -> str:
        """The chart in words."""
        times, whose = self._times(), one_line(self.merchant_id)
        if not times:
            return f"No snapshots of {whose} in this range."
        available = [value for value in self._values("total_available") if value is not None]
        words = f"{len(times)} snapshots of {whose}, {self._range(times[0], times[-1])}"
        if available:
            words += (
                f": available from {money.show(available[0])} to {money.show(available[-1])}, "
                f"lowest {money.show(min(available))}, highest {money.show(max(available))}"
            )
        if not self.gaps:
            return f"{words}. No gaps."
        listed = "; ".join(self._range(*gap) for gap in self.gaps[:5])
        more = f"; and {len(self.gaps) - 5} more" if len(self.gaps) > 5 else ""
        return f"{words}. Gaps: {listed}{more}."

    def plot(self) -> Any:
        """A line for each number, broken and hatched where snapshots are missing.

        The lines differ in stroke and mark, and carry their names, so that colour is not needed.
        """
        with needs("reports"):
            import matplotlib.dates as mdates
            import matplotlib.pyplot as plt
        dates: Any = mdates
        figure, axes = plt.subplots(figsize=(8, 3.6), layout="constrained")
        zone = ZoneInfo(self.zone)
        ends: list[tuple[float, float, str, str]] = []
        for name, (color, stroke, mark) in _LOOKS.items():
            points = list(self._points(name))
            if not points:
                continue
            times = [dates.date2num(at) for at, _ in points]
            values = [value for _, value in points]
            dense = len(points) > 60
            axes.plot(
                times, values, stroke, color=color, marker=mark, label=name, markersize=4,
                markevery=max(1, len(points) // 30) if dense and not self.gaps else 1,
            )  # fmt: skip
            known = [point for point in zip(times, values, strict=True) if point[1] == point[1]]
            ends.append((*known[-1], name, color))
        _name_ends(axes, ends)
        for number, (begin, end) in enumerate(self.gaps):
            axes.axvspan(
                dates.date2num(begin), dates.date2num(end), facecolor="none", hatch="///",
                edgecolor="#9ca3af", linewidth=0, label="no snapshots" if number == 0 else None,
            )  # fmt: skip
        locator = dates.AutoDateLocator(tz=zone)
        axes.xaxis.set_major_locator(locator)
        axes.xaxis.set_major_formatter(dates.ConciseDateFormatter(locator, tz=zone))
        axes.set_xlabel(f"time of the snapshot, {self.zone}")
        axes.set_ylabel("amount, in the merchant's currency")
        axes.yaxis.set_major_formatter("{x:,.0f}")
        axes.set_title(f"Balance of {self.merchant_id}", parse_math=False)
        if axes.get_legend_handles_labels()[0]:
            axes.legend(fontsize=8)
        return figure

    def _points(self, name: str) -> Iterator[tuple[datetime, float]]:
        """What is drawn: a gap, or a missing number, is a NaN, which breaks the line."""
        ends = dict(self.gaps)
        values = self._values(name)
        if not any(value is not None for value in values):
            return
        for at, value in zip(self._times(), values, strict=True):
            # A chart needs floats; the table beside it stays exact.
            yield at, float("nan") if value is None else float(value)
            if at in ends:
                yield at + (ends[at] - at) / 2, float("nan")

    def _times(self) -> list[datetime]:
        return [at.to_pydatetime() for at in self.frame["taken_at"]]

    def _values(self, name: str) -> list[Decimal | None]:
        return [value if isinstance(value, Decimal) else None for value in self.frame[name]]

    def _range(self, begin: datetime, end: datetime) -> str:
        return f"{self._at(begin)} to {self._at(end)}"

    def _at(self, moment: datetime) -> str:
        return f"{moment.astimezone(ZoneInfo(self.zone)):%Y-%m-%d %H:%M}"

    # -- the table beside the chart

    def _title(self) -> str:
        hidden = len(self.frame) - _ROWS
        more = f", the last {_ROWS} of {len(self.frame)}" if hidden > 0 else ""
        return f"Balance of {one_line(self.merchant_id)}, {self.environment}{more}"

    def _cells(self) -> list[list[str]]:
        columns = [self._values(name) for name in FIELDS]
        starts = {end: begin for begin, end in self.gaps}
        rows = []
        for at, *values in list(zip(self._times(), *columns, strict=True))[-_ROWS:]:
            if at in starts:
                rows.append([f"gap: {at - starts[at]} without snapshots", *[""] * len(FIELDS)])
            rows.append([self._at(at), *map(money.show, values)])
        return rows

    def __repr__(self) -> str:
        header, cells = self._header(), self._cells()
        if not cells:
            return as_text(self._title(), [("no snapshots", "pay88 balance --save keeps one")])
        widths = [max(map(len, column)) for column in zip(header, *cells, strict=True)]
        lines = [
            "  ".join(
                (cell.rjust if number else cell.ljust)(width)
                for number, (cell, width) in enumerate(zip(row, widths, strict=True))
            ).rstrip()
            for row in (header, *cells)
        ]
        return "\n".join([self._title(), *lines])

    def _repr_html_(self) -> str:
        cells = self._cells() or [["no snapshots", *[""] * len(FIELDS)]]
        return grid_html(self._title(), self._header(), cells, numbers=FIELDS)

    def _header(self) -> list[str]:
        return [f"taken_at, {self.zone}", *FIELDS]


def _name_ends(axes: Any, ends: list[tuple[float, float, str, str]]) -> None:
    """Write each line's name at its end, one above the other where lines end together."""
    axes.autoscale_view()
    points_of_pixel = 72 / axes.figure.dpi
    lowest = float("-inf")
    for at, value, name, color in sorted(ends, key=lambda end: end[1]):
        height = axes.transData.transform((at, value))[1] * points_of_pixel
        shown = max(height, lowest)
        lowest = shown + 10
        axes.annotate(
            name, (at, value), xytext=(6, shown - height), textcoords="offset points",
            color=color, va="center", fontsize=8,
        )  # fmt: skip


def history(
    books: Books,
    start: datetime | None = None,
    end: datetime | None = None,
    *,
    merchant_id: str,
    environment: str,
    every: timedelta = HOUR,
    zone: str = "UTC",
) -> History:
    """The snapshots of a merchant from ``start`` up to, but without, ``end``.

    Args:
        books: where ``pay88 balance --save`` and ``books.save_balance`` keep them.
        start: the first moment that counts, with its zone; from the beginning without it.
        end: the first moment that no longer counts; up to now without it.
        merchant_id: whose; ``client.config.merchant_id`` for one.
        environment: ``local``, ``sandbox`` or ``production``.
        every: the interval in which snapshots are taken; 88Pay's page suggests an hour.
        zone: an IANA name for the times that are shown.

    Raises:
        WrongUse: an interval that is none, or an unknown zone.
        BooksError: a time without a zone.
    """
    check_interval(every, "timedelta(hours=1)")
    try:
        ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        fault = f"zone: {zone!r} is unknown. Use an IANA name such as America/Bogota."
        raise WrongUse(fault) from None
    frame = books.balances(start, end, environment=environment, merchant_id=merchant_id)
    # Stable: of two at one time, the later written one is the later.
    frame = frame.sort_values("taken_at", kind="stable")[["taken_at", *FIELDS]]
    frame = frame.reset_index(drop=True)
    times = [at.to_pydatetime().astimezone(UTC) for at in frame["taken_at"]]
    gaps = tuple(
        (before, after) for before, after in pairwise(times) if after - before > _LATE * every
    )
    return History(merchant_id, environment, frame, every, gaps, zone)

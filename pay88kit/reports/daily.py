"""What the daily balance report shows: its first line, its table, its chart."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from numbers import Integral
from typing import TYPE_CHECKING, Any

from pay88kit import money
from pay88kit.display import grid_html
from pay88kit.errors import needs
from pay88kit.reports.closing import DayBalance
from pay88kit.reports.days import Day
from pay88kit.reports.words import Words

if TYPE_CHECKING:
    import pandas as pd


def daily_summary(balance: DayBalance, operations: pd.DataFrame) -> Words:
    """The day in numbers."""
    done = int((operations["status"] == "COMPLETED").sum())
    pending = int((operations["status"] == "PENDING").sum())
    words = f"Operations of the day: {len(operations)}, completed: {done}, pending: {pending}. "
    if balance.figures:
        available = money.show(balance.figures["total_available"])
        return Words(f"{words}Available: {available}, {balance.words}.")
    return Words(f"{words}Balance: {balance.words}.")


class Table:
    """A frame as people read it: no index, exact amounts with thousands marks."""

    def __init__(self, title: str, frame: pd.DataFrame) -> None:
        self.title = title
        self.frame = frame
        self._numbers = [name for name in frame if any(map(_is_number, frame[name]))]

    def _cells(self) -> list[list[str]]:
        return [[_cell(value) for value in row] for row in self.frame.itertuples(index=False)]

    def __repr__(self) -> str:
        rows = [list(map(str, self.frame)), *self._cells()]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines = ("  ".join(map(str.ljust, row, widths)).rstrip() for row in rows)
        return "\n".join([self.title, *lines])

    def _repr_html_(self) -> str:
        header = list(map(str, self.frame))
        return grid_html(self.title, header, self._cells(), numbers=map(str, self._numbers))


def _is_number(value: Any) -> bool:
    return isinstance(value, Decimal | Integral) and not isinstance(value, bool)


def _cell(value: Any) -> str:
    if isinstance(value, Decimal):
        return money.show(value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value) if isinstance(value, str | Integral) else "–"


def by_method(operations: pd.DataFrame) -> Table:
    """Number and exact sum of a day's operations by kind, method, currency and status."""
    keys = ["operation", "method_code", "currency", "status"]
    # A refused operation has no status, and belongs in the table all the same.
    grouped = operations.groupby(keys, dropna=False)["amount"]
    sums = grouped.agg(["count", "sum"]).rename(columns={"sum": "amount"}).reset_index()
    return Table("Operations of the day, by method and status", sums)


@dataclass(frozen=True)
class Hours:
    """The completed amounts of each hour of a day, in the one currency that was used most.

    Amounts of two currencies have no sum, so the others are in the table of methods only.
    """

    period: Day
    currency: str
    amounts: dict[str, list[Decimal]]

    def describe(self) -> str:
        """The chart in words."""
        parts = []
        for name, amounts in self.amounts.items():
            total = money.show(sum(amounts, Decimal(0)), self.currency)
            peak = max(range(24), key=amounts.__getitem__)
            most = f"{name}s of {total} in all, most at {peak}:00"
            parts.append(most if any(amounts) else f"no completed {name}s")
        return f"Bars for each hour of {self.period.day}: {'; '.join(parts)}."

    def plot(self) -> Any:
        """Bars for each hour; payouts are hatched, so that colour is not needed to tell them."""
        with needs("reports"):
            import matplotlib.pyplot as plt
        figure, axes = plt.subplots(figsize=(8, 3.2))
        looks = {"payin": ("#0369a1", "", -0.2), "payout": ("#f59e0b", "///", 0.2)}
        for name, (color, hatch, shift) in looks.items():
            # A chart needs floats; the tables beside it stay exact.
            axes.bar(
                [hour + shift for hour in range(24)],
                [float(amount) for amount in self.amounts[name]],
                0.4,
                label=name,
                color=color,
                hatch=hatch,
                edgecolor="#111827",
                linewidth=0.4,
            )
        axes.set_xlabel(f"hour of the day, {self.period.zone}")
        axes.set_ylabel(f"completed amount, {self.currency}".rstrip(", "))
        axes.set_xticks(range(0, 24, 3))
        axes.yaxis.set_major_formatter("{x:,.0f}")
        axes.legend()
        return figure


def by_hour(operations: pd.DataFrame, period: Day) -> Hours:
    """The completed payins and payouts of a day, hour by hour in the day's own zone."""
    done = operations[operations["status"] == "COMPLETED"]
    used = done["currency"].value_counts().sort_index()
    currency = str(used.idxmax()) if len(used) else ""
    amounts = {"payin": [Decimal(0)] * 24, "payout": [Decimal(0)] * 24}
    done = done[done["currency"] == currency]
    local = done["created_at"].dt.tz_convert(period.zone)
    for operation, at, amount in zip(done["operation"], local, done["amount"], strict=True):
        amounts["payout" if operation == "cashout" else "payin"][at.hour] += amount
    return Hours(period, currency, amounts)

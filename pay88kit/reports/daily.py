"""What the daily balance report shows: its first line, its table, its chart."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from numbers import Integral
from typing import TYPE_CHECKING, Any

from pay88kit import money
from pay88kit.display import grid_html
from pay88kit.errors import needs
from pay88kit.language import N_, _
from pay88kit.reports.closing import DayBalance
from pay88kit.reports.days import Day
from pay88kit.reports.words import Words

if TYPE_CHECKING:
    import pandas as pd

# The columns of the kit's own tables; what else a table has is named by whoever made it.
_COLUMNS = (
    N_("operation"), N_("method_code"), N_("currency"), N_("status"), N_("country"), N_("day"),
    N_("count"), N_("amount"), N_("completed"), N_("rejected"), N_("other"), N_("acceptance %"),
    N_("completed amount"), N_("median minutes"),
    N_("figure"), N_("books"), N_("gap"), N_("agrees"),
)  # fmt: skip


def daily_summary(balance: DayBalance, operations: pd.DataFrame) -> Words:
    """The day in numbers."""
    done = int((operations["status"] == "COMPLETED").sum())
    pending = int((operations["status"] == "PENDING").sum())
    words = _(
        "Operations of the day: {count}, completed: {completed}, pending: {pending}.",
        count=len(operations),
        completed=done,
        pending=pending,
    )
    if balance.figures:
        available = money.show(balance.figures["total_available"])
        taken = _("Available: {amount}, {what}.", amount=available, what=balance.words)
    else:
        taken = _("Balance: {what}.", what=balance.words)
    return Words(f"{words} {taken}")


class Table:
    """A frame as people read it: no index, exact amounts with thousands marks."""

    def __init__(self, title: str, frame: pd.DataFrame) -> None:
        self.title = title
        self.frame = frame
        self._numbers = [name for name in frame if any(map(_is_number, frame[name]))]

    def _cells(self) -> list[list[str]]:
        return [[_cell(value) for value in row] for row in self.frame.itertuples(index=False)]

    def _header(self) -> list[str]:
        return [_heading(name) for name in self.frame]

    def __repr__(self) -> str:
        rows = [self._header(), *self._cells()]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines = ("  ".join(map(str.ljust, row, widths)).rstrip() for row in rows)
        return "\n".join([self.title, *lines])

    def _repr_html_(self) -> str:
        numbers = map(_heading, self._numbers)
        return grid_html(self.title, self._header(), self._cells(), numbers=numbers)


def _heading(name: Any) -> str:
    return _(name) if name in _COLUMNS else str(name)


def _is_number(value: Any) -> bool:
    return isinstance(value, Decimal | Integral) and not isinstance(value, bool)


def _cell(value: Any) -> str:
    if isinstance(value, Decimal):
        return money.show(value)
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    return str(value) if isinstance(value, str | Integral) else "–"


def by_method(operations: pd.DataFrame) -> Table:
    """Number and exact sum of a day's operations by kind, method, currency and status."""
    keys = ["operation", "method_code", "currency", "status"]
    # A refused operation has no status, and belongs in the table all the same.
    grouped = operations.groupby(keys, dropna=False)["amount"]
    sums = grouped.agg(["count", "sum"]).rename(columns={"sum": "amount"}).reset_index()
    return Table(_("Operations of the day, by method and status"), sums)


_HOURS = {
    "payin": (N_("payins of {total} in all, most at {hour}:00"), N_("no completed payins")),
    "payout": (N_("payouts of {total} in all, most at {hour}:00"), N_("no completed payouts")),
}


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
            some, none = _HOURS[name]
            total = money.show(sum(amounts, Decimal(0)), self.currency)
            peak = max(range(24), key=amounts.__getitem__)
            parts.append(_(some, total=total, hour=peak) if any(amounts) else _(none))
        return _(
            "Bars for each hour of {day}: {amounts}.", day=self.period.day, amounts="; ".join(parts)
        )

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
                label=_(name),
                color=color,
                hatch=hatch,
                edgecolor="#111827",
                linewidth=0.4,
            )
        axes.set_xlabel(_("hour of the day, {zone}", zone=self.period.zone))
        axes.set_ylabel(", ".join(filter(None, [_("completed amount"), self.currency])))
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

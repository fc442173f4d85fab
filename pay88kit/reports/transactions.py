"""What the transactions report shows: counts, acceptance and times, by whatever is asked."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from decimal import ROUND_HALF_EVEN, Decimal
from statistics import median
from typing import TYPE_CHECKING, Any

from pay88kit import money
from pay88kit.errors import needs
from pay88kit.frames import local_day
from pay88kit.language import N_, _
from pay88kit.reports.daily import Table
from pay88kit.reports.days import Days
from pay88kit.reports.words import Words

if TYPE_CHECKING:
    import pandas as pd

_CENT = Decimal("0.01")
_FINAL = ("COMPLETED", "REJECTED")
# What is in the books and not at 88Pay, or not known to be.
REFUSED, UNKNOWN = N_("refused by 88Pay"), N_("unknown outcome")
NO_STATUS = N_("no status yet")


@dataclass
class _Group:
    """The operations of one kind, in one currency."""

    statuses: Counter[str] = field(default_factory=Counter)
    amount: Decimal = Decimal("0.00")
    completed: Decimal = Decimal("0.00")
    minutes: list[float] = field(default_factory=list)

    @property
    def acceptance(self) -> Decimal | None:
        """Of those that are decided, how many hundredths were completed; None without any."""
        decided = self.statuses["COMPLETED"] + self.statuses["REJECTED"]
        if not decided:
            return None
        return _rounded(Decimal(100 * self.statuses["COMPLETED"]) / decided)

    def row(self) -> dict[str, Any]:
        """As a row of a table."""
        done, rejected = (self.statuses[status] for status in _FINAL)
        total = self.statuses.total()
        time = _rounded(Decimal(median(self.minutes))) if self.minutes else None
        return {
            "count": total, "completed": done, "rejected": rejected,
            "other": total - done - rejected, "acceptance %": self.acceptance,
            "completed amount": self.completed, "median minutes": time,
        }  # fmt: skip


class Transactions:
    """The operations of some days, and the tables that are made of them.

    Args:
        operations: a frame of ``books.operations()``.
        period: the days they were created on.
    """

    def __init__(self, operations: pd.DataFrame, period: Days) -> None:
        self.period = period
        days = local_day(operations["created_at"], period.zone)
        records: list[Any] = operations.to_dict("records")
        self._rows: list[dict[str, Any]] = [
            row | {"day": str(day), "status": _status(row)}
            for row, day in zip(records, days, strict=True)
        ]

    def summary(self) -> Words:
        """In words: how many, how many of them were accepted, and what they come to."""
        kinds = {
            _("Charges"): [row for row in self._rows if row["operation"] != "cashout"],
            _("Payouts"): [row for row in self._rows if row["operation"] == "cashout"],
        }
        return Words(" ".join(_sentence(name, rows) for name, rows in kinds.items()))

    def by(self, *names: str, title: str) -> Table:
        """A row for each combination of these columns, and for each currency."""
        with needs("frames"):
            import pandas as pd
        columns = [*names, "currency"]
        grouped = _grouped(self._rows, columns)
        rows = [dict(zip(columns, key, strict=True)) | group.row() for key, group in grouped]
        header = [*columns, *_Group().row()]
        return Table(title, pd.DataFrame(rows, columns=header, dtype=object))

    def by_method(self) -> Table:
        """A row for each method of payment."""
        return self.by("operation", "method_code", title=_("Operations by method"))

    def by_country(self) -> Table:
        """A row for each country."""
        return self.by("operation", "country", title=_("Operations by country"))

    def by_day(self) -> Table:
        """A row for each day."""
        return self.by("day", "operation", title=_("Operations by day"))

    def by_status(self) -> Table:
        """Number and exact sum of each status, 88Pay's or the books' own."""
        with needs("frames"):
            import pandas as pd
        columns = ["operation", "status", "currency"]
        rows = [
            dict(zip(columns, key, strict=True))
            | {"count": group.statuses.total(), "amount": group.amount}
            for key, group in _grouped(self._rows, columns)
        ]
        frame = pd.DataFrame(rows, columns=[*columns, "count", "amount"], dtype=object)
        return Table(_("Operations by status"), frame)

    def daily(self) -> Daily:
        """How many were completed, rejected or are something else, day by day."""
        first, last = self.period.first.day.toordinal(), self.period.last.day.toordinal()
        named = [self.period.first.day.fromordinal(n).isoformat() for n in range(first, last + 1)]
        counts = {name: dict.fromkeys(named, 0) for name in ("completed", "rejected", "other")}
        for row in self._rows:
            name = row["status"].lower() if row["status"] in _FINAL else "other"
            counts[name][row["day"]] += 1
        return Daily(self.period, counts)


@dataclass(frozen=True)
class Daily:
    """Operations for each day: completed, rejected, and other."""

    period: Days
    counts: dict[str, dict[str, int]]

    def describe(self) -> str:
        """The chart in words."""
        totals = {name: sum(days.values()) for name, days in self.counts.items()}
        by_day = Counter[str]()
        for days in self.counts.values():
            by_day.update(days)
        if not by_day.total():
            return _(
                "Bars for each day of {days}: "
                "{completed} completed, {rejected} rejected, {other} other.",
                days=self.period,
                **totals,
            )
        busiest = max(by_day, key=by_day.__getitem__)
        return _(
            "Bars for each day of {days}: {completed} completed, {rejected} rejected, "
            "{other} other; most on {busiest}: {most}.",
            days=self.period,
            busiest=busiest,
            most=by_day[busiest],
            **totals,
        )

    def plot(self) -> Any:
        """Bars one above the other; hatched, so that colour is not needed to tell them."""
        with needs("reports"):
            import matplotlib.pyplot as plt
            from matplotlib.ticker import MaxNLocator
        figure, axes = plt.subplots(figsize=(8, 3.2))
        looks = {
            "completed": ("#0369a1", ""),
            "rejected": ("#f59e0b", "///"),
            "other": ("#e5e7eb", ".."),
        }
        days = list(self.counts["completed"])
        below = [0] * len(days)
        for name, (color, hatch) in looks.items():
            heights = list(self.counts[name].values())
            axes.bar(
                range(len(days)), heights, 0.8, below, label=_(name), color=color, hatch=hatch,
                edgecolor="#111827", linewidth=0.4,
            )  # fmt: skip
            below = [low + high for low, high in zip(below, heights, strict=True)]
        shown = range(0, len(days), max(1, len(days) // 8))
        axes.set_xticks(list(shown), [days[at][5:] for at in shown])
        axes.set_xlabel(_("day (month-day), {zone}", zone=self.period.zone))
        axes.set_ylabel(_("operations"))
        axes.yaxis.set_major_locator(MaxNLocator(integer=True))
        axes.legend()
        return figure


def _grouped(
    rows: Iterable[dict[str, Any]], columns: list[str]
) -> Iterator[tuple[tuple[str, ...], _Group]]:
    groups: dict[tuple[str, ...], _Group] = {}
    for row in rows:
        key = tuple(_text(row[name]) for name in columns)
        group = groups.setdefault(key, _Group())
        group.statuses[row["status"]] += 1
        amount = row["amount"] if isinstance(row["amount"], Decimal) else Decimal(0)
        group.amount += amount
        if row["status"] == "COMPLETED":
            group.completed += amount
            group.minutes.append((row["updated_at"] - row["created_at"]).total_seconds() / 60)
    yield from sorted(groups.items())


def _sentence(name: str, rows: list[dict[str, Any]]) -> str:
    if not rows:
        return _("{kind}: none.", kind=name)
    statuses = Counter(row["status"] for row in rows)
    whole = _Group(statuses)
    said = {
        "kind": name,
        "count": len(rows),
        "completed": statuses["COMPLETED"],
        "acceptance": whole.acceptance,
    }
    if whole.acceptance is None:
        return _("{kind}: {count}, completed {completed}.", **said)
    sums = [
        money.show(group.completed, currency)
        for (currency,), group in _grouped(rows, ["currency"])
        if group.completed
    ]
    if not sums:
        return _(
            "{kind}: {count}, completed {completed} ({acceptance} % of those decided).", **said
        )
    and_ = _("and")
    return _(
        "{kind}: {count}, completed {completed} ({acceptance} % of those decided), {amounts}.",
        amounts=f" {and_} ".join(sums),
        **said,
    )


def _status(row: dict[str, Any]) -> str:
    """88Pay's status; without one, what the books know instead."""
    if isinstance(row["status"], str):
        return str(row["status"])
    known = {"refused": REFUSED, "unknown": UNKNOWN}.get(row["state"], NO_STATUS)
    return _(known)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else "–"


def _rounded(number: Decimal) -> Decimal:
    return number.quantize(_CENT, ROUND_HALF_EVEN)

"""What a dashboard shows of one moment: cards, and tables that read the same as text and HTML."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from pay88kit import money
from pay88kit.balance import Alerts, Metrics
from pay88kit.display import as_text, grid_html, one_line
from pay88kit.frames import to_frame

if TYPE_CHECKING:
    import pandas as pd

# Of one cell; the frame has all of it.
_WIDEST = 60
_ALL_WELL = "No alerts."


@dataclass(frozen=True)
class Card:
    """One number: its name, what it is now, and what it means."""

    name: str
    value: str
    words: str


@dataclass(frozen=True, repr=False)
class Cards:
    """The five numbers of a balance, the metrics that follow from them, and the alerts.

    Attributes:
        balance: what 88Pay answered; None when it has not answered yet.
        metrics: exact figures; see :func:`pay88kit.balance.metrics`.
        alerts: see :func:`pay88kit.balance.alerts`.
        currency: what is written behind the amounts; None where it is not known.
    """

    balance: Any
    metrics: Metrics
    alerts: Alerts
    currency: str | None

    def _cards(self) -> list[Card]:
        m = self.metrics

        def shown(value: Decimal | None) -> str:
            return money.show(value, self.currency if value is not None else None)

        return [
            Card("total_payin", shown(m.revenue), "revenue: completed payments from customers"),
            Card("total_payout", shown(m.disbursed), "disbursed: completed payouts"),
            Card("total_settled", shown(m.settled), "moved to your bank account"),
            Card("total_available", shown(m.available), "can be paid out or settled now"),
            Card("net_balance", shown(m.net_position), "payin − payout. 88Pay calls it profit; it "
                                                       "is not accounting profit"),
            Card("settlement rate", _percent(m.settlement_rate), "settled / payin"),
            Card("payout rate", _percent(m.payout_rate), "payout / payin"),
            Card("can pay out", _yes(m.can_pay_out), "whether something is available"),
            Card("needs deposit", _yes(m.needs_deposit), "whether the net position is below zero; "
                                                         "with 88Pay's credit that is normal"),
            Card("difference", shown(m.difference), _difference(m.difference)),
        ]  # fmt: skip

    def _note(self) -> str:
        if self.currency is None:
            return "88Pay's balance names no currency."
        return f"88Pay's balance names no currency; that it is {self.currency} is assumed."

    def __repr__(self) -> str:
        rows = [(card.name, f"{card.value}  {card.words}") for card in self._cards()]
        told = [f"  {alert.level}: {one_line(alert.words)}" for alert in self.alerts]
        return "\n".join(["Alerts", *(told or [f"  {_ALL_WELL}"]), as_text("Balance", rows),
                          self._note()])  # fmt: skip

    def _repr_html_(self) -> str:
        return page(self.html())

    def html(self) -> str:
        """As a part of a page."""
        told = "".join(
            f'<li class="pay88-{html.escape(alert.level)}"><b>{html.escape(alert.level)}:</b> '
            f"{html.escape(one_line(alert.words))}</li>"
            for alert in self.alerts
        )
        alerts = f"<ul>{told}</ul>" if told else f"<p>{_ALL_WELL}</p>"
        cards = "".join(
            f"<div><dt>{html.escape(card.name)}</dt>"
            f'<dd class="pay88-value">{html.escape(one_line(card.value))}</dd>'
            f"<dd>{html.escape(card.words)}</dd></div>"
            for card in self._cards()
        )
        return (
            f'<section aria-label="Alerts"><b>Alerts</b>{alerts}</section>'
            f'<section aria-label="Balance"><b>Balance</b><dl>{cards}</dl>'
            f"<small>{html.escape(self._note())}</small></section>"
        )


class Table:
    """A table of short texts with lines of explanation below it; everything in it is escaped."""

    def __init__(
        self,
        title: str,
        header: Sequence[str],
        rows: Sequence[Sequence[str]],
        *,
        numbers: Sequence[str] = (),
        notes: Sequence[str] = (),
    ) -> None:
        self._title = title
        self._header = tuple(header)
        self._cells = [tuple(one_line(cell)[:_WIDEST] for cell in row) for row in rows]
        self._numbers = frozenset(numbers)
        self._notes = tuple(map(one_line, notes))

    def __repr__(self) -> str:
        lines = [self._title]
        if self._cells:
            grid = [self._header, *self._cells]
            widths = [max(map(len, column)) for column in zip(*grid, strict=True)]
            right = [name in self._numbers for name in self._header]
            for row in grid:
                cells = zip(row, widths, right, strict=True)
                told = "  ".join(c.rjust(w) if r else c.ljust(w) for c, w, r in cells)
                lines.append(f"  {told}".rstrip())
        return "\n".join([*lines, *(f"  {note}" for note in self._notes)])

    def _repr_html_(self) -> str:
        return page(self.html())

    def html(self) -> str:
        """As a part of a page."""
        title = html.escape(self._title)
        notes = "".join(f"<p><small>{html.escape(note)}</small></p>" for note in self._notes)
        if not self._cells:
            return f'<section aria-label="{title}"><b>{title}</b>{notes}</section>'
        table = grid_html(self._title, self._header, self._cells, numbers=self._numbers)
        return scrolled(table, self._title) + notes


def scrolled(table: str, name: str) -> str:
    """What is wider than a phone scrolls by itself, with the keyboard too; the page does not."""
    label = html.escape(name)
    # JupyterLab would take the arrow keys for shortcuts of its own.
    keys = 'tabindex="0" data-lm-suppress-shortcuts="true"'
    return f'<div class="pay88-scroll" role="region" {keys} aria-label="{label}">{table}</div>'


class Methods(Table):
    """How many operations of each kind, method and status there are, with their exact sums.

    Amounts of two currencies are in two rows. ``frame`` has the rows with ``count`` and ``amount``
    as numbers.
    """

    COLUMNS = ("operation", "method_code", "status", "currency", "count", "amount")
    _HEADER = ("Operation", "Method", "Status", "Count", "Amount")

    def __init__(self, period: str, zone: str, operations: pd.DataFrame) -> None:
        sums: dict[tuple[str, ...], list[int]] = {}
        names = ("operation", "method_code", "status", "state", "currency", "amount")
        for *kind, status, state, currency, amount in zip(
            *(operations[name] for name in names), strict=True
        ):
            # One that 88Pay refused, or has not answered, has no status of 88Pay's.
            said = status if isinstance(status, str) else f"({state})"
            key = tuple(x if isinstance(x, str) else "" for x in (*kind, said, currency))
            found = sums.setdefault(key, [0, 0])
            found[0] += 1
            if isinstance(amount, Decimal):
                found[1] += money.to_cents(amount)
        rows = sorted(sums.items())
        records = [
            dict(zip(self.COLUMNS, (*key, count, money.from_cents(cents)), strict=True))
            for key, (count, cents) in rows
        ]
        #: The same, exact.
        self.frame: pd.DataFrame = to_frame(records, self.COLUMNS)
        super().__init__(
            f"Operations, {period}",
            self._HEADER,
            [
                (operation, method or "–", status, str(count),
                 money.show(money.from_cents(cents), currency))
                for (operation, method, status, currency), (count, cents) in rows
            ],
            numbers=("Count", "Amount"),
            notes=(f"Created in these days of {zone}.",) if rows else ("None in this period.",),
        )  # fmt: skip


def _difference(value: Decimal | None) -> str:
    formula = "available − (payin − payout − settled)"
    if value is None or value == 0:
        return formula
    if value > 0:
        return f"{formula}: on 88Pay's credit (assumed)"
    return f"{formula}: held back as fees, reserves and rest; 88Pay reports none of them"


def _percent(rate: Decimal | None) -> str:
    return "–" if rate is None else f"{rate:f} %"


def _yes(answer: bool | None) -> str:
    return "–" if answer is None else "yes" if answer else "no"


_STYLE: Mapping[str, str] = {
    "": "max-width:100%",
    "*": "min-width:0",
    "p,.pay88-dashboard section,.pay88-dashboard .pay88-scroll": "line-height:1.45",
    "section": "margin:.6em 0",
    "ul": "margin:.3em 0;padding:0;list-style:none",
    "li": "border-left:4px solid #767676;padding:.1em .6em;margin:.2em 0",
    "li.pay88-critical,.pay88-dashboard li.pay88-error": "border-left-color:#b91c1c",
    "li.pay88-warning": "border-left-color:#b45309",
    # Five beside each other at most: the numbers of the balance, and the metrics below them.
    "dl": "display:grid;gap:.5em;margin:.3em 0;grid-template-columns:"
          "repeat(auto-fit,minmax(min(max(11em,(100% - 2.5em)/5),100%),1fr))",
    "dl>div": "border:1px solid #767676;border-radius:4px;padding:.4em .6em;font-size:.9em",
    # JupyterLab sets names and values side by side.
    "dt,.pay88-dashboard dd": "float:none!important;display:block;width:auto;margin:0!important;"
                              "padding:0;font-weight:normal",
    "dd.pay88-value": "font-size:1.35em;font-weight:bold;overflow-wrap:anywhere",
    ".pay88-both": "display:grid;grid-template-columns:repeat(auto-fit,minmax(min(26em,100%),1fr));"
                   "gap:.8em;align-items:start",
    ".pay88-both img": "max-width:100%;height:auto;background:#fff",
    ".pay88-scroll": "overflow:auto;max-height:24em;max-width:100%;margin:.6em 0",
    "table": "border-collapse:collapse;margin:0;font-size:.95em",
    "caption": "text-align:left",
    "th,.pay88-dashboard td": "padding:.15em .7em .15em 0;border-bottom:1px solid #767676;"
                              "white-space:nowrap",
    "p": "margin:.3em 0",
    # Not by colour alone.
    "button.mod-active": "font-weight:bold;text-decoration:underline",
    ":focus-visible": "outline:3px solid var(--jp-ui-font-color1,currentColor)!important;"
                      "outline-offset:2px",
}  # fmt: skip


def style() -> str:
    """The looks, once. No colour of a text is set, so it is readable in light and dark themes."""
    rules = "".join(f".pay88-dashboard {name}{{{what}}}" for name, what in _STYLE.items())
    return f"<style>{rules}</style>"


def page(*parts: str) -> str:
    """Parts as a page of their own, for where there is no widget."""
    return f'<div class="pay88-dashboard">{style()}{"".join(parts)}</div>'

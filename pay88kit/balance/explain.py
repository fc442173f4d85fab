"""A balance in words: its numbers, what 88Pay's page says of them, and what to do."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from pay88kit import money
from pay88kit.balance.alerts import DEFAULT, Thresholds
from pay88kit.balance.figures import Figures, minus
from pay88kit.balance.metrics import name_of
from pay88kit.balance.scenarios import Readings, scenario
from pay88kit.display import Row, as_html, as_text

if TYPE_CHECKING:
    from pay88kit.books import Books


@dataclass(frozen=True, repr=False)
class Explanation:
    """A balance in words, in parts of a title and rows; as text and as HTML they say the same.

    Attributes:
        readings: every situation that fits; see :func:`scenario`.
        parts: the titles and rows that are shown.
    """

    readings: Readings
    parts: tuple[tuple[str, tuple[Row, ...]], ...]

    def __repr__(self) -> str:
        return "\n\n".join(as_text(title, rows) for title, rows in self.parts)

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        printer.text(repr(self))

    def _repr_html_(self) -> str:
        return "".join(as_html(title, rows) for title, rows in self.parts)


def explain(
    balance: Any,
    books: Books | None = None,
    *,
    environment: str | None = None,
    currency: str | None = None,
    thresholds: Thresholds = DEFAULT,
) -> Explanation:
    """A balance in words: its numbers, every reading that fits, and 88Pay's troubleshooting.

    What the words say of 88Pay is from its balance page, unless they say "assumed". Arguments and
    errors are those of :func:`scenario`; ``currency`` is written behind the amounts.
    """
    n = Figures.of(balance)
    readings = scenario(balance, books, environment=environment, thresholds=thresholds)
    whose = getattr(balance, "merchant_id", None)
    parts = [(f"The balance of {whose}" if whose else "The balance", _numbers(n, currency))]
    for number, reading in enumerate(readings, 1):
        of = f" ({number} of {len(readings)} that fit)" if len(readings) > 1 else ""
        rows = [
            ("why", reading.because),
            ("it means", reading.means),
            ("what to do", reading.actions),
            ("what would decide", reading.decides),
        ]
        if reading.books:
            rows.append(("your books", reading.books))
        parts.append((f"Reading: {reading.name}{of}", rows))
    parts.append(("If the balance is lower than you expect", _lower(n, currency)))
    if n.available is not None and n.by_formula is not None:
        parts.append(("If available is lower than you expect", _available(n, currency)))
    if n.net is not None and n.net < 0:
        parts.append(("If the net position is below zero", _negative(n, currency)))
    return Explanation(readings, tuple((title, tuple(rows)) for title, rows in parts))


def _numbers(n: Figures, currency: str | None) -> list[Row]:
    def show(value: Any) -> str:
        return money.show(value, currency)

    return [
        ("total_payin", f"{show(n.payin)}: completed payments from customers"),
        ("total_payout", f"{show(n.payout)}: completed payouts"),
        ("total_settled", f"{show(n.settled)}: moved to your bank account"),
        ("total_available", f"{show(n.available)}: what can be paid out or settled now"),
        ("net_balance", f"{show(n.net)}: payin − payout. 88Pay calls it profit; it is not "
                        "accounting profit"),
        ("payin − payout − settled", show(n.by_formula)),
        ("the difference to it", f"{show(n.difference)}: {_named(n)}"),
    ]  # fmt: skip


def _named(n: Figures) -> str:
    if n.difference is None:
        return "a number is missing"
    return name_of(n.difference) if n.difference else "none: no sign of fees, reserves or credit"


def _lower(n: Figures, currency: str | None) -> list[Row]:
    """88Pay's first list of causes, each asked of these numbers."""
    return [
        ("transactions not completed yet?", "Pending ones do not count, and 88Pay documents no "
                                            "list of them: look into your own record."),
        ("all funds settled?", _answer(n.payin is not None and n.payin == n.settled != 0,
                                       f"settled {money.show(n.settled, currency)} of payin "
                                       f"{money.show(n.payin, currency)}")),
        ("more paid out than received?", _answer(n.net is not None and n.net < 0,
                                                 f"net {money.show(n.net, currency)}")),
    ]  # fmt: skip


def _available(n: Figures, currency: str | None) -> list[Row]:
    """88Pay's second list of causes."""
    held = n.difference is not None and n.difference < 0
    shown = money.show(n.difference.copy_abs() if n.difference is not None else None, currency)
    return [
        ("settled already?", _answer(bool(n.settled), money.show(n.settled, currency))),
        ("reserves or fees?", _answer(held, f"{shown} held back, and 88Pay does not say for what")
         if held else "no sign of them: available is not less than payin − payout − settled"),
        ("recent payouts?", _answer(bool(n.payout), money.show(n.payout, currency))),
    ]  # fmt: skip


def _negative(n: Figures, currency: str | None) -> list[Row]:
    """88Pay's third list, with its example of three days."""
    missing = minus(Decimal(0), n.net)
    return [
        ("with 88Pay's credit", "This is normal, and nothing needs to be done: future deposits "
                                "reduce the advance."),
        ("88Pay's example", "Day 1: a payout of 100,000 (net −100,000). Day 2: a deposit of 50,000 "
                            "(net −50,000). Day 3: a deposit of 60,000 (net +10,000)."),
        ("here", f"Deposits of {money.show(missing, currency)} bring the net position to zero."),
        ("without it", "Contact 88Pay's support at once."),
    ]  # fmt: skip


def _answer(yes: bool, why: str) -> str:
    return f"{'yes' if yes else 'no'}: {why}"

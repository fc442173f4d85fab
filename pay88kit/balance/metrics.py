"""The figures of a dashboard: 88Pay's pattern, exact, and without a division by zero."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from pay88kit import money
from pay88kit.balance.figures import FIELDS, Figures
from pay88kit.display import Row, Shown


@dataclass(frozen=True, repr=False)
class Metrics(Shown):
    """What a dashboard shows of a balance (88Pay's page, "Financial Reporting Dashboard").

    Amounts are in the merchant's currency, rates in percent with two decimals, None where nothing
    was received or a number is missing.

    Attributes:
        revenue: ``total_payin``, all completed payments.
        disbursed: ``total_payout``, all completed payouts.
        net_position: ``net_balance``. 88Pay calls it profit; it knows nothing of your costs.
        available: ``total_available``.
        settled: ``total_settled``, moved to the merchant's bank.
        settlement_rate: settled / payin.
        payout_rate: payout / payin.
        can_pay_out: whether something is available.
        needs_deposit: whether the net position is below zero. With 88Pay's credit that is normal.
        difference: available − (payin − payout − settled). Below zero: fees or reserves are held
            back. Above zero: the part of payouts on 88Pay's credit (assumed).
    """

    revenue: Decimal | None
    disbursed: Decimal | None
    net_position: Decimal | None
    available: Decimal | None
    settled: Decimal | None
    settlement_rate: Decimal | None
    payout_rate: Decimal | None
    can_pay_out: bool | None
    needs_deposit: bool | None
    difference: Decimal | None

    def record(self) -> dict[str, Any]:
        """As one row of a table."""
        return dict(vars(self))

    def _title(self) -> str:
        return "Metrics of the balance"

    def _rows(self) -> list[Row]:
        return [
            ("revenue", money.show(self.revenue)),
            ("disbursed", money.show(self.disbursed)),
            (
                'net position (88Pay: "profit", not accounting profit)',
                money.show(self.net_position),
            ),
            ("available", money.show(self.available)),
            ("settled", money.show(self.settled)),
            ("settlement rate", _percent(self.settlement_rate)),
            ("payout rate", _percent(self.payout_rate)),
            ("can pay out", _yes(self.can_pay_out)),
            ("needs deposit", _yes(self.needs_deposit)),
            (name_of(self.difference), money.show(self.difference)),
        ]

    def __repr__(self) -> str:
        return str(self)


def metrics(balance: Any) -> Metrics:
    """The metrics of a balance; of None, where none could be had, they are missing.

    Raises:
        WrongUse: no balance.
    """
    n = Figures.of(dict.fromkeys(FIELDS) if balance is None else balance)
    return Metrics(
        revenue=n.payin,
        disbursed=n.payout,
        net_position=n.net,
        available=n.available,
        settled=n.settled,
        settlement_rate=_rate(n.settled, n.payin),
        payout_rate=_rate(n.payout, n.payin),
        can_pay_out=None if n.available is None else n.available > 0,
        needs_deposit=None if n.net is None else n.net < 0,
        difference=n.difference,
    )


def name_of(difference: Decimal | None) -> str:
    """What the difference of ``total_available`` to payin − payout − settled is called."""
    if difference is None or difference == 0:
        return "available − (payin − payout − settled)"
    if difference > 0:
        return "on 88Pay's credit (assumed)"
    return "held back: fees, reserves and rest, not reported by 88Pay"


def _rate(part: Decimal | None, whole: Decimal | None) -> Decimal | None:
    """``part`` in percent of ``whole``, rounded to two decimals, half away from zero."""
    if part is None or whole is None or whole == 0:
        return None
    top, bottom = money.to_cents(part) * 10_000, money.to_cents(whole)
    hundredths = (2 * abs(top) + abs(bottom)) // (2 * abs(bottom))
    return money.from_cents(hundredths if (top < 0) == (bottom < 0) else -hundredths)


def _percent(rate: Decimal | None) -> str:
    return "–" if rate is None else f"{rate:f} %"


def _yes(answer: bool | None) -> str:
    return "–" if answer is None else "yes" if answer else "no"

"""The five numbers of a balance, exact, and what follows from them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from pay88kit import money
from pay88kit.errors import WrongUse

# 88Pay's names, in the order of its answer.
FIELDS = ("total_payin", "total_payout", "total_settled", "total_available", "net_balance")


@dataclass(frozen=True)
class Figures:
    """The five numbers under short names; None where 88Pay sent none, or what is no amount."""

    payin: Decimal | None
    payout: Decimal | None
    settled: Decimal | None
    available: Decimal | None
    net: Decimal | None

    @classmethod
    def of(cls, balance: Any) -> Figures:
        """The numbers of a balance, or of a mapping with 88Pay's names such as a snapshot.

        Raises:
            WrongUse: something else, whose numbers would all seem to be missing.
        """
        mapping = isinstance(balance, Mapping)
        if not any(name in balance if mapping else hasattr(balance, name) for name in FIELDS):
            raise WrongUse(
                f"balance: a {type(balance).__name__} without any of 88Pay's five numbers is no "
                f"balance. Give what client.balance() answers; from asyncio, await it."
            )
        return cls(
            *(
                _exact_or_none(balance.get(name) if mapping else getattr(balance, name, None))
                for name in FIELDS
            )
        )

    @property
    def by_formula(self) -> Decimal | None:
        """Payin − payout − settled: what 88Pay's formula gives before fees and reserves."""
        return minus(self.payin, self.payout, self.settled)

    @property
    def difference(self) -> Decimal | None:
        """What ``total_available`` differs by from payin − payout − settled.

        Below zero, fees or reserves are held back (88Pay's formula). Above zero, a part of the
        payouts was carried by 88Pay's credit (assumed).
        """
        return minus(self.available, self.by_formula)

    @property
    def unmoved(self) -> bool:
        """Whether nothing has ever happened on this account, as far as completed things show."""
        numbers = (self.payin, self.payout, self.settled, self.available, self.net)
        return all(number is not None and number == 0 for number in numbers)

    @property
    def faults(self) -> tuple[str, ...]:
        """What in these numbers contradicts 88Pay's own description, in words."""
        values = (self.payin, self.payout, self.settled, self.available, self.net)
        found = [
            f"{name} is missing or no amount"
            for name, value in zip(FIELDS, values, strict=True)
            if value is None
        ]
        found += [
            f"{name} is below zero"
            for name, value in zip(FIELDS[:3], values[:3], strict=True)
            if value is not None and value < 0
        ]
        net = minus(self.payin, self.payout)
        if None not in (net, self.net) and net != self.net:
            found.append(
                f"net_balance is {money.show(self.net)}, payin − payout is {money.show(net)}"
            )
        over = minus(self.difference, self.payout)
        if over is not None and over > 0:
            found.append(f"{money.show(over)} more is available than was received and not settled")
        return tuple(found)


def minus(first: Decimal | None, *others: Decimal | None) -> Decimal | None:
    """An exact difference, whatever a program's decimal context rounds; None if a part is."""
    if first is None or any(other is None for other in others):
        return None
    cents = money.to_cents(first) - sum(money.to_cents(o) for o in others if o is not None)
    return money.from_cents(cents)


def _exact_or_none(value: Any) -> Decimal | None:
    try:
        return None if value is None else money.exact(value)
    except Exception:  # whatever else stands there, it is no amount
        return None

"""A merchant's money, in whole cents: the five figures of 88Pay's balance and what is behind them.

88Pay's formula is ``available = payin - payout - settled - fees - reserves`` (documented). Its own
sample only fits when the part of payouts that 88Pay's credit carried is added back, so here
``available = payin - payout - settled - fees - reserves + advanced`` (assumed).
"""

from __future__ import annotations

from dataclasses import dataclass

from pay88kit.errors import Pay88Error


class Refused(Pay88Error):
    """A movement that the ledger does not allow."""


@dataclass
class Ledger:
    """All amounts in cents of the merchant's currency. ``pending`` is what open payouts hold."""

    payin: int = 0
    payout: int = 0
    settled: int = 0
    fees: int = 0
    reserves: int = 0
    advanced: int = 0
    pending: int = 0
    credit_limit: int = 0

    @property
    def available(self) -> int:
        """What can be paid out or settled; fees and reserves may push it below zero."""
        held = self.settled + self.fees + self.reserves
        return self.payin - self.payout - held + self.advanced

    @property
    def net(self) -> int:
        """Payin minus payout."""
        return self.payin - self.payout

    @property
    def unused_credit(self) -> int:
        """What 88Pay would still advance."""
        return max(0, self.credit_limit - self.advanced)

    def hold(self, amount: int) -> None:
        """Set ``amount`` aside for a payout that was accepted.

        Raises:
            Refused: funds and unused credit, less what is held already, do not cover it.
        """
        if amount > self.available + self.unused_credit - self.pending:
            raise Refused("Insufficient funds")
        self.pending += amount

    def release(self, amount: int) -> None:
        """Free what a refused payout held."""
        self.pending -= amount

    def pay_out(self, amount: int) -> None:
        """Complete a payout: available funds first, then credit."""
        self.pending -= amount
        self.advanced += max(0, min(self.unused_credit, amount - max(0, self.available)))
        self.payout += amount

    def settle(self, amount: int) -> None:
        """Move ``amount`` to the merchant's bank.

        Raises:
            Refused: more than is available beside the open payouts.
        """
        if amount > self.available - self.pending:
            raise Refused("amount: more than is available for settlement.")
        self.settled += amount

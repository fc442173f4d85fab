"""What the books know of one merchant that the five numbers do not tell."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from itertools import pairwise
from typing import TYPE_CHECKING

from pay88kit import money
from pay88kit.balance.figures import Figures, minus
from pay88kit.config import BASE_URLS
from pay88kit.errors import WrongUse

if TYPE_CHECKING:
    from pay88kit.books import Books
    from pay88kit.books.accounts import Open

# So many references are written out.
_NAMED = 5


@dataclass(frozen=True)
class Change:
    """A number that moved between two snapshots."""

    amount: Decimal
    after: datetime
    before: datetime

    def __str__(self) -> str:
        begin, end = (f"{at:%Y-%m-%d %H:%M}" for at in (self.after, self.before))
        return f"{money.show(self.amount)} between {begin} and {end} UTC"


@dataclass(frozen=True)
class Known:
    """Of one merchant in one environment: open operations, and what snapshots showed."""

    #: Whether the merchant is in the books at all.
    merchant: bool
    pending_payins: str
    pending_payouts: str
    unknown: str
    settlements: tuple[Change, ...]
    advances: tuple[Change, ...]
    releases: tuple[Change, ...]


def known(books: Books, merchant_id: str | None, environment: str | None) -> Known:
    """What the books know of a merchant.

    Raises:
        WrongUse: the merchant is in the books under several environments, and none was given.
    """
    merchant_id = merchant_id or ""
    places = [name for name in BASE_URLS if merchant_id in books.accounts.merchants(name)]
    if environment is None and len(places) > 1:
        raise WrongUse(
            f"environment: the books know {merchant_id} in {' and '.join(places)}. Give "
            f"environment= for the one that the balance is from."
        )
    environment = environment or next(iter(places), "local")
    still_open = list(books.accounts.open(environment, merchant_id))
    pending = [each for each in still_open if not each.unknown]
    saved = books.balances(environment=environment, merchant_id=merchant_id)
    rows = saved.sort_values("taken_at", kind="stable").to_dict("records")
    points = [(row["taken_at"].to_pydatetime(), Figures.of(row)) for row in rows]
    return Known(
        merchant=bool(places),
        pending_payins=_listed(each for each in pending if each.operation != "cashout"),
        pending_payouts=_listed(each for each in pending if each.operation == "cashout"),
        unknown=_listed(each for each in still_open if each.unknown),
        settlements=tuple(_rises(points, "settled")),
        # A payout that went with it: the part of it on credit.
        advances=tuple(_rises(points, "difference", lambda one, other: one < other)),
        # Without a payout, only what was held back can come back.
        releases=tuple(_rises(points, "difference", lambda one, other: one == other)),
    )


def _rises(
    points: list[tuple[datetime, Figures]],
    name: str,
    payouts: Callable[[Decimal, Decimal], bool] = lambda one, other: True,
) -> list[Change]:
    found = []
    for (at, one), (later, other) in pairwise(points):
        if one.payout is None or other.payout is None or not payouts(one.payout, other.payout):
            continue
        rise = minus(getattr(other, name), getattr(one, name))
        if rise is not None and rise > 0:
            found.append(Change(rise, at, later))
    return found


def _listed(operations: Iterable[Open]) -> str:
    """How many, what they add up to in each currency, and the first references; "" for none."""
    found = list(operations)
    if not found:
        return ""
    cents: Counter[str] = Counter()
    for each in found:
        if each.amount is not None:
            cents[each.currency or ""] += each.amount
    # Amounts of two currencies have no sum.
    sums = " and ".join(money.show(money.from_cents(c), name) for name, c in sorted(cents.items()))
    names = ", ".join(each.label for each in found[:_NAMED])
    more = f" and {len(found) - _NAMED} more" if len(found) > _NAMED else ""
    return f"{len(found)} ({sums or 'amounts unknown'}): {names}{more}"

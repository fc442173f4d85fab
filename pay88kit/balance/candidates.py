"""What may be behind a gap in payin or payout: what is open, and what 88Pay has said."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pay88kit.balance.fitting import Item, fitting
from pay88kit.balance.reconciliation import (
    CONTRADICTING,
    LATE,
    OVERDUE,
    PENDING,
    SHOWN,
    UNKNOWN,
    UNMATCHED,
    WORDS,
    Part,
    part_of,
)
from pay88kit.language import _
from pay88kit.models.methods import METHODS

PAYOUT_OPERATION = "cashout"
# For a method that the kit does not know.
_LONGEST = max(method.expires for method in METHODS.values())


class Candidates:
    """What may be behind a gap in payin or payout, and what of it adds up."""

    def __init__(self) -> None:
        names = (PENDING, UNKNOWN, UNMATCHED, OVERDUE, CONTRADICTING, LATE)
        self._labels: dict[str, list[str]] = {name: [] for name in names}
        self._possible = dict.fromkeys(names, 0)
        self._cents = dict.fromkeys(names, 0)
        self._fits: dict[str, list[str]] = {name: [] for name in names}
        # The parts of which something else would add up just as well.
        self._unsure: set[str] = set()
        # By direction: what 88Pay counts more than the books (above zero), or less.
        self._items: list[tuple[bool | None, int, Item]] = []

    def open(self, each: Any, now: datetime) -> None:
        """An operation that has not taken effect."""
        part = UNKNOWN if each.unknown else OVERDUE if _is_overdue(each, now) else PENDING
        self.add(part, each.label, each.amount, each.operation)

    def add(self, part: str, label: str, cents: int | None, operation: str | None) -> None:
        """Something that 88Pay may count more (``cents`` above zero) or less than the books.

        A notification without an operation does not say its direction, so what it would add is
        known only where it adds up to something.
        """
        self._labels[part].append(label)
        if cents:
            payout = None if operation is None else operation == PAYOUT_OPERATION
            if payout is not None:
                self._possible[part] += -cents if payout else cents
            self._items.append((payout, cents, Item(part, label, abs(cents))))

    def list_only(self, part: str, label: str) -> None:
        """Something that is not known to be this merchant's, so it explains nothing."""
        self._labels[part].append(label)

    def attribute(self, gap: int, *, payout: bool) -> int:
        """Find what adds up to a gap of payin or payout; returns what is left of it."""
        if not gap:
            return 0
        sign = 1 if gap > 0 else -1
        fitting_sign = [
            item for way, cents, item in self._items
            if way in (payout, None) and (cents > 0) == (gap > 0)
        ]  # fmt: skip
        # What 88Pay has said comes before what may have been lost.
        said = [item for item in fitting_sign if item.part in (UNMATCHED, CONTRADICTING)]
        fit = fitting(said, abs(gap)) or fitting(fitting_sign, abs(gap))
        if fit is None:
            return gap
        for part, cents in fit.cents.items():
            self._cents[part] += sign * (-cents if payout else cents)
            labels = fit.labels[part]
            self._fits[part] += labels
            # One part may add up to both, and is told in one list.
            if not fit.single:
                self._unsure.add(part)
            taken = set(labels)
            self._items = [
                each for each in self._items
                if each[0] is not None or each[2].part != part or each[2].label not in taken
            ]  # fmt: skip
        return 0

    def parts(self) -> list[Part]:
        """All of them. Where some things add up, those come first."""
        made = []
        for name, labels in self._labels.items():
            first = dict.fromkeys(self._fits[name])
            ordered = (*first, *(label for label in labels if label not in first))
            words = "; ".join(filter(None, (self._named(name), _(WORDS[name]) if labels else "")))
            known = name != UNMATCHED
            possible = self._possible[name] if known else self._cents[name]
            made.append(part_of(name, self._cents[name], ordered, possible, words))
        return made

    def _named(self, name: str) -> str:
        fits = list(dict.fromkeys(self._fits[name]))
        if not fits:
            return ""
        listed = ", ".join([*fits[:SHOWN], *(["…"] if len(fits) > SHOWN else [])])
        if name in self._unsure:
            return _(
                "what adds up to the difference: some of {listed} (a hint, not a proof)",
                listed=listed,
            )
        return _("what adds up to the difference: {listed} (a hint, not a proof)", listed=listed)


def _is_overdue(each: Any, now: datetime) -> bool:
    """Whether its notification should have come: a final status is due when its time is over."""
    method = METHODS.get(each.method_code or "")
    return bool(now - each.created_at > (method.expires if method else _LONGEST))

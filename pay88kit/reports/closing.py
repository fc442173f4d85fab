"""The balance that belongs to a day: 88Pay's while the day lasts, afterwards a kept one."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from pay88kit import money
from pay88kit.books.accounts import FIGURES, Snapshot
from pay88kit.client import Pay88
from pay88kit.display import Row, Shown
from pay88kit.language import _
from pay88kit.reports.days import Day


class DayBalance(Shown):
    """A day's balance and when it was taken; 88Pay has no balance of a past day.

    Attributes:
        figures: 88Pay's five numbers, exact, in the merchant's currency; none without a snapshot.
        taken_at: when, in UTC; None without a snapshot.
        words: in one sentence, what it is.
    """

    def __init__(self, taken: Any, taken_at: datetime | None, words: str) -> None:
        self.figures = {name: getattr(taken, name) for name in FIGURES} if taken else {}
        self.taken_at = taken_at
        self.words = words

    def _title(self) -> str:
        return f"{_('Balance')}: {self.words}"

    def _rows(self) -> list[Row]:
        return [(name, money.show(value)) for name, value in self.figures.items()]

    def __repr__(self) -> str:
        return str(self)


def balance_of(client: Pay88, period: Day) -> DayBalance:
    """The balance of a day: asked now if it is not over, else the last snapshot of that day.

    Snapshots are what ``pay88 balance --save`` keeps in the books.

    Raises:
        StatusError, ConnectionFailed: 88Pay gave no balance.
        BooksError: the books cannot be read.
    """
    now = client.config.clock.now()
    if period.start <= now <= period.end:
        words = _("as 88Pay reports it now, {when}", when=_shown(now, period))
        return DayBalance(client.balance(), now, words)
    kept = _snapshot(client, last=True, after=period.start, before=period.end)
    if kept is not None:
        when = _shown(kept.taken_at, period)
        words = _("the last snapshot of that day in the books, {when}", when=when)
        return DayBalance(kept, kept.taken_at, words)
    parts = [_("no snapshot that day")]
    if before := _snapshot(client, last=True, before=period.start):
        parts.append(_("the one before is of {when}", when=_shown(before.taken_at, period)))
    if after := _snapshot(client, last=False, after=period.end):
        parts.append(_("the next one is of {when}", when=_shown(after.taken_at, period)))
    return DayBalance(None, None, "; ".join(parts))


def _snapshot(client: Pay88, **when: Any) -> Snapshot | None:
    config, books = client.config, client.books
    if books is None:
        return None
    return books.accounts.snapshot(config.environment, config.merchant_id or "", **when)


def _shown(moment: datetime, period: Day) -> str:
    return f"{moment.astimezone(ZoneInfo(period.zone)):%Y-%m-%d %H:%M:%S} {period.zone}"

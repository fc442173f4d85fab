"""Whose data a report in ``local`` shows: books that are there, or days that are played for it."""

from __future__ import annotations

from datetime import timedelta

from pay88kit.books import lasting_books
from pay88kit.client import Pay88
from pay88kit.config import Config, books_url
from pay88kit.demo.days import play_days
from pay88kit.display import one_line
from pay88kit.errors import WrongUse
from pay88kit.language import _
from pay88kit.reports.days import Day, Days
from pay88kit.sandbox import Sandbox


def client_for(config: Config, period: Day | Days, *, snapshots: bool = False) -> Pay88:
    """A client for a report about a merchant of the sandbox inside the kit.

    That sandbox is empty when a report begins. Where ``PAY88_BOOKS`` names books of merchants of
    ``local``, as ``pay88 demo`` makes them, the report reads these. Elsewhere seeded days are
    played, see :func:`play_days`, with ``snapshots`` as there.

    The client of books stands on a clock after ``period``, so a report reads snapshots and asks
    for no balance: the sandbox that it was of is not here.

    Raises:
        WrongUse: the books have merchants, and this one is not among them.
        Pay88Error: the days to be played lie before the sandbox's time begins.
        BooksError: the books cannot be read.
    """
    merchant_id = config.merchant_id or ""
    books = lasting_books() if books_url() else None
    known = books.accounts.merchants("local") if books is not None else ()
    if not known:
        days = period.bounds() if isinstance(period, Days) else [(period.start, period.end)]
        return play_days(merchant_id, days, snapshots=snapshots)
    if merchant_id not in known:
        fault = _(
            "merchant_id: the books that PAY88_BOOKS names have no {merchant} in local. They have "
            "{known}. Name one of them.",
            merchant=one_line(merchant_id)[:80], known=", ".join(map(one_line, known[:5])),
        )  # fmt: skip
        raise WrongUse(fault)
    sandbox = Sandbox(start=period.end + timedelta(seconds=1))
    return Pay88(sandbox.config.replace(merchant_id=merchant_id), books=books)

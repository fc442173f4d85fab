"""The one list of what the guide teaches: 88Pay's checklist, and the pages in their order.

The checklist's table, each page's navigation bar and the map in ``00_start_here`` come from here;
``make notebooks`` writes the last two into the notebooks.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class Item:
    """One item of the checklist, in 88Pay's words.

    ``by_doing`` says whether a lesson can practise it; the others happen at 88Pay or in a company.
    """

    number: int
    text: str
    by_doing: bool

    @property
    def lesson(self) -> str:
        """The page that covers it; the first, where it has two."""
        return next(page.name for page in PAGES if self.number in page.items)


@dataclass(frozen=True)
class Page:
    """One page of the guide: a numbered lesson, or a place to try things.

    ``name`` is the notebook's file without its ending. ``needs`` are the numbers of the lessons to
    take before it. ``minutes`` is how long it takes, None where there is no end. ``items`` are the
    numbers of the checklist's items that it covers, ``step`` is its step of 88Pay's own path.
    """

    name: str
    title: str
    needs: tuple[str, ...] = ()
    minutes: int | None = None
    items: tuple[int, ...] = ()
    step: str = "–"

    @property
    def number(self) -> str:
        """Two digits, as in the file's name; empty when it is not a lesson."""
        digits = self.name.partition("_")[0]
        return digits if digits.isdigit() else ""

    @property
    def heading(self) -> str:
        """The page's first line."""
        # The first page greets: it is not counted.
        return f"{self.number} · {self.title}" if self.number.strip("0") else self.title

    @property
    def label(self) -> str:
        """How other pages call it."""
        return f"{self.number} {self.title}".strip()

    @property
    def file(self) -> str:
        """Where a link to it leads."""
        return f"{self.name}.ipynb"


# 88Pay's guide overview, in its order.
ITEMS = tuple(
    Item(number, text, by_doing)
    for number, (text, by_doing) in enumerate(
        (
            ("Create 88Pay account", False),
            ("Upload and get documents approved", False),
            ("Obtain API credentials", False),
            ("Set up development environment", True),
            ("Configure sandbox credentials", True),
            ("Implement token generation", True),
            ("Create first test payment", True),
            ("Set up webhook endpoint", True),
            ("Handle webhook notifications", True),
            ("Implement error handling", True),
            ("Test successful payments", True),
            ("Test failed payments", True),
            ("Test webhook delivery", True),
            ("Test token expiration", True),
            ("Test rate limiting", True),
            ("Switch to production credentials", False),
            ("Configure production webhook URL", False),
            ("Set up monitoring and alerts", True),
            ("Document integration", False),
            ("Train support team", False),
        ),
        1,
    )
)

PAGES = (
    Page("00_start_here", "Start here", minutes=15, items=(4,)),
    Page(
        "01_credentials", "Credentials", ("00",), 15, items=(1, 2, 3, 5),
        step="1 · Get API credentials",
    ),
    Page(
        "02_token", "Token", ("01",), 20, items=(6, 14),
        step="2 · Generate authentication token",
    ),
    Page(
        "03_charge", "Charge", ("02",), 30, items=(7, 11, 12),
        step="3 · Create operations (payins)",
    ),
    Page("04_webhooks", "Webhooks", ("03",), 45, items=(8, 9, 13), step="4 · Set up webhooks"),
    Page("05_payouts", "Payouts", ("03", "04"), 25, step="3 · Create operations (payouts)"),
    Page("06_balance", "Balance", ("05",), 30, items=(18,), step="5 · Check balance"),
    Page("07_errors_and_limits", "Errors and limits", ("03",), 35, items=(10, 15)),
    Page("08_reconcile", "Reconcile", ("04", "05", "06", "07"), 30, items=(18,)),
    Page(
        "09_go_live", "Go live", ("01", "02", "03", "04", "05", "06", "07", "08"), 35,
        items=(16, 17, 18, 19, 20),
    ),
    Page("explore", "Explore", step="a place to try things"),
)  # fmt: skip

# What a learner goes through once; `explore` is for always.
LESSONS = tuple(page for page in PAGES if page.number)


def neighbours() -> Iterator[tuple[Page | None, Page, Page | None]]:
    """Each page with the one before it and the one after it."""
    yield from zip((None, *PAGES[:-1]), PAGES, (*PAGES[1:], None), strict=True)

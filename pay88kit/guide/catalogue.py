"""The one list of what the guide teaches: 88Pay's checklist, and the pages in their order.

The checklist's table, each page's navigation bar and the map in ``00_start_here`` come from here;
``make notebooks`` writes the last two into the notebooks.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from pay88kit.language import N_


@dataclass(frozen=True)
class Item:
    """One item of the checklist, in 88Pay's words.

    ``local`` says whether the local sandbox can practise it; the others happen at 88Pay or in
    production. ``by_hand`` is the environment for which a person may tick it, None where only
    what happens does. ``checks`` are the exercises that practise it.
    """

    number: int
    text: str
    local: bool = True
    by_hand: Literal["sandbox", "production"] | None = None
    checks: tuple[str, ...] = ()

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
    def place(self) -> str:
        """Two digits: where it stands in the guide. Its exercises are numbered by it."""
        return f"{PAGES.index(self):02}"

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
ITEMS = (
    Item(1, N_("Create 88Pay account"), local=False, by_hand="sandbox"),
    Item(2, N_("Upload and get documents approved"), local=False, by_hand="sandbox"),
    Item(3, N_("Obtain API credentials"), local=False, by_hand="sandbox"),
    Item(4, N_("Set up development environment")),
    Item(5, N_("Configure sandbox credentials"), local=False),
    Item(6, N_("Implement token generation"), checks=("02.1", "02.3")),
    Item(7, N_("Create first test payment"), checks=("00.2", "03.1")),
    Item(8, N_("Set up webhook endpoint"), checks=("04.2", "04.3")),
    Item(9, N_("Handle webhook notifications"), checks=("00.3", "04.1")),
    Item(10, N_("Implement error handling"), checks=("07.2", "07.3")),
    Item(11, N_("Test successful payments"), checks=("00.1",)),
    Item(12, N_("Test failed payments"), checks=("03.2",)),
    Item(13, N_("Test webhook delivery"), checks=("04.1",)),
    Item(14, N_("Test token expiration"), checks=("02.2",)),
    # No lesson sends 88Pay's own sandbox more than it allows.
    Item(15, N_("Test rate limiting"), by_hand="sandbox", checks=("07.3",)),
    Item(16, N_("Switch to production credentials"), local=False, by_hand="production"),
    Item(17, N_("Configure production webhook URL"), local=False, by_hand="production"),
    Item(18, N_("Set up monitoring and alerts"), by_hand="production", checks=("06.3", "08.2")),
    Item(19, N_("Document integration"), by_hand="production"),
    Item(20, N_("Train support team"), by_hand="production"),
)

PAGES = (
    Page("00_start_here", N_("Start here"), minutes=15, items=(4,)),
    Page(
        "01_credentials", N_("Credentials"), ("00",), 15, items=(1, 2, 3, 5),
        step="1 · Get API credentials",
    ),
    Page(
        "02_token", N_("Token"), ("01",), 20, items=(6, 14),
        step="2 · Generate authentication token",
    ),
    Page(
        "03_charge", N_("Charge"), ("02",), 30, items=(7, 11, 12),
        step="3 · Create operations (payins)",
    ),
    Page("04_webhooks", N_("Webhooks"), ("03",), 45, items=(8, 9, 13), step="4 · Set up webhooks"),
    Page("05_payouts", N_("Payouts"), ("03", "04"), 25, step="3 · Create operations (payouts)"),
    Page("06_balance", N_("Balance"), ("05",), 45, items=(18,), step="5 · Check balance"),
    Page("07_errors_and_limits", N_("Errors and limits"), ("03",), 35, items=(10, 15)),
    Page("08_reconcile", N_("Reconcile"), ("04", "05", "06", "07"), 40, items=(18,)),
    Page(
        "09_go_live", N_("Go live"), ("01", "02", "03", "04", "05", "06", "07", "08"), 35,
        items=(16, 17, 18, 19, 20),
    ),
    Page("explore", N_("Explore"), step="a place to try things"),
)  # fmt: skip

# What a learner goes through once; `explore` is for always.
LESSONS = tuple(page for page in PAGES if page.number)


def neighbours() -> Iterator[tuple[Page | None, Page, Page | None]]:
    """Each page with the one before it and the one after it."""
    yield from zip((None, *PAGES[:-1]), PAGES, (*PAGES[1:], None), strict=True)

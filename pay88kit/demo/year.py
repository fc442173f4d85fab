"""A year of the three shops, played through the client, a sandbox and inboxes."""

from __future__ import annotations

import contextlib
import heapq
import itertools
import os
import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from pay88kit import money
from pay88kit.books import Books
from pay88kit.client import Pay88
from pay88kit.demo.days import keep_balance
from pay88kit.demo.shops import SHOPS, Sale, Shop, sales_of
from pay88kit.display import one_line
from pay88kit.errors import OutcomeUnknown, StatusError, WrongUse
from pay88kit.inbox import Inbox
from pay88kit.reports.days import Day, day_of
from pay88kit.sandbox import Sandbox

BOOKS, SANDBOX = "books.db", "sandbox.db"
_UNFINISHED = ".unfinished"

_FRIDAY = 4
_PAYOUTS_AT, _SETTLED_AT = timedelta(hours=16), timedelta(hours=20)
_BEFORE_MIDNIGHT = timedelta(minutes=5)


@dataclass(frozen=True)
class Totals:
    """What a merchant did: operations of every end, and the exact sums of the completed ones."""

    merchant_id: str
    currency: str
    operations: int
    payins: Decimal
    payouts: Decimal


@dataclass(frozen=True)
class Made:
    """What :func:`make_year` has made.

    Attributes:
        books: the file with the books of all three merchants.
        sandbox: the file with which ``pay88 sandbox --db`` goes on.
        first: the first day.
        last: the last one.
        totals: of each merchant.
    """

    books: Path
    sandbox: Path
    first: date
    last: date
    totals: tuple[Totals, ...]


def make_year(
    folder: Path | str,
    *,
    year: int = 2025,
    seed: int = 88,
    days: int | None = None,
    progress: Callable[[int, int], object] = lambda done, all: None,
) -> Made:
    """Fill a new folder with a year of three merchants' life. Simulated data, not 88Pay.

    Args:
        folder: new or empty; nothing else is touched, whatever ``PAY88_BOOKS`` says.
        year: a year that is over, since no report is made of a day to come.
        seed: the same seed gives the same year.
        days: only so many days of it, from 1 January on.
        progress: is told how many days are done, and of how many.

    Raises:
        WrongUse: the folder is not empty or cannot be made, or the year is not over or has not so
            many days.
        BooksError, StoreFailed: a file cannot be written. Then, and after Ctrl-C, nothing stays.
    """
    now = datetime.now(UTC).year
    if not 2000 <= year < now:
        raise WrongUse(f"year: {year} cannot be used. Choose one from 2000 to {now - 1}.")
    first, last = date(year, 1, 1), date(year, 12, 31)
    if days is not None:
        if not 1 <= days <= (last - first).days + 1:
            raise WrongUse(f"days: {year} has no {days} days. Leave it out for the whole year.")
        last = first + timedelta(days - 1)
    folder = Path(folder).absolute()
    # In memory until the end: a commit for each step would wait for the disk each time.
    with (
        _filling(folder, SANDBOX, BOOKS) as (sandbox_file, books_file),
        contextlib.closing(Books()) as books,
    ):
        life = _Year(books, first, last, seed, progress)
        life.play(sandbox_file)
        books.copy_to(books_file)
        totals = tuple(life.totals())
    return Made(folder / BOOKS, folder / SANDBOX, first, last, totals)


@contextlib.contextmanager
def _filling(folder: Path, *names: str) -> Iterator[list[Path]]:
    """Files to write, which have their names only when all of them are done."""
    files = [folder / (name + _UNFINISHED) for name in names]
    try:
        new = not folder.exists()
        folder.mkdir(parents=True, exist_ok=True)
        there = next(folder.iterdir(), None)
        if there is not None:
            raise WrongUse(
                f"folder: {folder} is not empty: it has {one_line(there.name)}. Name a new folder, "
                f"or empty this one. Nothing was changed."
            )
        # Of two that begin at once, the second one stops here.
        os.close(os.open(files[0], os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    except OSError as error:
        raise WrongUse(
            f"folder: {folder} cannot be used ({error.strerror or error}). Name a new folder."
        ) from None
    try:
        yield files
        for file, name in zip(files, names, strict=True):
            file.rename(folder / name)
    except BaseException:
        for file in files:
            for ending in ("", "-wal", "-shm", "-journal"):
                file.with_name(file.name + ending).unlink(missing_ok=True)
        if new:
            with contextlib.suppress(OSError):
                folder.rmdir()
        raise


class _Year:
    """What is going to happen, in the order of time, and to whom."""

    def __init__(
        self,
        books: Books,
        first: date,
        last: date,
        seed: int,
        progress: Callable[[int, int], object],
    ) -> None:
        self.books = books
        self.last = last
        self.seed = seed
        self._first = first
        self._progress = progress
        self._begun = 0
        self._merchants: list[_Merchant] = []
        self._due: list[tuple[datetime, int, Callable[..., object], tuple[Any, ...]]] = []
        # Decides between equal moments.
        self._noted = itertools.count()

    def play(self, file: Path) -> None:
        """All of it, in a sandbox that is kept in ``file``."""
        days = [
            [day_of(shop.merchant_id, str(day)) for day in (self._first, self.last)]
            for shop in SHOPS
        ]
        start = min(first.start for first, _ in days)
        with contextlib.ExitStack() as stack:
            sandbox = stack.enter_context(Sandbox(self.seed, start=start, db=file))
            for shop in SHOPS:
                sandbox.merchant(merchant_id=shop.merchant_id, country=shop.country)
                config = sandbox.config_for(shop.merchant_id)
                client = stack.enter_context(Pay88(config, books=self.books))
                inbox = stack.enter_context(Inbox(config, books=self.books))
                merchant = _Merchant(shop, self, sandbox, client, inbox)
                merchant.opens(self._first)
                self._merchants.append(merchant)
            end = max(last.end for _, last in days)
            while self._due and self._due[0][0] < end:
                at, _, act, arguments = heapq.heappop(self._due)
                # A client that waits for a place under its rate limit moves the clock, too.
                sandbox.clock.set(max(at, sandbox.clock.now()))
                act(*arguments)
            sandbox.clock.set(end)

    def note(self, at: datetime, act: Callable[..., object], *arguments: Any) -> None:
        """``act`` is to happen at that time."""
        heapq.heappush(self._due, (at, next(self._noted), act, arguments))

    def day_begins(self) -> None:
        """Tell how far it is."""
        self._begun += 1
        self._progress(self._begun, len(SHOPS) * ((self.last - self._first).days + 1))

    def totals(self) -> Iterator[Totals]:
        """Of each merchant."""
        for merchant in self._merchants:
            yield merchant.totals()


class _Merchant:
    """One shop at work."""

    def __init__(
        self, shop: Shop, year: _Year, sandbox: Sandbox, client: Pay88, inbox: Inbox
    ) -> None:
        self._shop = shop
        self._year = year
        self._sandbox = sandbox
        self._client = client
        self._inbox = inbox
        self._orders = itertools.count(1)
        self._made = 0

    def totals(self) -> Totals:
        """What it has done."""
        sums = {"charge": 0, "cashout": 0}
        for kind in self._year.books.accounts.completed("local", self._shop.merchant_id):
            sums[kind.operation] += kind.amount
        payins, payouts = map(money.from_cents, sums.values())
        return Totals(self._shop.merchant_id, self._shop.currency, self._made, payins, payouts)

    def opens(self, day: date) -> None:
        """Its first day."""
        period = day_of(self._shop.merchant_id, str(day))
        self._year.note(period.start, self._keep_balance)
        self._year.note(period.start, self._begin, period)

    def _begin(self, period: Day) -> None:
        day, note = period.day, self._year.note
        self._year.day_begins()
        # Reproducible on purpose.
        dice = random.Random(f"{self._year.seed}:{self._shop.merchant_id}:{day}")  # noqa: S311
        for sale in sales_of(self._shop, day, dice):
            note(period.start + timedelta(minutes=sale.minute), self._sell, sale)
        if day.weekday() == _FRIDAY:
            for number in (1, 2):
                drawn = dice.randrange(10, 25), dice.randrange(100), dice.randrange(30, 300)
                note(period.start + _PAYOUTS_AT, self._pay_out, day, number, *drawn)
        if (day + timedelta(1)).month != day.month:
            note(period.start + _SETTLED_AT, self._settle)
        note(period.end - _BEFORE_MIDNIGHT, self._keep_balance)
        if day < self._year.last:
            following = day_of(self._shop.merchant_id, str(day + timedelta(1)))
            note(following.start, self._begin, following)

    # -- payins

    def _sell(self, sale: Sale) -> None:
        self._made += 1
        number = next(self._orders)
        mistaken = sale.fate == "mistaken"
        if sale.fate == "lost":
            self._sandbox.fault("charges", "drop_after")
        try:
            charge = self._client.charge(
                key=f"order-{number:05}",
                method_code=self._shop.foreign if mistaken else sale.way.code,
                amount=sale.amount,
                currency=self._shop.currency,
                country=self._shop.country,
                description=f"Order {number}",
                customer_id=f"customer-{sale.customer}",
                notification_url=self._inbox.url,
                return_url="https://shop.example/thanks",
                check=not mistaken,
            )
        except (StatusError, OutcomeUnknown):
            return  # it is in the books
        if steps := _STEPS.get(sale.notified):
            self._sandbox.plan(charge, steps(sale.delay))
        decide = {"paid": self._sandbox.complete, "refused": self._sandbox.reject}.get(sale.fate)
        if decide is not None:
            at = self._sandbox.clock.now() + timedelta(minutes=sale.wait)
            self._year.note(at, decide, charge)

    # -- payouts, and what is left

    def _pay_out(self, week: date, supplier: int, percent: int, chance: int, minutes: int) -> None:
        available = self._client.balance().total_available or Decimal(0)
        unit = self._shop.unit
        # Now and then somebody asks for more than there is, and is refused.
        amount = available * (120 if chance < 4 else percent) // 100 // unit * unit
        if amount <= 0:
            return
        self._made += 1
        try:
            payout = self._client.cashout(
                key=f"payout-{week}-{supplier}",
                amount=amount,
                currency=self._shop.currency,
                country=self._shop.country,
                description=f"Supplier {supplier}, week of {week}",
                customer_id=f"supplier-{supplier}",
                notification_url=self._inbox.url,
                bank_details={
                    "bank_name": "Banco de Prueba",
                    "account_number": f"000{supplier}",
                    "account_type": "CHECKING",
                    "holder_name": f"Supplier {supplier}",
                    "identification": f"90000000{supplier}",
                },
            )
        except StatusError:
            return
        # A few are never decided.
        if chance < 98:
            decide = self._sandbox.reject if chance < 12 else self._sandbox.complete
            self._year.note(self._sandbox.clock.now() + timedelta(minutes=minutes), decide, payout)

    def _settle(self) -> None:
        available = self._client.balance().total_available or Decimal(0)
        unit, merchant_id = self._shop.unit, self._shop.merchant_id
        # The sandbox settles nothing that open payouts hold.
        held = sum(
            Decimal(each["amount"])
            for each in self._sandbox.transactions(merchant_id)
            if each["flow"] == "PAYOUT" and each["status"] == "PENDING"
        )
        amount = min(available * 40 // 100, available - held) // unit * unit
        if amount > 0:
            self._sandbox.settle(amount, merchant_id)

    def _keep_balance(self) -> None:
        keep_balance(self._client, self._year.books)


# What becomes of the notifications of an order, where it is not 88Pay's own plan.
_STEPS: Mapping[str, Callable[[int], list[dict[str, Any]]]] = {
    "late": lambda delay: [{"after": delay}],
    "twice": lambda delay: [{"after": 0}, {"after": delay}],
    "never": lambda delay: [],
}

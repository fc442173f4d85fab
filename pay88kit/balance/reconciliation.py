"""What a reconciliation comes to: the figures, and the named parts of their gap."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from pay88kit import money
from pay88kit.display import Row, Shown, as_html, grid_html
from pay88kit.errors import needs
from pay88kit.frames import to_frame
from pay88kit.language import N_, _

if TYPE_CHECKING:
    import pandas as pd

_NOTHING = money.from_cents(0)
# How many references a line shows; the frame has all.
SHOWN = 5

PENDING = N_("pending operations")
UNKNOWN = N_("unknown outcomes")
UNMATCHED = N_("notifications without an operation")
OVERDUE = N_("operations without a notification past their time")
CONTRADICTING = N_("notifications that contradict the books")
LATE = N_("in the opening snapshot already")
PAYIN = N_("payin, not explained")
PAYOUT = N_("payout, not explained")
SETTLEMENTS = N_("settlements that differ from the file")
CREDIT = N_("payouts on 88Pay's credit")
FEES = N_("fees")
REST = N_("fees, reserves and rest: not reported by 88Pay")

WORDS = {
    PENDING: N_("88Pay may have completed them, and the notification is on its way or lost"),
    UNKNOWN: N_("sent, and not answered: look in 88Pay's dashboard, then books.resolve(…)"),
    UNMATCHED: N_("88Pay completed what these books do not have"),
    OVERDUE: N_("still open after the time that the kit gives their method: look in the dashboard"),
    CONTRADICTING: N_("another status or amount than the books have: look in the dashboard"),
    LATE: N_("completed around the opening, and notified after it: counted twice"),
    PAYIN: N_("88Pay's total_payin and the books differ, and what is open does not say why"),
    PAYOUT: N_("88Pay's total_payout and the books differ, and what is open does not say why"),
    SETTLEMENTS: N_("total_settled has changed by another amount than the imported file lists"),
    CREDIT: N_("at least this much of the payouts did not reduce what is available (assumed)"),
    FEES: "",
    REST: N_("88Pay's balance shows their sum only: your contract or its support tells them apart"),
}


@dataclass(frozen=True)
class Part:
    """One part of a gap.

    Attributes:
        name: what it is.
        amount: what it adds to the gap; a payout that only 88Pay counts is below zero.
        references: what it consists of, or may consist of: 88Pay's references; keys or ids where
            there is none.
        possible: what it would add if 88Pay counted all that is listed; where that is not known,
            the same as ``amount``.
        words: why, and what to do.
    """

    name: str
    amount: Decimal
    references: tuple[str, ...] = ()
    possible: Decimal = _NOTHING
    words: str = ""


@dataclass(frozen=True)
class Reconciliation(Shown):
    """What came out: text where text is shown, a table in a notebook.

    Attributes:
        opening: when the opening snapshot was taken; None without one: then nothing is compared,
            and the balance itself is where the next reconciliation can start.
        closing: when the balance was taken, None for one of this moment.
        expected: what should be available, by the books.
        actual: 88Pay's ``total_available``.
        items: the parts of the gap; their amounts sum to it exactly.
        notes: what else a reader should know.
    """

    environment: str
    merchant_id: str
    currency: str
    opening: datetime | None
    closing: datetime | None
    expected: Decimal
    actual: Decimal
    tolerance: Decimal
    items: tuple[Part, ...]
    notes: tuple[str, ...] = ()
    compared: Mapping[str, tuple[Decimal, Decimal]] = field(default_factory=dict, repr=False)

    @property
    def gap(self) -> Decimal:
        """``actual − expected``: above zero, 88Pay has more than the books know of."""
        return _minus(self.actual, self.expected)

    @property
    def ok(self) -> bool | None:
        """Whether payin, payout, settled and available all agree; None without an opening."""
        if self.opening is None:
            return None
        return all(self._agrees(_minus(real, books)) for books, real in self.compared.values())

    @property
    def explained(self) -> bool:
        """Whether no part is left of which nothing is known."""
        return all(
            self._agrees(part.amount) for part in self.items if part.name in (PAYIN, PAYOUT, REST)
        )

    @property
    def figures(self) -> pd.DataFrame:
        """Payin, payout, settled and available: as the books expect them, and as 88Pay has them."""
        rows = [
            {"figure": name, "books": books, "88Pay": real, "gap": _minus(real, books),
             "agrees": self._agrees(_minus(real, books))}
            for name, (books, real) in self.compared.items()
        ]  # fmt: skip
        return to_frame(rows).set_index("figure")

    @property
    def parts(self) -> pd.DataFrame:
        """The parts of the gap, one row each, with all their references."""
        with needs("frames"):
            import pandas as pd
        rows = [
            {"part": part.name, "amount": part.amount, "possible": part.possible,
             "count": len(part.references), "words": part.words}
            for part in self.items
        ]  # fmt: skip
        frame = to_frame(rows)
        frame["references"] = pd.Series([list(part.references) for part in self.items])
        return frame

    def in_zone(self, zone: str) -> Reconciliation:
        """The same with its times in this zone, an IANA name; they are in UTC at first."""
        there = ZoneInfo(zone)
        return replace(
            self,
            opening=self.opening and self.opening.astimezone(there),
            closing=self.closing and self.closing.astimezone(there),
        )

    def __getitem__(self, name: str) -> Part:
        """A part by its name."""
        for part in self.items:
            if part.name == name:
                return part
        raise KeyError(name)

    def record(self) -> dict[str, Any]:
        """The reconciliation as one row of a table, each part with its amount."""
        row: dict[str, Any] = {
            "merchant_id": self.merchant_id, "currency": self.currency,
            "opening_at": self.opening, "closing_at": self.closing,
            "expected": self.expected, "actual": self.actual, "gap": self.gap,
            "ok": self.ok, "explained": self.explained,
        }  # fmt: skip
        return row | {part.name: part.amount for part in self.items}

    def _agrees(self, gap: Decimal) -> bool:
        return -self.tolerance <= gap <= self.tolerance

    def _title(self) -> str:
        return _("Reconciliation of {merchant}", merchant=self.merchant_id)

    def _rows(self) -> list[Row]:
        rows = self._summary()
        for name, amount, *more in self._lines():
            rows.append((name, amount))
            rows += [("", words) for words in more if words]
        return rows

    def _repr_html_(self) -> str:
        # Three columns, which a phone has room for.
        amount = _("amount")
        header = [_("part of the gap"), amount, _("references, and what it means")]
        lines = [(*line[:2], ": ".join(filter(None, line[2:]))) for line in self._lines()]
        parts = grid_html(_("Parts of the gap"), header, lines, numbers=[amount])
        return as_html(self._title(), self._summary()) + parts

    def _summary(self) -> list[Row]:
        simulated = _("Simulated data, not 88Pay")
        environment = self.environment + (f" ({simulated})" if self.environment == "local" else "")
        verdict = {True: _("the books and the balance agree"), False: _("they differ"), None: "–"}
        opening = _("none: nothing is compared") if self.opening is None else _when(self.opening)
        rows = [
            (_("environment"), environment),
            (_("opening as of"), opening),
            (_("balance as of"), _("now") if self.closing is None else _when(self.closing)),
            (_("expected"), self._show(self.expected)),
            ("88Pay", self._show(self.actual)),
            (_("gap"), self._show(self.gap)),
            (_("result"), verdict[self.ok]),
        ]
        return rows + [(_("note"), note) for note in self.notes]

    def _lines(self) -> list[tuple[str, str, str, str]]:
        """Name, amount, references and words of each part that has something to say."""
        lines = []
        for part in self.items:
            if not (part.amount or part.references or part.name == REST):
                continue
            more = len(part.references) - SHOWN
            references = ", ".join(part.references[:SHOWN])
            if more > 0:
                references = _("{listed} and {more} more", listed=references, more=f"{more:,}")
            words = part.words
            if part.possible != part.amount:
                possible = self._show(part.possible)
                words += "; " + _("if 88Pay counts all of it: {amount}", amount=possible)
            lines.append((_(part.name), self._show(part.amount), references, words))
        return lines

    def _show(self, amount: Decimal) -> str:
        return money.show(amount, self.currency)

    def __repr__(self) -> str:
        return str(self)


def part_of(
    name: str,
    cents: int,
    references: tuple[str, ...] = (),
    possible: int | None = None,
    words: str | None = None,
) -> Part:
    """A part with its usual words, from whole cents."""
    said = (_(WORDS[name]) if cents else "") if words is None else words
    return Part(
        name, money.from_cents(cents), references,
        money.from_cents(cents if possible is None else possible), said,
    )  # fmt: skip


def _minus(first: Decimal, second: Decimal) -> Decimal:
    """Exact, whatever a program's decimal context rounds."""
    return money.from_cents(money.to_cents(first) - money.to_cents(second))


def _when(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S} {moment.tzinfo}"

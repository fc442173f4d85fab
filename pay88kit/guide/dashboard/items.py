"""What somebody should look at: operations and notifications that wait for an answer."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple
from zoneinfo import ZoneInfo

from pay88kit import money
from pay88kit.balance.reconciliation import CONTRADICTING, OVERDUE, UNKNOWN, UNMATCHED, WORDS
from pay88kit.frames import to_frame
from pay88kit.guide.dashboard.parts import Table
from pay88kit.models.countries import CURRENCIES, KNOWN
from pay88kit.models.methods import METHODS

if TYPE_CHECKING:
    import pandas as pd

    from pay88kit.books import Books

# One of each, as a person reads it.
_NAMES = {
    UNKNOWN: "unknown outcome",
    OVERDUE: "past its time",
    UNMATCHED: "notification without an operation",
    CONTRADICTING: "notification that contradicts the books",
}
# In the table; the frame has all.
_SHOWN = 50
# By 88Pay: those of its countries, and of methods that take others.
_CURRENCIES = (
    *(code for country in KNOWN for code in CURRENCIES[country]),
    *(code for method in METHODS.values() for code in method.currencies),
)
# For a method that the kit does not know.
_LONGEST = max(method.expires for method in METHODS.values())


class Item(NamedTuple):
    """One thing that is open; ``cents`` is None where the amount is not known."""

    kind: str
    label: str
    what: str
    cents: int | None
    currency: str | None
    created_at: datetime | None


class OpenItems(Table):
    """The open items of a merchant, whatever period is chosen: an old one matters most.

    ``frame`` has all of them; ``pending`` counts the operations that are open within the time of
    their method, and need nobody.
    """

    COLUMNS = ("item", "reference", "operation", "amount", "currency", "created_at")
    _HEADER = ("Item", "Reference", "Operation", "Amount", "Created")

    def __init__(self, items: list[Item], pending: int, zone: str, *, books: bool = True) -> None:
        self.pending = pending
        records = [
            {"item": _NAMES[item.kind], "reference": item.label, "operation": item.what,
             "amount": None if item.cents is None else money.from_cents(item.cents),
             "currency": item.currency, "created_at": item.created_at}
            for item in items
        ]  # fmt: skip
        #: All of them, exact.
        self.frame: pd.DataFrame = to_frame(records, self.COLUMNS)
        tz = ZoneInfo(zone)
        rows = [
            (
                _NAMES[item.kind],
                item.label,
                item.what,
                _amount(item),
                f"{item.created_at.astimezone(tz):%Y-%m-%d %H:%M}" if item.created_at else "–",
            )
            for item in items[:_SHOWN]
        ]
        super().__init__(
            f"Open items: {len(items)}",
            (*self._HEADER[:-1], f"Created, {zone}"),
            rows,
            numbers=("Amount",),
            notes=list(_notes(items, pending)) if books else ["This client keeps no books."],
        )


def open_items(
    books: Books, environment: str, merchant_id: str, currency: str | None, now: datetime
) -> tuple[list[Item], int]:
    """What is open, most urgent kind first, and how many operations are pending in their time."""
    items, pending = [], 0
    for each in books.accounts.open(environment, merchant_id):
        if not each.unknown and each.created_at + _time_of(each.method_code) >= now:
            pending += 1
            continue
        what = " ".join(filter(None, (each.operation, each.method_code)))
        kind = UNKNOWN if each.unknown else OVERDUE
        items.append(Item(kind, each.label, what, each.amount, each.currency, each.created_at))
    items += _left_over(books, environment, merchant_id, currency)
    order = list(_NAMES)
    return sorted(items, key=lambda item: order.index(item.kind)), pending


def _left_over(books: Books, environment: str, merchant_id: str, own: str | None) -> Iterator[Item]:
    """Notifications that changed nothing, in every currency that is likely.

    Those are the merchant's own, those of its completed operations, and those that 88Pay names.
    One without a currency counts as one in the merchant's own, as in a reconciliation.
    """
    found: set[str] = set()
    used = (each.currency for each in books.accounts.completed(environment, merchant_id))
    for currency in dict.fromkeys(filter(None, (own, *used, *_CURRENCIES))):
        for note in books.accounts.left_over(environment, merchant_id, currency):
            if note.label not in found:
                found.add(note.label)
                kind = UNMATCHED if note.operation is None else CONTRADICTING
                yield Item(kind, note.label, note.operation or "–", note.amount, currency, None)


def _time_of(method_code: str | None) -> Any:
    """How long an operation may be pending: then its notification is due."""
    method = METHODS.get(method_code or "")
    return method.expires if method else _LONGEST


def _amount(item: Item) -> str:
    return "–" if item.cents is None else money.show(money.from_cents(item.cents), item.currency)


def _notes(items: list[Item], pending: int) -> Iterator[str]:
    if len(items) > _SHOWN:
        yield f"The first {_SHOWN} of {len(items)}; open_items().frame has all."
    for kind in dict.fromkeys(item.kind for item in items):
        yield f"{_NAMES[kind]}: {WORDS[kind]}."
    yield f"Pending in the time of their method: {pending}."

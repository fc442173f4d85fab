"""88Pay's integration checklist as a board: what was practised, what is done, and what shows it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from pay88kit.config import without_secrets
from pay88kit.display import grid_html, one_line
from pay88kit.errors import BooksError, MissingExtra, WrongUse
from pay88kit.frames import to_frame
from pay88kit.guide.catalogue import ITEMS, Item
from pay88kit.guide.evidence import LOCAL, Kind, all_evidence, told
from pay88kit.guide.exercises.turn import every_exercise
from pay88kit.guide.sheet import Sheet
from pay88kit.language import N_, _

if TYPE_CHECKING:
    import pandas as pd

    from pay88kit.books.evidence import Evidence

_LONGEST = 200
_COLUMNS = ("item", "environment", "merchant_id", "kind", "what", "reference", "at")


class Checklist:
    """The twenty items, each with its two marks and what shows them.

    **Practised locally** is what the local sandbox can show. **Done** is what 88Pay's own sandbox
    answered, or what a person ticked who knows. One never counts as the other.
    """

    _HEADER = ("#", N_("Item"), N_("Lesson"), N_("Practised locally"), N_("Done"))

    def __init__(self) -> None:
        self._trouble = ""
        try:
            self._evidence = all_evidence()
        except (BooksError, MissingExtra) as error:
            self._trouble = _("The evidence cannot be read: {error}", error=error)
            self._evidence = to_frame([], _COLUMNS)
        # A board asks for each item many times, and to filter a frame each time is slow.
        self._found: dict[tuple[int, bool], list[dict[Any, Any]]] = {}
        for each in self._evidence.to_dict("records"):
            self._found.setdefault((each["item"], each["environment"] == LOCAL), []).append(each)

    def tick(self, item: int, note: str) -> Checklist:
        """Tick an item that only a person can know of; returns the board as it is now.

        Args:
            item: its number: 1, 2, 3, or 15 to 20.
            note: who says so, or where it is written. It is kept and reported as it stands.

        Raises:
            WrongUse: the item is ticked by what happens, or the note is empty, longer than 200
                characters or holds a secret.
            BooksError: it cannot be kept.
        """
        environment = _by_hand(item)
        note = one_line(str(note).strip())
        if not note or len(note) > _LONGEST:
            raise WrongUse(f"note: say in 1 to {_LONGEST} characters who knows, or where it is.")
        if without_secrets(note) != note:
            raise WrongUse("note: looks like it holds a secret. Leave it out.")
        _kept().keep(
            item, Kind.HAND, note, environment=environment, merchant_id="", now=datetime.now(UTC),
            anew=True,
        )  # fmt: skip
        return Checklist()

    def untick(self, item: int) -> Checklist:
        """Take back what was ticked by hand; returns the board as it is now.

        Raises:
            WrongUse: the item cannot be ticked by hand.
            BooksError: it cannot be written.
        """
        environment = _by_hand(item)
        _kept().remove(item, Kind.HAND, environment=environment, merchant_id="")
        return Checklist()

    @property
    def practised(self) -> list[int]:
        """The items that were practised on this machine."""
        return [item.number for item in ITEMS if self._shows(item, local=True)]

    @property
    def done(self) -> list[int]:
        """The items that are done at 88Pay, or by hand."""
        return [item.number for item in ITEMS if self._shows(item, local=False)]

    @property
    def exercises(self) -> list[str]:
        """The exercises that were solved."""
        of = f"{Kind.CHECK} "
        return sorted({kind.removeprefix(of) for kind in self._evidence["kind"] if of in kind})

    def evidence(self) -> pd.DataFrame:
        """Every piece of evidence, with its place, its time in UTC and its reference."""
        return self._evidence

    @property
    def summary(self) -> str:
        """Both counts in a line."""
        return _(
            "{practised} of {possible} practised locally, {done} of {items} done, {solved} of "
            "{exercises} exercises solved",
            practised=len(self.practised),
            possible=sum(item.local for item in ITEMS),
            done=len(self.done),
            items=len(ITEMS),
            solved=len(self.exercises),
            exercises=len(every_exercise()),
        )

    def _shows(self, item: Item, *, local: bool) -> str:
        """What shows an item at one kind of place, in a few words; empty when nothing does."""
        if local and not item.local:
            return ""
        found = self._found.get((item.number, local))
        if not found:
            return ""
        best = min(found, key=lambda each: _strength(each["kind"]))
        kind, exercise = best["kind"], _exercise(best["kind"])
        what = told(kind, best["what"])
        if _known(best["reference"]):
            what = f"{what} ({best['reference']})"
        if kind == Kind.HAND:
            return _("by hand: {note}", note=what)
        if exercise:
            what = _("exercise {exercise}: {what}", exercise=exercise, what=what)
        return what if local else f"{best['environment']}{self._whose(best)}: {what}"

    def sheet(self) -> Sheet:
        """The same table without links, for a page that is read elsewhere."""
        return Sheet(self._title(), self._header(), tuple(self._cells()))

    def _whose(self, best: Any) -> str:
        """The merchant, where several have evidence at 88Pay."""
        at_88pay = self._evidence[self._evidence["environment"] != LOCAL]
        several = len({merchant for merchant in at_88pay["merchant_id"] if merchant}) > 1
        return f" {best['merchant_id']}" if several else ""

    def _cells(self) -> list[tuple[str, ...]]:
        return [
            (
                str(item.number),
                _(item.text),
                item.lesson,
                _mark(self._shows(item, local=True), "–" if item.local else _("not here")),
                _mark(self._shows(item, local=False), "–"),
            )
            for item in ITEMS
        ]

    def _title(self) -> str:
        state = self._trouble or self.summary
        return _("88Pay's integration checklist: {state}", state=state)

    def _header(self) -> tuple[str, ...]:
        return tuple(map(_, self._HEADER))

    def __repr__(self) -> str:
        return repr(self.sheet())

    def _repr_html_(self) -> str:
        links = {item.lesson: f"{item.lesson}.ipynb" for item in ITEMS}
        return grid_html(self._title(), self._header(), self._cells(), numbers=["#"], links=links)


def example(item: Item) -> str:
    """How an item is ticked by hand."""
    note = _("on 2 March, says Ana")
    return f'checklist().tick({item.number}, "{note}")'


def checklist() -> Checklist:
    """88Pay's twenty items as they stand now: what was practised, what is done, and the proof."""
    return Checklist()


def _kept() -> Evidence:
    from pay88kit.books import lasting_books

    return lasting_books().evidence


def _by_hand(number: int) -> str:
    numbers = {item.number: item for item in ITEMS}
    if type(number) is not int or number not in numbers:
        raise WrongUse(f"item: {number!r} is none. Give a number from 1 to {len(ITEMS)}.")
    item = numbers[number]
    if item.by_hand is None:
        raise WrongUse(
            f"item: {number} ({item.text}) is ticked by what happens. {item.lesson} covers it."
        )
    return item.by_hand


def _strength(kind: str) -> int:
    """The order of what shows most; what a newer kit wrote comes last."""
    order: list[str] = list(Kind)
    name = kind.partition(" ")[0]
    return order.index(name) if name in order else len(order)


def _exercise(kind: str) -> str:
    """The exercise that was checked, such as ``03.1``; empty where it was none."""
    return kind.partition(" ")[2]


def _known(value: object) -> bool:
    return isinstance(value, str) and bool(value)


def _mark(shown: str, otherwise: str) -> str:
    return f"✓ {shown}" if shown else otherwise

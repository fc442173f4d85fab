"""What an exercise is, and how its check says what is wrong."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TypeVar

T = TypeVar("T")
_LONGEST = 80


class Kind(StrEnum):
    """What the learner is asked to do."""

    CALL = "Write the call"
    PREDICT = "Predict, then run"
    FAULT = "Find the fault"
    EVENT = "Handle the event"


@dataclass(frozen=True)
class Exercise:
    """One exercise, the only source of its cell in the notebook and of its tests.

    Attributes:
        id: lesson and number, such as ``03.1``.
        kind: what is asked for.
        title: a few words, for its heading.
        task: the text above the cell, in Markdown.
        answer: the cell's expression for the answer, such as ``charge`` or ``(first, second)``.
        needs: what of the lesson the check uses, such as ``("client",)``; passed after the answer.
        starter: the code that the learner completes; ``...`` stands where the answer goes.
        solution: the same code, completed.
        wrong: completed wrongly, at least twice, each with a mistake of its own; only the tests
            use it.
        hints: from a nudge to nearly the answer.
        why: why it matters, in a sentence that is worth remembering.
        check: takes the answer and what it needs. Returns what it saw, as a sentence, when the
            answer is right; raises :class:`NotYet` when it is not.
    """

    id: str
    kind: Kind
    title: str
    task: str
    answer: str
    starter: str
    solution: str
    wrong: tuple[str, ...]
    hints: tuple[str, ...]
    why: str
    check: Callable[..., str]
    needs: tuple[str, ...] = ()

    def cell(self, code: str | None = None) -> str:
        """The notebook's cell: the starter, or other code, and the check below it."""
        arguments = ", ".join((self.answer, *self.needs))
        body = (self.starter if code is None else code).strip("\n")
        gap = "\n\n\n" if "\ndef " in f"\n{body}" else "\n\n"
        return f'{body}{gap}your_turn("{self.id}").check({arguments})'


class NotYet(Exception):
    """An answer that is not right: what was seen, what was expected, and why it matters.

    Without ``why`` the exercise's own is shown.
    """

    def __init__(self, seen: str, expected: str, why: str | None = None) -> None:
        super().__init__(f"{seen} {expected}")
        self.seen = seen
        self.expected = expected
        self.why = why


class NeedsLocal(Exception):
    """The check uses what only the local sandbox has: its ledger, its clock, its faults."""


WHOLE = "Keep the whole answer of the call: a part of it, or a text of your own, proves nothing."
NOTHING = "Nothing came back: a function without return gives None."


def of_type(
    value: object, kind: type[T], expected: str, why: str | None = None, *, secret: bool = False
) -> T:
    """The answer, when it is of this type at all. A ``secret`` one is not shown when it is not.

    Raises:
        NotYet: it is not.
    """
    if value is None:
        raise NotYet("None", expected, NOTHING)
    if not isinstance(value, kind):
        named = f"type {type(value).__name__}"
        seen = "a value" if secret else f"{shown(value)},"
        raise NotYet(f"{seen} of {named}", expected, why)
    return value


def compare(
    predicted: Mapping[str, object],
    seen: Mapping[str, object],
    expected: str,
    why: Mapping[str, str] | None = None,
) -> str:
    """Judge a prediction by what really happened; returns that as a sentence.

    ``why`` has the reason of each thing that may be predicted wrongly.

    Raises:
        NotYet: something happened that was not predicted.
    """
    missed = [name for name in seen if not _same(predicted[name], seen[name])]
    if missed:
        told = (f"{n}: {shown(seen[n])}, you predicted {shown(predicted[n])}" for n in missed)
        reasons = (_nearly(predicted[n], seen[n]) or (why or {}).get(n, "") for n in missed)
        said = dict.fromkeys(filter(None, reasons))
        raise NotYet("; ".join(told), expected, " ".join(said) or None)
    return "; ".join(f"{name}: {shown(value)}" for name, value in seen.items())


def _nearly(guess: object, seen: object) -> str:
    # Another type or other capitals: the learner knows it, and has only written it otherwise.
    alike = type(guess) is not bool and str(guess).strip().lower() == str(seen).lower()
    return "Nearly: capitals count, and a number is no text." if alike else ""


def _same(guess: Any, seen: Any) -> bool:
    # True equals 1 in Python, and is no prediction of a number.
    return type(guess) is not bool and bool(guess == seen)


def shown(value: object) -> str:
    """A value in a sentence: short, whatever it is."""
    text = repr(value)
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"

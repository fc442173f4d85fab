"""What a learner sees below an exercise: as text and as HTML, which say the same."""

from __future__ import annotations

import html
from collections.abc import Sequence
from enum import StrEnum
from typing import Any

from pay88kit.display import Row, Shown


class Verdict(StrEnum):
    """The four outcomes of a check."""

    NOT_TRIED = "Not tried"
    NOT_YET = "Not yet"
    CRASHED = "Crashed"
    RIGHT = "Right"


class Said(Shown):
    """A title and what is said about it: a hint, or why the solution is still closed."""

    def __init__(self, title: str, rows: Sequence[Row]) -> None:
        self._said = title
        self._lines = tuple(rows)

    def _title(self) -> str:
        return self._said

    def _rows(self) -> list[Row]:
        return list(self._lines)

    def __repr__(self) -> str:
        return str(self)


class Outcome(Said):
    """What a check says. ``verdict`` is one of four; the words carry it, no colour does."""

    def __init__(self, exercise_id: str, verdict: Verdict, rows: Sequence[Row]) -> None:
        super().__init__(f"{exercise_id} · {verdict}", rows)
        self.verdict = verdict


class Solution:
    """The code of a solution, to read and to copy."""

    def __init__(self, exercise_id: str, code: str) -> None:
        self.code = code
        self._title = f"{exercise_id} · Solution"

    def __repr__(self) -> str:
        return f"{self._title}\n\n{self.code}"

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        printer.text(repr(self))

    def _repr_html_(self) -> str:
        return f"<p><b>{html.escape(self._title)}</b></p><pre>{html.escape(self.code)}</pre>"

"""Two things measured side by side, and the table of what came out."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from statistics import median

ROUNDS = 5
# No round takes longer, however slow it is.
SECONDS = 2.0


@dataclass(frozen=True)
class Row:
    """One line of the table. ``goal`` bounds ``figure / baseline``, as ``"≤ 1.3"``."""

    what: str
    figure: float
    unit: str
    against: str = ""
    baseline: float | None = None
    goal: str = ""

    @property
    def ratio(self) -> float | None:
        """The figure in terms of its baseline."""
        return self.figure / self.baseline if self.baseline else None

    @property
    def reached(self) -> bool | None:
        """Whether the goal is reached; None without a goal."""
        if not self.goal or self.ratio is None:
            return None
        sign, bound = self.goal.split()
        return self.ratio <= float(bound) if sign == "≤" else self.ratio >= float(bound)

    def cells(self) -> list[str]:
        """The line as texts."""
        return [
            self.what,
            _number(self.figure, self.unit),
            self.against,
            "" if self.baseline is None else _number(self.baseline, self.unit),
            "" if self.ratio is None else f"{self.ratio:.2f}",
            self.goal,
            {True: "yes", False: "no", None: ""}[self.reached],
        ]


HEADER = ["what", "figure", "against", "figure", "ratio", "goal", "reached"]


def in_turns(works: Mapping[str, Callable[[], float]], rounds: int = ROUNDS) -> dict[str, float]:
    """The median of each, taken in turns: A B C A B C … . A first turn of each is not counted."""
    for work in works.values():
        work()
    taken = [{name: work() for name, work in works.items()} for _ in range(rounds)]
    return {name: median(turn[name] for turn in taken) for name in works}


def side_by_side(
    first: Callable[[], float], second: Callable[[], float], rounds: int = ROUNDS
) -> tuple[float, float]:
    """The medians of both, taken in turns."""
    medians = in_turns({"first": first, "second": second}, rounds)
    return medians["first"], medians["second"]


def rate(work: Callable[[], object], count: int) -> float:
    """How often ``work`` runs in a second; tried ``count`` times or for a round's length."""
    start = time.perf_counter()
    done = spent = 0.0
    while done < count and spent < SECONDS:
        work()
        done += 1
        spent = time.perf_counter() - start
    return done / spent


def say(text: str) -> None:
    """A line of progress."""
    print(text, file=sys.stderr, flush=True)


def as_table(rows: Iterable[Row]) -> str:
    """All rows under their header, in columns."""
    lines = [HEADER, *(row.cells() for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    right = {1, 3, 4}

    def line(cells: list[str]) -> str:
        padded = (
            cell.rjust(width) if at in right else cell.ljust(width)
            for at, (cell, width) in enumerate(zip(cells, widths, strict=True))
        )
        return "  ".join(padded).rstrip()

    rule = "  ".join("-" * width for width in widths)
    return "\n".join([line(lines[0]), rule, *map(line, lines[1:])])


def _number(value: float, unit: str) -> str:
    return f"{value:,.0f} {unit}" if value >= 10 else f"{value:,.2f} {unit}"

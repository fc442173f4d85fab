"""The learner's side of an exercise: check, hint, solution."""

from __future__ import annotations

import linecache
import re
import traceback
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from types import FunctionType

from pay88kit.display import Row
from pay88kit.guide.evidence import practised, unwatched
from pay88kit.guide.exercises.exercise import Exercise, NeedsLocal, NotYet
from pay88kit.guide.exercises.shown import Outcome, Said, Solution, Verdict
from pay88kit.guide.exercises.untouched import untouched

TRIES = 3
_LONGEST = 300


@dataclass
class _Progress:
    """What happened to an exercise since the kernel started; no file keeps it."""

    tries: int = 0
    hints: int = 0


_progress: dict[str, _Progress] = {}


def lesson_exercises(lesson: str) -> tuple[Exercise, ...]:
    """The exercises of a lesson, such as ``03``; empty when it has none."""
    if not re.fullmatch(r"[0-9]{2}", lesson):
        return ()
    name = f"{__package__}.lesson_{lesson}"
    try:
        module = import_module(name)
    except ModuleNotFoundError as missing:
        if missing.name != name:
            raise
        return ()
    exercises: tuple[Exercise, ...] = module.EXERCISES
    return exercises


def lessons() -> list[str]:
    """The lessons that have exercises, in order."""
    return sorted(path.stem[-2:] for path in Path(__file__).parent.glob("lesson_[0-9][0-9].py"))


def every_exercise() -> list[Exercise]:
    """All exercises of the guide, in order."""
    return [exercise for lesson in lessons() for exercise in lesson_exercises(lesson)]


def your_turn(exercise_id: str) -> YourTurn:
    """An exercise by its number, such as ``03.1``: the first one of lesson 03.

    Raises:
        ValueError: there is no such exercise.
    """
    of = {exercise.id: exercise for exercise in lesson_exercises(str(exercise_id)[:2])}
    if exercise_id not in of:
        known = ", ".join(of) or ", ".join(f"{lesson}.1" for lesson in lessons())
        raise ValueError(f"exercise: there is no {exercise_id!r}. Use one such as {known}.")
    return YourTurn(of[exercise_id])


class YourTurn:
    """One exercise. Its tries and hints are counted for as long as the kernel lives."""

    def __init__(self, exercise: Exercise) -> None:
        self._exercise = exercise
        self._progress = _progress.setdefault(exercise.id, _Progress())

    def __repr__(self) -> str:
        return f"Exercise {self._exercise.id}: {self._exercise.title}"

    def check(self, answer: object, *needs: object) -> Outcome:
        """Judge the answer. Nothing happens, and no try is counted, while a ``...`` is left in it.

        Args:
            answer: what the cell asks for.
            needs: what the check uses of the lesson; the cell passes it.
        """
        if untouched(answer):
            todo = "Put your answer in the place of each ... and run the cell again."
            return self._outcome(Verdict.NOT_TRIED, ("To do", todo), self._help())
        try:
            with unwatched():
                seen = self._exercise.check(answer, *needs)
        except NeedsLocal:
            todo = "Run this lesson with the local sandbox: the check reads its ledger."
            return self._outcome(Verdict.NOT_TRIED, ("To do", todo))
        except NotYet as wrong:
            self._progress.tries += 1
            return self._outcome(
                Verdict.NOT_YET,
                ("Seen", wrong.seen),
                ("Expected", wrong.expected),
                ("Why", wrong.why or self._exercise.why),
                self._help(),
            )
        except Exception as error:
            self._progress.tries += 1
            said = f"{type(error).__name__}: {error}".replace("\n", " ")[:_LONGEST]
            where = _where(error, answer)
            return self._outcome(Verdict.CRASHED, ("Error", said), ("Where", where), self._help())
        rows = [("Seen", seen), ("Remember", self._exercise.why)]
        items, trouble = practised(self._exercise.id, self._exercise.title)
        if trouble:
            rows.append(("Not kept", trouble))
        elif items:
            rows.append(("Checklist", f"{_named(items)} practised locally"))
        return self._outcome(Verdict.RIGHT, *rows)

    def hint(self) -> Said:
        """The next hint; after the last one, the last again."""
        hints = self._exercise.hints
        self._progress.hints = min(self._progress.hints + 1, len(hints))
        number = self._progress.hints
        title = f"{self._exercise.id} · Hint {number} of {len(hints)}"
        return Said(title, [("Hint", hints[number - 1]), self._help()])

    def solution(self) -> Solution | Said:
        """The solution, once it is open: after the last hint or after three tries."""
        if self._open():
            return Solution(self._exercise.id, self._exercise.cell(self._exercise.solution))
        made, taken = self._progress.tries, self._progress.hints
        return Said(
            f"{self._exercise.id} · The solution is still closed",
            [
                ("Opens", f"after the last hint, or after {TRIES} tries"),
                ("So far", f"{taken} of {len(self._exercise.hints)} hints, {made} tries"),
                self._help(),
            ],
        )

    def _open(self) -> bool:
        done = self._progress
        return done.hints >= len(self._exercise.hints) or done.tries >= TRIES

    def _help(self) -> Row:
        what = "solution" if self._open() else "hint"
        return "Help", f'your_turn("{self._exercise.id}").{what}()'

    def _outcome(self, verdict: Verdict, *rows: Row) -> Outcome:
        return Outcome(self._exercise.id, verdict, rows)


def _named(items: list[int]) -> str:
    return f"item{'s' * (len(items) > 1)} {' and '.join(map(str, items))}"


def _where(error: Exception, answer: object) -> str:
    """The learner's own line in which it happened, the innermost one."""
    answers = answer if isinstance(answer, tuple) else (answer,)
    own = {each.__code__.co_filename for each in answers if isinstance(each, FunctionType)}
    lines = [
        (frame.f_code.co_filename, line)
        for frame, line in traceback.walk_tb(error.__traceback__)
        if frame.f_code.co_filename in own
    ]
    if not lines:
        return "not in your code: the check could not use this answer"
    file, number = lines[-1]
    source = linecache.getline(file, number).strip()
    return f"line {number} of your cell: {source}"

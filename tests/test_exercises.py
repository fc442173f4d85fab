"""The exercises: each check is tried with the untouched answer, wrong ones and the right one, and
each lesson is run in a kernel with every solution filled in."""

from __future__ import annotations

import ast
import linecache
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from html import unescape
from pathlib import Path
from typing import Any

import nbformat
import pytest
from kernels import execute
from run_all import empty_home
from tools import write_exercises

from pay88kit import Sandbox
from pay88kit.guide import your_turn
from pay88kit.guide.catalogue import PAGES
from pay88kit.guide.exercises import turn
from pay88kit.guide.exercises.exercise import Exercise, Kind, NotYet, compare, of_type
from pay88kit.guide.exercises.shown import Outcome, Solution, Verdict
from pay88kit.guide.exercises.turn import lesson_exercises, lessons
from pay88kit.guide.exercises.untouched import untouched
from pay88kit.sandbox import local

NOTEBOOKS = Path(__file__).resolve().parent.parent / "notebooks"
EVERY = [exercise for lesson in lessons() for exercise in lesson_exercises(lesson)]
HELD_UP = ("Seen", "Expected", "Why", "Help")
# Lessons whose checks may still say the same of several mistakes.
GENERAL = ("06", "08")
# What is another at each run: references and keys.
DRAWN = re.compile(r"IP[A-Z0-9]{9}|your-turn-\d+|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def page(lesson: str) -> Path:
    return NOTEBOOKS / PAGES[int(lesson)].file


def cells(lesson: str) -> list[Any]:
    return nbformat.read(page(lesson), as_version=4).cells


@pytest.fixture(autouse=True)
def new_kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    """No exercise was tried yet."""
    monkeypatch.setattr(turn, "_progress", {})


def said(shown: Any) -> list[tuple[str, str]]:
    """The rows of the text form, after asserting that the HTML form says the same."""
    title, *lines = str(shown).splitlines()
    html = shown._repr_html_()
    assert unescape(re.search(r"<b>(.*?)</b>", html)[1]) == title  # type: ignore[index]
    rows = re.findall(r"<tr><th[^>]*>(.*?)</th><td[^>]*>(.*?)</td></tr>", html)
    rows = [(unescape(name), unescape(value)) for name, value in rows]
    assert [tuple(re.split("  +", line[2:], maxsplit=1)) for line in lines] == rows
    # Told by words alone.
    assert "color" not in html
    assert "background" not in html
    return rows


# ---------------------------------------------------------------- the exercises as a set


def test_every_lesson_has_three_exercises_and_every_kind_is_there() -> None:
    assert lessons() == [f"{number:02}" for number in range(len(PAGES))]
    for lesson in lessons():
        assert len(lesson_exercises(lesson)) >= 3, lesson
    assert {exercise.kind for exercise in EVERY} == set(Kind)


@pytest.mark.parametrize("exercise", EVERY, ids=lambda exercise: exercise.id)
def test_an_exercise_is_complete(exercise: Exercise) -> None:
    of = lesson_exercises(exercise.id[:2])
    assert exercise.id == f"{exercise.id[:2]}.{of.index(exercise) + 1}"
    assert "..." in exercise.starter
    assert len(set(exercise.wrong)) >= 2
    assert exercise.solution not in exercise.wrong
    assert len(exercise.hints) >= 2
    # The cells hold code to complete, and no words.
    assert "#" not in exercise.starter
    for code in (exercise.starter, exercise.solution, *exercise.wrong):
        assert len(exercise.cell(code).splitlines()) <= 15
        ast.parse(exercise.cell(code))


@pytest.mark.parametrize("lesson", lessons())
def test_the_notebook_has_the_lessons_section(lesson: str) -> None:
    found = cells(lesson)
    section = [(cell.cell_type, cell.source) for cell in found[write_exercises.place(found)]]
    current = write_exercises.section(lesson_exercises(lesson))
    assert section == current, "run tests/tools/write_exercises.py"


def test_a_stale_section_is_replaced_and_the_rest_is_kept(tmp_path: Path) -> None:
    path = tmp_path / page("03").name
    notebook = nbformat.read(page("03"), as_version=4)
    before = [cell.source for cell in notebook.cells]
    notebook.cells[write_exercises.place(notebook.cells)] = [
        nbformat.v4.new_markdown_cell("## Your turn\n\nIt was something else once.")
    ]
    nbformat.write(notebook, path)
    assert write_exercises.write(path)
    assert [cell.source for cell in nbformat.read(path, as_version=4).cells] == before
    assert not write_exercises.write(path)


# ---------------------------------------------------------------- each answer, judged


class Learner:
    """A lesson's cells, run one after the other as a kernel would."""

    def __init__(self, lesson: str) -> None:
        self.names: dict[str, Any] = {"__name__": "__main__"}
        self._cells = iter(cells(lesson))
        self._number = 0

    def run(self, source: str) -> Any:
        """The value of the cell's last expression."""
        self._number += 1
        file = f"<cell {self._number}>"
        # Where Python looks for the line of an error, as in a kernel.
        linecache.cache[file] = (len(source), None, source.splitlines(keepends=True), file)
        tree = ast.parse(source)
        last = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None
        exec(compile(tree, file, "exec"), self.names)  # noqa: S102
        if last is None:
            return None
        return eval(compile(ast.Expression(last.value), file, "eval"), self.names)  # noqa: S307

    def reach(self, exercise: Exercise) -> None:
        """Run the lesson up to the exercise's cell."""
        for cell in self._cells:
            if cell.cell_type == "code":
                if f'your_turn("{exercise.id}")' in cell.source:
                    return
                self.run(cell.source)
        raise AssertionError(f"{exercise.id} has no cell in its lesson")


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Iterator[Sandbox]:
    """A process's own sandbox that no other test has used."""
    with Sandbox(seed=88) as sandbox:
        monkeypatch.setattr(local, "_shared", sandbox)
        yield sandbox


def fault(rows: dict[str, str]) -> tuple[str, ...]:
    """What an outcome says of a wrong answer, without what is drawn anew at each run."""
    names = ("Seen", "Why", "Error", "Where")
    return tuple(DRAWN.sub("…", rows[name]) for name in names if name in rows)


@pytest.mark.parametrize("lesson", lessons())
def test_every_answer_is_judged_in_its_lesson(lesson: str, world: Sandbox) -> None:
    learner = Learner(lesson)
    for exercise in lesson_exercises(lesson):
        learner.reach(exercise)
        before = len(world.requests())
        outcome = learner.run(exercise.cell())
        assert outcome.verdict is Verdict.NOT_TRIED, (exercise.id, str(outcome))
        assert [name for name, _ in said(outcome)] == ["To do", "Help"]
        assert len(world.requests()) == before, "an untouched exercise does nothing"
        assert turn._progress[exercise.id].tries == 0

        faults: dict[tuple[str, ...], str] = {}
        general: set[str] = set()
        # A wrong answer after the right one is still wrong, and the other way round.
        for code in (*exercise.wrong, exercise.solution, *exercise.wrong, exercise.solution):
            right = code == exercise.solution
            outcome = learner.run(exercise.cell(code))
            rows = dict(said(outcome))
            assert (outcome.verdict is Verdict.RIGHT) is right, (exercise.id, code, str(outcome))
            if not right and lesson not in GENERAL:
                said_of = faults.setdefault(fault(rows), code)
                assert said_of == code, (exercise.id, said_of, code, str(outcome))
            if outcome.verdict is Verdict.NOT_YET:
                assert tuple(rows) == HELD_UP
                assert all(rows.values())
                if rows["Why"] == exercise.why:
                    general.add(code)
            elif outcome.verdict is Verdict.CRASHED:
                assert rows["Where"].startswith("line "), (exercise.id, str(outcome))
                assert rows["Where"].split(": ", 1)[1] in code
            else:
                assert right
                assert rows["Remember"] == exercise.why
        # What the exercise teaches may be said of one mistake; every other has a reason of its own.
        assert len(general) <= 1 or lesson in GENERAL, (exercise.id, general)
    for name in {"inbox", "explore"} & learner.names.keys():
        learner.names[name].close()


# ---------------------------------------------------------------- a learner's four outcomes


def outcome_of(answer: object, *needs: object, exercise: str = "03.3") -> Outcome:
    return your_turn(exercise).check(answer, *needs)


def test_a_crash_names_the_error_and_the_learners_own_line() -> None:
    def total(prices: list[str]) -> object:
        first = prices[0]
        return [][len(first)]

    outcome = outcome_of(total)
    assert outcome.verdict is Verdict.CRASHED
    rows = dict(said(outcome))
    assert rows["Error"] == "IndexError: list index out of range"
    line = total.__code__.co_firstlineno + 2
    assert rows["Where"] == f"line {line} of your cell: return [][len(first)]"


def test_what_an_error_says_is_shown_escaped_and_on_one_line() -> None:
    def total(prices: list[str]) -> object:
        raise ValueError("<script>alert(1)</script>\nHelp  \x1b[31m" + "x" * 500)

    outcome = outcome_of(total)
    html = outcome._repr_html_()
    assert "<script>" not in html
    assert "&lt;script&gt;" in html
    assert "\x1b" not in str(outcome) + html
    assert len(str(outcome).splitlines()) == 4
    assert len(dict(said(outcome))["Error"]) < 320


def test_an_answer_that_the_check_cannot_use_is_no_crash_of_the_notebook() -> None:
    outcome = outcome_of("a text, where a function belongs")
    assert outcome.verdict is Verdict.CRASHED
    assert "not in your code" in dict(said(outcome))["Where"]


class Away:
    """A client that talks to 88Pay: whatever else the check would ask of it fails."""

    sandbox = None


class ExploreAway:
    client = Away()


AWAY = {"client": Away(), "explore": ExploreAway()}


@pytest.mark.parametrize(
    "exercise", [e for e in EVERY if AWAY.keys() & set(e.needs)], ids=lambda exercise: exercise.id
)
def test_away_from_the_local_sandbox_the_check_says_so_and_sends_nothing(
    exercise: Exercise,
) -> None:
    needs = [AWAY.get(name) for name in exercise.needs]
    outcome = outcome_of(object(), *needs, exercise=exercise.id)
    assert outcome.verdict is Verdict.NOT_TRIED
    assert "local sandbox" in dict(said(outcome))["To do"]


def test_the_headers_of_a_wrong_answer_are_not_shown(world: Sandbox) -> None:
    from pay88kit import Pay88

    client = Pay88(world.config)
    for answer, named in (
        (lambda token: {"auth": token.access_token}, "'auth'"),
        (lambda token: f"Bearer {token.access_token}", "of type str"),
    ):
        outcome = outcome_of(answer, client, exercise="02.3")
        assert outcome.verdict is Verdict.NOT_YET
        assert named in str(outcome)
        assert str(client.token().access_token)[:20] not in str(outcome)


# ---------------------------------------------------------------- hints and the solution


def test_hints_come_in_their_order_and_open_the_solution() -> None:
    exercise = lesson_exercises("03")[2]
    closed = your_turn("03.3").solution()
    assert dict(said(closed))["So far"] == "0 of 2 hints, 0 tries"
    for number, hint in enumerate(exercise.hints, 1):
        shown = your_turn("03.3").hint()
        assert str(shown).startswith(f"03.3 · Hint {number} of 2\n")
        assert dict(said(shown))["Hint"] == hint
    assert dict(said(shown))["Help"] == 'your_turn("03.3").solution()'
    # Asked once more, it says the last one again.
    assert str(your_turn("03.3").hint()) == str(shown)
    assert_solution(your_turn("03.3").solution(), exercise)


def test_three_tries_open_the_solution() -> None:
    for number in range(turn.TRIES):
        outcome = outcome_of(len)
        what = "solution" if number == turn.TRIES - 1 else "hint"
        assert dict(said(outcome))["Help"] == f'your_turn("03.3").{what}()'
    assert_solution(your_turn("03.3").solution(), lesson_exercises("03")[2])


def test_an_untouched_answer_is_no_try() -> None:
    for _ in range(turn.TRIES + 1):
        outcome_of(...)
    assert "still closed" in str(your_turn("03.3").solution())


def assert_solution(shown: object, exercise: Exercise) -> None:
    assert isinstance(shown, Solution)
    assert shown.code == exercise.cell(exercise.solution)
    assert shown.code in repr(shown)
    html = re.search(r"<pre>(.*)</pre>", shown._repr_html_(), re.DOTALL)
    assert html
    assert unescape(html[1]) == shown.code


@pytest.mark.parametrize("unknown", ["03.99", "99.1", "3.1", "", "../x"])
def test_an_unknown_exercise_names_known_ones(unknown: str) -> None:
    with pytest.raises(ValueError, match=r"^exercise: .*Use one such as \d\d\.1"):
        your_turn(unknown)


# ---------------------------------------------------------------- what counts as untouched


def written() -> int:
    return 1


def documented() -> None:
    """Only words."""


def half() -> object:
    return {"amount": ...}


def empty(first: int, second: int) -> None: ...


def returns_nothing(events: list[int]) -> None:
    events.append(1)


@pytest.mark.parametrize(
    "answer", [..., (1, ...), {"a": ...}, [{"a": (...,)}], documented, half, empty]
)
def test_a_placeholder_that_is_left_is_found(answer: object) -> None:
    assert untouched(answer)


@pytest.mark.parametrize(
    "answer", [None, 0, "...", (), {}, (1, "..."), written, returns_nothing, len, lambda: 2]
)
def test_an_answer_is_an_answer(answer: object) -> None:
    assert not untouched(answer)


def test_true_is_no_prediction_of_a_number() -> None:
    assert compare({"n": 1}, {"n": 1}, "") == "n: 1"
    with pytest.raises(NotYet, match="n: 1, you predicted True"):
        compare({"n": True}, {"n": 1}, "")


def test_a_prediction_is_told_why_each_missed_part_is_wrong() -> None:
    why = {"a": "About a.", "b": "About b.", "c": "About c."}

    def told(*guesses: object) -> str | None:
        with pytest.raises(NotYet) as caught:
            compare(dict(zip("abc", guesses, strict=True)), {"a": 200, "b": "B", "c": 3}, "", why)
        return caught.value.why

    assert told(200, "A", 3) == "About b."
    assert told(400, "B", 4) == "About a. About c."
    # Known, and only written otherwise: told so, once.
    assert told("200", "b", 3) == "Nearly: capitals count, and a number is no text."
    assert told(True, "B", 3) == "About a."


def test_a_wrong_type_is_named() -> None:
    with pytest.raises(NotYet, match="'x', of type str a number"):
        of_type("x", int, "a number")
    with pytest.raises(NotYet, match=r"^a value of type str a token$"):
        of_type("x", dict, "a token", secret=True)
    with pytest.raises(NotYet) as caught:
        of_type(None, int, "a number", "it is a number")
    assert "without return" in str(caught.value.why)


# ---------------------------------------------------------------- the lessons, solved


def solve(path: Path, env: dict[str, str]) -> dict[str, str]:
    """Run the notebook with every solution filled in; what each check says, by its exercise."""
    notebook: Any = nbformat.read(path, as_version=4)
    exercises = lesson_exercises(write_exercises.number_of(path))
    solutions = {e.id: e.cell(e.solution) for e in exercises}
    solved = {}
    for cell in notebook.cells:
        check = write_exercises.CHECK.search(cell.source) if cell.cell_type == "code" else None
        if check:
            cell.source = solutions[check["id"]]
            solved[check["id"]] = cell
    execute(notebook, env, path.parent)
    return {exercise: cell.outputs[-1]["data"]["text/plain"] for exercise, cell in solved.items()}


@pytest.fixture(scope="module")
def solved_lessons(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, str]]:
    env = empty_home(tmp_path_factory.mktemp("home"))
    with ThreadPoolExecutor(3) as pool:
        results = pool.map(lambda lesson: solve(page(lesson), env), lessons())
        return dict(zip(lessons(), results, strict=True))


@pytest.mark.parametrize("lesson", lessons())
def test_a_solved_lesson_passes_every_check(
    lesson: str, solved_lessons: dict[str, dict[str, str]]
) -> None:
    checks = solved_lessons[lesson]
    assert sorted(checks) == [exercise.id for exercise in lesson_exercises(lesson)]
    for exercise, text in checks.items():
        assert text.startswith(f"{exercise} · Right\n"), text

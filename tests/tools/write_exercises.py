"""Write the section "Your turn" of each page from its exercises.

    python tests/tools/write_exercises.py [notebook …]

Afterwards run the notebooks that changed: ``python tests/tools/run_notebooks.py notebook …``.
A test finds a section that is not current.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import nbformat

from pay88kit.guide.catalogue import PAGES
from pay88kit.guide.exercises.exercise import Exercise
from pay88kit.guide.exercises.turn import TRIES, lesson_exercises

NOTEBOOKS = Path(__file__).resolve().parents[2] / "notebooks"
HEADING = "## Your turn"
IMPORT = "from pay88kit.guide import your_turn"
CHECK = re.compile(r"^your_turn\(\"(?P<id>[0-9]{2}\.[0-9]+)\"\)\.check\(", re.MULTILINE)


def number_of(path: Path) -> str:
    """Under which number a page's exercises stand: its place in the guide, so ``explore`` has 10;
    empty for another notebook."""
    return next((page.place for page in PAGES if page.name == path.stem), "")


def section(exercises: tuple[Exercise, ...]) -> list[tuple[str, str]]:
    """The cells of a lesson's section, each as its type and source."""
    first = exercises[0].id
    intro = (
        f"{HEADING}\n\n"
        "Each cell below has `...` where your answer goes. Put your answer there and run the "
        "cell: below it you read what the check saw. You may try as often as you like.\n\n"
        f'Stuck? `your_turn("{first}").hint()` in a new cell gives a hint, and once more the '
        f'next one. After the last hint, or after {TRIES} tries, `your_turn("{first}").solution()` '
        "shows a solution."
    )
    cells = [("markdown", intro), ("code", IMPORT)]
    for exercise in exercises:
        heading = f"### {exercise.id} · {exercise.title}"
        cells.append(("markdown", f"{heading}\n\n*{exercise.kind}.* {exercise.task}"))
        cells.append(("code", exercise.cell()))
    return cells


def place(cells: list[Any]) -> slice:
    """Where the section stands, up to the next heading of its level; empty before "What you did"
    when there is none yet."""
    headings = [
        (number, cell.source.splitlines()[0])
        for number, cell in enumerate(cells)
        if cell.cell_type == "markdown" and cell.source.startswith("## ")
    ]
    start = next((number for number, title in headings if title == HEADING), None)
    if start is None:
        start = next(number for number, title in headings if title == "## What you did")
        return slice(start, start)
    return slice(start, next(number for number, _ in headings if number > start))


def write(path: Path) -> bool:
    """Bring the section of a notebook up to date; returns whether anything changed."""
    exercises = lesson_exercises(number_of(path))
    if not exercises:
        return False
    notebook: Any = nbformat.read(path, as_version=4)
    where, wanted = place(notebook.cells), section(exercises)
    if [(cell.cell_type, cell.source) for cell in notebook.cells[where]] == wanted:
        return False
    make = {"markdown": nbformat.v4.new_markdown_cell, "code": nbformat.v4.new_code_cell}
    notebook.cells[where] = [make[kind](source) for kind, source in wanted]
    with path.open("w", encoding="utf-8", newline="\n") as file:
        nbformat.write(notebook, file)
    return True


def main() -> None:
    """Write those named, or all."""
    given = [Path(argument) for argument in sys.argv[1:]]
    for path in given or sorted(NOTEBOOKS.glob("*.ipynb")):
        if write(path):
            print(path.name)


if __name__ == "__main__":
    main()

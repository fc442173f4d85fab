"""Write what the notebooks take from the guide's catalogue: ``make notebooks``.

    python tests/tools/write_navigation.py [folder]

That is, in each page's first cell, the navigation bar, and in a lesson's also what it needs and how
long it takes; and the map in ``00_start_here``. Nothing else in a notebook is touched.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

from pay88kit.guide.catalogue import LESSONS, PAGES, Page, neighbours
from pay88kit.guide.markdown import table

GUIDE = Path(__file__).resolve().parents[2] / "notebooks"
START = PAGES[0]
MAP = f"[Map]({START.file}#The-map)"

_BAR = re.compile(r"\n\n(?:← \[.*|\[.*→)$")
_FRAME = re.compile(r"\*\*You need\*\* .*?\*\*Time:\*\* [^*\n]*")
_TABLE = re.compile(r"^\| Lesson \|.*(?:\n\|.*)*", re.MULTILINE)


def bar(before: Page | None, page: Page, after: Page | None) -> str:
    """The links to the page before, the map and the page after."""
    links = [
        f"← [{before.name}]({before.file})" if before else "",
        MAP if page is not START else "",
        f"[{after.name}]({after.file}) →" if after else "",
    ]
    return " · ".join(filter(None, links))


def frame(page: Page) -> str:
    """What a lesson needs and how long it takes."""
    return f"**You need** {_needs(page.needs)}. **Time:** {page.minutes} minutes."


def _needs(numbers: tuple[str, ...]) -> str:
    if not numbers:
        return "some Python"
    if len(numbers) == 1:
        return f"lesson {numbers[0]}"
    if len(numbers) > 2 and int(numbers[-1]) - int(numbers[0]) == len(numbers) - 1:
        return f"lessons {numbers[0]} to {numbers[-1]}"
    return f"lessons {', '.join(numbers[:-1])} and {numbers[-1]}"


def map_table() -> str:
    """The pages after the first, with what each is for."""
    return table(
        ("Lesson", "88Pay's step", "Checklist items", "Minutes"),
        [
            (
                f"[{page.label}]({page.file})",
                page.step,
                ", ".join(map(str, page.items)) or "–",
                str(page.minutes or "as you like"),
            )
            for page in PAGES
            if page is not START
        ],
    )


def first_cell(source: str, before: Page | None, page: Page, after: Page | None) -> str:
    """A page's first cell as it should be.

    Raises:
        ValueError: a lesson does not say what it needs and how long it takes.
    """
    if page in LESSONS:
        source, found = _FRAME.subn(lambda _: frame(page), source)
        if found != 1:
            raise ValueError(f"{page.file}: the first cell has no line '{frame(page)}'")
    return f"{_BAR.sub('', source.rstrip())}\n\n{bar(before, page, after)}"


def written(text: str, before: Page | None, page: Page, after: Page | None) -> str:
    """The notebook's file as it should be.

    Raises:
        ValueError: the notebook has no place for what is written.
    """
    notebook = json.loads(text)
    cells = notebook["cells"]
    _set(cells[0], first_cell(_source(cells[0]), before, page, after))
    if page is START:
        with_map = [cell for cell in cells if _source(cell).startswith("## The map\n")]
        if len(with_map) != 1 or not _TABLE.search(_source(with_map[0])):
            raise ValueError(f"{page.file}: no cell begins with '## The map' and has a table")
        _set(with_map[0], _TABLE.sub(lambda _: map_table(), _source(with_map[0])))
    return json.dumps(notebook, ensure_ascii=False, indent=1) + "\n"


def _source(cell: dict[str, Any]) -> str:
    return "".join(cell["source"])


def _set(cell: dict[str, Any], source: str) -> None:
    cell["source"] = source.splitlines(keepends=True)


def main() -> None:
    """Write them all; say which pages changed."""
    guide = Path(sys.argv[1]) if sys.argv[1:] else GUIDE
    for before, page, after in neighbours():
        path = guide / page.file
        old = path.read_text("utf-8")
        new = written(old, before, page, after)
        if new != old:
            path.write_text(new, encoding="utf-8", newline="\n")
            print(path.name)


if __name__ == "__main__":
    main()

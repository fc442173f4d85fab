"""The guide's catalogue, and the pages that are written from the code."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from tools import write_navigation
from tools.write_docs import PAGES as WRITTEN

from pay88kit import limits
from pay88kit.client.exchange import PATHS
from pay88kit.guide import quick_reference
from pay88kit.guide.catalogue import ITEMS, LESSONS, PAGES, Page, neighbours
from pay88kit.guide.glossary import TERMS
from pay88kit.models.methods import METHODS

GUIDE = Path(__file__).resolve().parent.parent / "notebooks"
AROUND = {page.name: (before, page, after) for before, page, after in neighbours()}


def cells(path: Path) -> list[str]:
    """The sources of a notebook's cells."""
    return ["".join(cell["source"]) for cell in json.loads(path.read_bytes())["cells"]]


# ---------------------------------------------------------------- the catalogue


def test_every_item_is_covered() -> None:
    covered = {number for page in PAGES for number in page.items}
    assert covered == {item.number for item in ITEMS} == set(range(1, 21))
    for item in ITEMS:
        (page,) = [page for page in PAGES if page.name == item.lesson]
        assert item.number in page.items


def test_a_lesson_needs_only_what_comes_before() -> None:
    numbers = [lesson.number for lesson in LESSONS]
    assert numbers == sorted(set(numbers)) == [f"{n:02}" for n in range(10)]
    for lesson in LESSONS:
        assert set(lesson.needs) <= {n for n in numbers if n < lesson.number}
        assert lesson.minutes


def test_the_time_for_all_lessons_is_said_where_the_guide_begins() -> None:
    assert 4.5 <= sum(lesson.minutes or 0 for lesson in LESSONS) / 60 <= 5.5
    readme = (GUIDE.parent / "README.md").read_text("utf-8")
    for text in (readme, "\n".join(cells(GUIDE / PAGES[0].file))):
        assert "All lessons together take about five hours." in text


# ---------------------------------------------------------------- what is written from it


@pytest.mark.parametrize("name", AROUND)
def test_the_navigation_is_current(name: str) -> None:
    text = (GUIDE / f"{name}.ipynb").read_text("utf-8")
    assert write_navigation.written(text, *AROUND[name]) == text, "run make notebooks"


@pytest.mark.parametrize("page", LESSONS, ids=lambda page: page.number)
def test_title_and_way_on_are_the_catalogues(page: Page) -> None:
    *_, after = AROUND[page.name]
    first, *_, last = cells(GUIDE / page.file)
    assert first.partition("\n")[0] == f"# {page.heading}"
    assert after
    assert f"**Next:** [{after.label}]({after.file})" in last


@pytest.fixture
def stale(tmp_path: Path) -> Path:
    """A copy of the pages, everything that is written in them out of date."""
    shutil.copytree(GUIDE, tmp_path, dirs_exist_ok=True)
    for page in PAGES:
        text = (tmp_path / page.file).read_text("utf-8")
        first, *_ = cells(tmp_path / page.file)
        lines = first.splitlines()
        old = re.sub(r"\*\*Time:\*\* \d+", "**Time:** 99", first)
        old = re.sub(r"\*\*You need\*\* [^.]*", "**You need** lessons 98 and 99", old)
        old = old.replace(lines[-1], "← [88_old](88_old.ipynb) · [Map](old.ipynb)")
        assert old != first
        notebook = json.loads(text)
        notebook["cells"][0]["source"] = old.splitlines(keepends=True)
        for cell in notebook["cells"] if page is PAGES[0] else []:
            # The map has lost its lessons.
            cell["source"] = [s for s in cell["source"] if not s.startswith("| [0")]
        stale = json.dumps(notebook, ensure_ascii=False, indent=1) + "\n"
        (tmp_path / page.file).write_text(stale, encoding="utf-8", newline="\n")
    return tmp_path


def test_the_script_mends_stale_pages_and_touches_nothing_else(stale: Path) -> None:
    others = {p: p.read_bytes() for p in stale.rglob("*") if p.is_file() and p.parent != stale}
    subprocess.run([sys.executable, write_navigation.__file__, str(stale)], check=True)
    for page in PAGES:
        current = write_navigation.written(
            (GUIDE / page.file).read_text("utf-8"), *AROUND[page.name]
        )
        assert (stale / page.file).read_bytes() == current.encode(), page.name
    assert others == {path: path.read_bytes() for path in others}


def test_a_lesson_without_its_frame_is_named() -> None:
    text = (GUIDE / LESSONS[2].file).read_text("utf-8").replace("**You need**", "You need")
    with pytest.raises(ValueError, match=r"02_token\.ipynb: .*You need.* lesson 01"):
        write_navigation.written(text, *AROUND["02_token"])


def test_a_start_without_a_map_is_named() -> None:
    text = (GUIDE / PAGES[0].file).read_text("utf-8").replace("## The map", "## A map")
    with pytest.raises(ValueError, match=r"00_start_here\.ipynb: .*The map"):
        write_navigation.written(text, *AROUND["00_start_here"])


@pytest.mark.parametrize("path", WRITTEN, ids=lambda path: path.stem)
def test_the_pages_from_the_code_are_current(path: Path) -> None:
    assert path.read_text("utf-8") == WRITTEN[path](), "run make docs"


# ---------------------------------------------------------------- the glossary, the reference


def test_the_glossary_is_sorted_and_in_three_languages() -> None:
    names = [term.name for term in TERMS]
    assert names == sorted(set(names), key=str.casefold)
    for term in TERMS:
        for words in (term.spanish, term.portuguese, term.meaning):
            assert words.strip(), term.name
    spoken = {word for term in TERMS for word in (term.spanish, *term.portuguese.split(", "))}
    assert {"recaudo", "dispersión", "liquidación", "recebimento", "repasse"} <= spoken


def test_the_glossarys_terms_are_linked() -> None:
    # Both JupyterLab and nbconvert give a heading the address of its words.
    headings = re.findall(r"^## (.+)$", "\n".join(cells(GUIDE / "glossary.ipynb")), re.MULTILINE)
    there = {f"glossary.ipynb#{heading.replace(' ', '-')}" for heading in headings}
    assert there == {term.anchor for term in TERMS}
    linked: set[str] = set()
    for path in GUIDE.rglob("*.ipynb"):
        used = set(re.findall(r"\((?:\.\./)*(glossary\.ipynb#[^)\s]*)\)", "\n".join(cells(path))))
        assert used <= there, path.name
        linked |= used
    assert linked == there, "a word that no page links to"


def test_the_reference_follows_the_tables(monkeypatch: pytest.MonkeyPatch) -> None:
    before = quick_reference.cells()
    for word in (*PATHS.values(), *METHODS, "x-session-id", "Retry-After", "REJECTED"):
        assert word in "\n".join(before)
    monkeypatch.setitem(limits.DOCUMENTED, "token", (11, 1_234))
    (changed,) = set(quick_reference.cells()) - set(before)
    assert "| 11 | 1,234 | token |" in changed

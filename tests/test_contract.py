"""The table of documented and assumed points, and the page that is made from it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import pay88kit
from pay88kit.contract import CONTRADICTIONS, POINTS, Observe, page, point

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = Path(pay88kit.__file__).parent
PAGE = ROOT / "docs" / "what_is_simulated.md"


def test_ids_are_unique_and_found() -> None:
    ids = [entry.id for entry in POINTS]
    assert len(set(ids)) == len(ids)
    assert all(re.fullmatch(r"[a-z0-9]+\.[A-Za-z0-9_-]+", id) for id in ids)
    assert point("token.expires-in").statement == "data has expires_in, the number 60"
    with pytest.raises(KeyError):
        point("nothing.here")


def test_an_assumption_is_worded_as_one_and_a_documented_point_is_not() -> None:
    for entry in POINTS:
        worded = re.fullmatch(r"88Pay does not document .+; the kit assumes .+", entry.statement)
        assert bool(worded) is not entry.documented, entry.id
        assert (entry.source == "assumed") is not entry.documented, entry.id
        assert "the kit assumes" not in entry.topic + entry.reading
    documented = sum(entry.documented for entry in POINTS)
    assert min(documented, len(POINTS) - documented) > 50


@pytest.mark.parametrize(
    ("id", "where"), [(e.id, e.where) for e in POINTS] + [(str(c.number), c.where)
                                                          for c in CONTRADICTIONS]
)  # fmt: skip
def test_where_names_code_that_is_there(id: str, where: str) -> None:
    for place in where.split(", "):
        file, _, name = place.partition(": ")
        text = (PACKAGE / file).read_text("utf-8")
        assert re.search(rf"\b{re.escape(name)}\b", text), place


def test_contradictions_name_points_that_can_be_seen() -> None:
    assert [entry.number for entry in CONTRADICTIONS] == list(range(1, 17))
    for entry in CONTRADICTIONS:
        for id in entry.points:
            assert point(id).observe is not Observe.NO, id


def test_the_page_is_current() -> None:
    assert PAGE.read_text("utf-8") == page(), "run make docs"


def test_the_page_has_three_tables_of_whole_rows() -> None:
    text = PAGE.read_text("utf-8")
    tables = text.split("\n## ")[1:]
    assert [table.splitlines()[0] for table in tables] == [
        "Documented by 88Pay",
        "Assumed, because 88Pay does not document it",
        "Where 88Pay's pages contradict each other",
    ]
    rows = [[line for line in t.splitlines() if line.startswith("| ")] for t in tables]
    for lines in rows:
        assert {len(re.findall(r"(?<!\\)\|", line)) for line in lines} == {6}
    assert len(rows[0]) - 1 == sum(entry.documented for entry in POINTS)
    assert len(rows[1]) - 1 == sum(not entry.documented for entry in POINTS)
    assert len(rows[2]) - 1 == 16


def test_nothing_else_speaks_of_the_page_that_it_replaced() -> None:
    for name in ("README.md", "CONTRIBUTING.md"):
        text = (ROOT / name).read_text("utf-8")
        assert "assumptions.md" not in text
        assert "what_is_simulated.md" in text

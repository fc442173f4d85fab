"""The guide as pages to read: what they are made of, and that a fault in them stops the making."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tools.make_site import build, faults, write

from pay88kit import places

GUIDE = places.notebooks()


@pytest.fixture(scope="module")
def site() -> dict[str, bytes]:
    return build(GUIDE)


def pages(files: dict[str, bytes]) -> dict[str, str]:
    return {name: text.decode() for name, text in files.items() if name.endswith(".html")}


def test_every_file_of_the_guide_is_in_it_and_no_link_is_broken(site: dict[str, bytes]) -> None:
    shipped = {
        path.relative_to(GUIDE).as_posix().replace(".ipynb", ".html")
        for path in GUIDE.rglob("*")
        if path.is_file() and not {".ipynb_checkpoints", "__pycache__"} & set(path.parts)
    }
    assert set(site) == shipped | {"index.html", "style.css"}
    assert faults(site) == []


def test_a_page_is_named_by_its_heading_and_says_what_it_is(site: dict[str, bytes]) -> None:
    for name, text in pages(site).items():
        assert '<html lang="en">' in text, name
        if name != "index.html":
            assert "<strong>A copy to read.</strong>" in text, name
            assert text.count("<h1") == 1, name
    assert "<title>03 · Charge · pay88kit</title>" in pages(site)["03_charge.html"]


def test_links_to_notebooks_and_their_sections_lead_to_pages(site: dict[str, bytes]) -> None:
    lesson = pages(site)["01_credentials.html"]
    assert 'href="02_token.html"' in lesson
    assert 'href="glossary.html#Merchant"' in lesson
    assert 'id="Merchant"' in pages(site)["glossary.html"]


def test_the_same_notebooks_give_the_same_bytes(site: dict[str, bytes]) -> None:
    assert build(GUIDE) == site


# ---------------------------------------------------------------- faults, made on purpose

PNG = "iVBORw0KGgo="


def markdown(text: str) -> dict[str, Any]:
    return {"cell_type": "markdown", "metadata": {}, "source": text}


def shows(data: dict[str, str]) -> dict[str, Any]:
    output = {"output_type": "display_data", "data": data, "metadata": {}}
    return {
        "cell_type": "code",
        "execution_count": 1,
        "metadata": {},
        "outputs": [output],
        "source": "1",
    }


Guide = Callable[..., Path]


@pytest.fixture
def guide(tmp_path: Path) -> Guide:
    """Makes a guide of two pages, the second one a folder below, with more cells in the first."""
    folder = tmp_path / "notebooks"

    def make(*cells: dict[str, Any]) -> Path:
        first = [
            markdown("# One\n\n![A flow](flow.svg) [two](in/two.ipynb#Caf%C3%A9-now)"),
            *cells,
        ]
        second = [markdown("# Two\n\n## Café now\n\n[One](../00_start_here.ipynb#One)")]
        (folder / "in").mkdir(parents=True)
        for name, page in (("00_start_here", first), ("in/two", second)):
            content = {"cells": page, "metadata": {}, "nbformat": 4, "nbformat_minor": 4}
            (folder / f"{name}.ipynb").write_text(json.dumps(content), "utf-8")
        (folder / "flow.svg").write_text("<svg/>")
        return folder

    return make


def test_a_site_is_written_anew(guide: Guide, tmp_path: Path) -> None:
    site = tmp_path / "site"
    site.mkdir()
    (site / "withdrawn.html").write_text("from the last time")
    assert write(guide(shows({"image/png": PNG, "text/html": "<b>1</b>"})), site) == []
    written = {path.relative_to(site).as_posix() for path in site.rglob("*") if path.is_file()}
    pages = {"index.html", "00_start_here.html", "in/two.html"}
    assert written == pages | {"style.css", "flow.svg"}
    assert "../style.css" in (site / "in" / "two.html").read_text("utf-8")


BROKEN = {
    "a page": ("[x](three.ipynb)", "three.html"),
    "an anchor": ("[x](in/two.ipynb#Tea)", "no place in in/two.html"),
    "an anchor on the same page": ("[x](#Nowhere)", "#Nowhere"),
    "a file": ("[x](shop.py)", "shop.py"),
    "out of the site": ("[x](../README.md)", "../README.md"),
    "a picture that is missing": ("![A picture](none.svg)", "none.svg"),
    "a picture from elsewhere": ("![A picture](https://a.example/b.png)", "https://a.example"),
    "a picture without words": ("![](flow.svg)", "no alt text"),
}


@pytest.mark.parametrize(("text", "said"), BROKEN.values(), ids=list(BROKEN))
def test_a_broken_link_is_named_and_the_last_site_stays(
    guide: Guide, tmp_path: Path, text: str, said: str
) -> None:
    site = tmp_path / "site"
    site.mkdir()
    (site / "index.html").write_text("from the last time")
    (fault,) = write(guide(markdown(text)), site)
    assert fault.startswith("00_start_here.html: ")
    assert said in fault
    assert (site / "index.html").read_text() == "from the last time"


@pytest.mark.parametrize(
    "data",
    [
        {"text/html": "<script>1</script>"},
        {"text/html": "<link rel=stylesheet href='//a.example/b.css'>"},
        {"text/html": "<iframe src='flow.svg'></iframe>"},
        {"application/javascript": "1"},
        {"image/png": PNG},
    ],
    ids=["a script", "a style sheet", "a frame", "a script as output", "a picture without words"],
)
def test_an_output_that_runs_or_loads_something_is_named(
    guide: Guide, data: dict[str, str]
) -> None:
    assert faults(build(guide(shows(data))))

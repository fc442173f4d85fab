"""The guide's pages to read, as ``make site`` writes them, opened from their files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from driver import LOW_CONTRAST, PHONE, WIDE
from playwright.sync_api import BrowserContext
from tools.make_site import write

from pay88kit import places

# How many pixels stand out of the window.
BEYOND = "() => document.documentElement.scrollWidth - window.innerWidth"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made") / "site"
    assert write(places.notebooks(), folder) == []
    return folder


@pytest.mark.parametrize("colours", ["light", "dark"])
@pytest.mark.parametrize("size", [WIDE, PHONE], ids=["desktop", "phone"])
def test_every_page_can_be_read_and_loads_nothing_from_elsewhere(
    context: BrowserContext, site: Path, size: Any, colours: Any
) -> None:
    page = context.new_page()
    page.set_viewport_size(size)
    page.emulate_media(color_scheme=colours)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    for path in sorted(site.rglob("*.html")):
        if path.name == "index.html":  # goes to the first page by itself
            continue
        page.goto(path.as_uri())
        assert page.evaluate(BEYOND) <= 0, f"{path.name} scrolls sideways"
        assert page.evaluate(LOW_CONTRAST) == [], path.name
    assert [url for url in asked if not url.startswith((site.as_uri(), "data:"))] == []
    assert any(url.endswith("lifecycle.svg") for url in asked)


def test_the_index_opens_the_first_page_and_a_term_leads_to_the_glossary(
    context: BrowserContext, site: Path
) -> None:
    page = context.new_page()
    page.goto((site / "index.html").as_uri())
    page.get_by_role("heading", name="Start here", level=1).wait_for()
    page.get_by_role("link", name="payouts").first.click()
    page.wait_for_url("**/glossary.html#Payout")
    assert page.locator("h2:target").inner_text() == "Payout"

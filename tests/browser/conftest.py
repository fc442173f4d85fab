"""One JupyterLab and one Chromium for all of these tests."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))
from driver import CHROMIUM, WIDE, Lab, chromium, jupyterlab
from playwright.sync_api import Browser, BrowserContext, expect

# A busy machine is slow, not wrong. What is there sooner is waited for no longer.
PATIENCE = 60_000
expect.set_options(timeout=PATIENCE)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Chromium; ``make test`` leaves this folder out where there is none."""
    if CHROMIUM.find() is None:
        pytest.skip(f"Chromium is missing. To install it: {CHROMIUM.install}")
    with chromium() as browser:
        yield browser


@pytest.fixture(scope="session")
def jupyter(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """JupyterLab on a fresh working copy of the guide, in a page that is logged in."""
    with jupyterlab(tmp_path_factory.mktemp("lab")) as (url, token):
        context = browser.new_context(viewport=WIDE)
        context.set_default_timeout(PATIENCE)
        lab = Lab(context.new_page(), url, token)
        lab.start()
        yield lab
        context.close()


@pytest.fixture
def lab(jupyter: Lab) -> Iterator[Lab]:
    """The same JupyterLab for each test, with no notebook left open behind it."""
    yield jupyter
    # Here, because a failed test's picture is taken before.
    jupyter.close()


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    """Windows of one test, without cookies."""
    context = browser.new_context()
    context.set_default_timeout(PATIENCE)
    yield context
    context.close()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, Any, Any]:
    """A failed test leaves pictures of all pages, and says where."""
    report = yield
    browser = getattr(item, "funcargs", {}).get("browser")
    if report.failed and browser is not None:
        folder = Path(tempfile.mkdtemp(prefix="pay88-browser-"))
        pages = [page for context in browser.contexts for page in context.pages]
        for number, page in enumerate(pages):
            path = folder / f"{item.name.replace('/', '-')}-{number}.png"
            page.screenshot(path=path)
            report.sections.append(("picture of the page", f"{path}\n{page.url}"))
    return report
